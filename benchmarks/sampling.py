"""Are the draws of shipped denoisers true on real images? Coverage, spread and PSNR of draws.

From each of a folder's images one square is cut, noise is drawn from a fixed seed, and its
posterior is sampled as ``nc.sample`` does. Pooled over all squares:

    draw      dB that one draw lies below the mean of all (3.01 less 10 log10(1 + 1/n) is exact)
    mean      dB that the mean of all draws lies above D(y), which saw the same noise
    spread    rms std of the draws / rms error of their mean (1 is right, corrected for n)
    90 %      share of pixels in their 90 % interval: all; the brightest and the most textured
              tenth; and the means of 4 x 4 and 16 x 16 blocks
    residual  std of (y - draw) / sigma (1 is right), Gaussian noise only
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
from denoising import FOLDERS
from scipy.ndimage import gaussian_gradient_magnitude

import napari_credible as nc
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.run import run
from napari_credible.training.folders import Folder, unit

NOISES = {
    **{f"{s}/255": lambda _, s=s: nc.Gaussian(s / 255) for s in (15, 25, 50)},
    **{f"peak {p}": lambda _, p=p: nc.PoissonGaussian(1.0 / p) for p in (1, 4, 30)},
}


def squares(folder: Path, side: int, count: int):
    """Yield one square of each of ``count`` images, evenly chosen, from the middle."""
    images = Folder(folder)
    for number in np.unique(np.linspace(0, len(images) - 1, count).astype(int)):
        clean = images[number]
        top, left = ((n - side) // 2 for n in clean.shape)
        clean = unit(clean).astype(np.float64)
        yield clean[max(top, 0) : top + side, max(left, 0) : left + side]


def measured(clean, noise, asked, number: int) -> dict[str, np.ndarray]:
    """Return sums over one square."""
    noisy = noise.draw(clean, np.random.default_rng((7, number)))
    recipe = Recipe.of(
        method="sample", noise=noise, denoiser=asked.denoiser, sampler=asked.sampler,
        n_draws=asked.draws, seed=number,
    )  # fmt: skip
    image = nc.Image(noisy)
    posterior = run(recipe, image).posterior
    estimate = run(recipe.replace(method="denoise"), image).estimate
    mean = posterior.mean
    lower, upper = posterior.interval(0.9)
    inside = (clean >= lower) & (clean <= upper)
    texture = gaussian_gradient_magnitude(clean, 1.5)
    blocks = [blocked(posterior.draws, clean, size) for size in (4, 16)]
    return {
        "pixels": clean.size,
        "draw": np.square(posterior.draws[: asked.draws] - clean).mean(0).sum(),
        "mean": np.square(mean - clean).sum(),
        "estimate": np.square(estimate - clean).sum(),
        "variance": np.square(posterior.std.astype(float)).sum(),
        "residual": np.square(noisy - posterior.draws).mean(0).sum(),
        "variance of noise": noise.variance(clean).sum(),
        "inside": inside.mean(),
        "bright": inside[clean >= np.quantile(clean, 0.9)].mean(),
        "textured": inside[texture >= np.quantile(texture, 0.9)].mean(),
        "blocks 4": blocks[0],
        "blocks 16": blocks[1],
    }


def blocked(draws, clean, size: int) -> float:
    """Return the share of block means in their 90 % interval."""
    rows, columns = (n // size for n in clean.shape)

    def means(image):
        cut = image[..., : rows * size, : columns * size]
        return cut.reshape(*image.shape[:-2], rows, size, columns, size).mean((-3, -1))

    lower, upper = Posterior(means(draws)).interval(0.9)
    truth = means(clean)
    return float(((truth >= lower) & (truth <= upper)).mean())


def row(sums: list[dict[str, np.ndarray]], draws: int) -> dict[str, float]:
    """Return the figures of a folder."""
    total = {key: np.array([s[key] for s in sums]) for key in sums[0]}
    error = {k: total[k].sum() / total["pixels"].sum() for k in ("draw", "mean", "estimate")}
    variance = total["variance"].sum() / total["pixels"].sum()
    return {
        "draw": 10 * np.log10(error["draw"] / error["mean"]),
        "mean": 10 * np.log10(error["estimate"] / error["mean"]),
        "spread": float(np.sqrt(variance * (1 + 1 / draws) / error["mean"])),
        **{k: 100 * total[k].mean() for k in ("inside", "bright", "textured")},
        **{k: 100 * total[k].mean() for k in ("blocks 4", "blocks 16")},
        "residual": float(np.sqrt(total["residual"].sum() / total["variance of noise"].sum())),
    }


def main() -> None:
    """Print one row for each folder and noise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=["BSD68"], choices=FOLDERS)
    parser.add_argument("--noises", nargs="+", default=list(NOISES), choices=NOISES)
    parser.add_argument("--denoiser", default="unet")
    parser.add_argument("--sampler", default="corrected")
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    head = ["draw", "mean", "spread", "90 %", "bright", "texture", "4 x 4", "16 x 16", "residual"]
    print(f"{asked.denoiser}, {asked.sampler}, {asked.draws} draws of {asked.images} squares\n")
    print(f"{'folder':12}{'noise':9}{''.join(f'{name:>9}' for name in head)}")
    rows = []
    for folder, noise in itertools.product(asked.folders, asked.noises):
        cut = squares(asked.data / FOLDERS[folder], asked.side, asked.images)
        sums = [measured(c, NOISES[noise](c), asked, k) for k, c in enumerate(cut)]
        found = row(sums, asked.draws)
        rows.append({"folder": folder, "noise": noise, **found})
        print(f"{folder:12}{noise:9}{''.join(f'{v:9.2f}' for v in found.values())}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
