"""The map of the spread without draws: against exact Jacobians, and against the truth.

First, on small squares, the whole Jacobian of the denoiser is computed, pixel by pixel, and its
diagonal is compared with what 4 to 36 probes say: bias and rms error of the standard deviation,
over its mean, beside Hutchinson's probes of random signs in the same number.

Then, on noisy squares, the share of the true image in intervals of the map and in those of 16
draws, and the root mean squared error beside the stated spread.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from believing import squares
from denoising import FOLDERS

import napari_credible as nc
from napari_credible.calibration import reliability
from napari_credible.denoise import load_denoiser
from napari_credible.jvp import with_slope
from napari_credible.probing import diagonal, lattice
from napari_credible.recipe import Recipe
from napari_credible.run import run

TOGETHER = 128


def jacobian(denoiser, y, sigma: float):
    """Return dD/dy as a matrix: rows are outputs."""
    pixels = y.numel()
    columns = []
    for first in range(0, pixels, TOGETHER):
        count = min(TOGETHER, pixels - first)
        along = torch.zeros(count, pixels)
        along[torch.arange(count), torch.arange(first, first + count)] = 1
        here = y.expand(count, -1, -1, -1)
        slopes = with_slope(denoiser, here, sigma, along.view(count, 1, *y.shape[-2:]))[1]
        columns.append(slopes.reshape(count, pixels))
    return torch.cat(columns).T.numpy()


def against_exact(denoiser, clean, sigma: float, repeats: int = 8):
    """Return bias and scatter of the std by number of probes: of the lattice, of random signs."""
    rng = torch.Generator().manual_seed(3)
    y = torch.from_numpy(clean).float()[None, None]
    y = y + sigma * torch.randn(y.shape, generator=rng)
    matrix = jacobian(denoiser, y, sigma)
    exact = np.sqrt(np.maximum(np.diag(matrix), 0)).reshape(clean.shape)
    rows = {}
    for number in (4, 9, 16, 36):
        maps: dict[str, list] = {"lattice": [], "random": []}
        for _ in range(repeats):
            probes = lattice(clean.shape, number, rng).numpy()[:, 0]
            answers = (matrix @ probes.reshape(number, -1).T).T.reshape(probes.shape)
            maps["lattice"].append(np.sqrt(diagonal(probes, answers)))
            signs = (torch.randint(0, 2, (number, exact.size), generator=rng) * 2 - 1).numpy()
            found = (signs * (matrix @ signs.T).T).mean(0).reshape(clean.shape)
            maps["random"].append(np.sqrt(np.maximum(found, 0)))
        rows[number] = [
            (np.mean(each) / exact.mean() - 1, np.square(each - exact).mean() ** 0.5 / exact.mean())
            for each in maps.values()
        ]
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=["BSD68", "microscopy"], choices=FOLDERS)
    parser.add_argument("--denoiser", default="unet")
    parser.add_argument("--sigma", type=float, default=25 / 255)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--exact", type=int, default=32, help="side of squares for the Jacobian")
    parser.add_argument("--only", choices=["jacobian", "truth"])
    asked = parser.parse_args()
    if asked.only != "truth":
        exact_table(asked)
    if asked.only != "jacobian":
        truth_table(asked)


def exact_table(asked) -> None:
    """Print how near the map is to the diagonal of the whole Jacobian."""
    denoiser = load_denoiser(asked.denoiser)
    print(f"{asked.denoiser}, sigma {asked.sigma:.3f}\n\nstd map: bias, rms error, over its mean")
    print(f"{'folder':12}{'probes':>7}{'lattice':>18}{'random signs':>18}")
    for folder in asked.folders:
        each = [
            against_exact(denoiser, clean, asked.sigma)
            for clean in squares(asked.data / FOLDERS[folder], asked.exact, asked.images)
        ]
        for number in each[0]:
            values = np.mean([e[number] for e in each], axis=0)
            words = "".join(f"{100 * b:+9.1f}%{100 * s:7.1f}%" for b, s in values)
            print(f"{folder:12}{number:7}{words}", flush=True)


def truth_table(asked) -> None:
    """Print coverage of the map's intervals and of those of draws."""
    print("\nholds of the truth, %: 50 80 90 95; rms spread / rms error")
    for folder in asked.folders:
        pairs: dict[str, list] = {"spread": [], "sample": []}
        for number, clean in enumerate(
            squares(asked.data / FOLDERS[folder], asked.side, asked.images)
        ):
            noise = nc.Gaussian(asked.sigma)
            noisy = noise.draw(clean, np.random.default_rng((5, number)))
            for method, found in pairs.items():
                recipe = Recipe.of(method=method, noise=noise, denoiser=asked.denoiser)
                found.append((run(recipe, nc.Image(noisy)).posterior, clean))
        for method, found in pairs.items():
            held = reliability(found)
            error = np.sqrt(np.mean([np.square(p.mean - t).mean() for p, t in found]))
            stated = np.sqrt(np.mean([np.square(p.std.astype(float)).mean() for p, _ in found]))
            words = " ".join(
                f"{100 * c:5.1f} ± {100 * e:3.1f}"
                for c, e in zip(held.coverage, held.errors, strict=True)
            )
            print(f"{folder:12}{method:8}{words}   {stated / error:.3f}", flush=True)


if __name__ == "__main__":
    main()
