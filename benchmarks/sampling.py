"""Are the draws of shipped denoisers true on real images? Coverage, spread and PSNR of draws.

From each of a folder's images one square is cut, noise is drawn from a fixed seed, and its
posterior is sampled as ``nc.sample`` does. Pooled over all squares:

    draw      dB that one draw lies below the mean of all; exact: 3.01 - 10 log10(1 + 1/n)
    mean      dB that the mean of all draws lies above D(y), which saw the same noise
    spread    rms std of the draws / rms error of their mean (1 is right, corrected for n)
    50 ..95   share of pixels in their 50, 80, 90 and 95 % interval, in per cent
    +-        standard error of that at 90 %, from the squares' differences
    bright    share at 90 % in each square's brightest tenth; texture: in the most textured tenth
    4 x 4     share of the means of 4 x 4 and of 16 x 16 blocks in their 90 % interval
    residual  std of (y - draw) / that of the noise (1 is right)

With several samplers each sees the same squares and the same noise.
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
from napari_credible.samplers import sampler_of
from napari_credible.training.folders import Folder, unit

NOISES = {
    **{f"{s}/255": lambda _, s=s: nc.Gaussian(s / 255) for s in (15, 25, 50)},
    **{f"peak {p}": lambda _, p=p: nc.PoissonGaussian(1.0 / p) for p in (1, 4, 30)},
}
LEVELS = (0.5, 0.8, 0.9, 0.95)
HEAD = (
    "draw", "mean", "spread", *(f"{100 * level:.0f}" for level in LEVELS), "+-", "bright",
    "texture", "4 x 4", "16 x 16", "residual",
)  # fmt: skip


def squares(folder: Path, side: int, count: int):
    """Yield one square of each of ``count`` images, evenly chosen, from the middle."""
    images = Folder(folder)
    for number in np.unique(np.linspace(0, len(images) - 1, count).astype(int)):
        clean = images[number]
        top, left = ((n - side) // 2 for n in clean.shape)
        clean = unit(clean).astype(np.float64)
        yield clean[max(top, 0) : top + side, max(left, 0) : left + side]


def measured(clean, noise, recipe: Recipe, number: int) -> dict[str, float]:
    """Return sums and shares over one square."""
    noisy = noise.draw(clean, np.random.default_rng((7, number)))
    recipe = recipe.replace(noise=noise, seed=number)
    posterior = run(recipe, nc.Image(noisy)).posterior
    estimate = run(recipe.replace(method="denoise"), nc.Image(noisy)).estimate
    inside = {level: held(posterior, clean, level) for level in LEVELS}
    texture = gaussian_gradient_magnitude(clean, 1.5)
    return {
        "pixels": clean.size,
        "draw": np.square(posterior.draws - clean).mean(0).sum(),
        "mean": np.square(posterior.mean - clean).sum(),
        "estimate": np.square(estimate - clean).sum(),
        "variance": np.square(posterior.std.astype(float)).sum(),
        "residual": np.square(noisy - posterior.draws).mean(0).sum(),
        "noise": noise.variance(clean).sum(),
        **{f"{100 * level:.0f}": share.mean() for level, share in inside.items()},
        "bright": inside[0.9][clean >= np.quantile(clean, 0.9)].mean(),
        "texture": inside[0.9][texture >= np.quantile(texture, 0.9)].mean(),
        "4 x 4": blocks_held(posterior.draws, clean, 4),
        "16 x 16": blocks_held(posterior.draws, clean, 16),
    }


def held(posterior: Posterior, truth, level: float):
    """Return where the truth lies in its interval."""
    lower, upper = posterior.interval(level)
    return (truth >= lower) & (truth <= upper)


def blocks_held(draws, clean, size: int) -> float:
    """Return the share of block means in their 90 % interval."""
    rows, columns = (n // size for n in clean.shape)

    def means(image):
        cut = image[..., : rows * size, : columns * size]
        return cut.reshape(*image.shape[:-2], rows, size, columns, size).mean((-3, -1))

    return float(held(Posterior(means(draws)), means(clean), 0.9).mean())


def row(sums: list[dict[str, float]], draws: int) -> dict[str, float]:
    """Return the figures of a folder."""
    total = {key: np.array([s[key] for s in sums]) for key in sums[0]}
    error = {k: total[k].sum() / total["pixels"].sum() for k in ("draw", "mean", "estimate")}
    variance = total["variance"].sum() / total["pixels"].sum()
    shares = {k: 100 * total[k].mean() for k in HEAD if k in total and k not in error}
    return {
        **shares,
        "draw": 10 * np.log10(error["draw"] / error["mean"]),
        "mean": 10 * np.log10(error["estimate"] / error["mean"]),
        "spread": float(np.sqrt(variance * (1 + 1 / draws) / error["mean"])),
        "+-": 100 * total["90"].std(ddof=1) / np.sqrt(len(sums)) if len(sums) > 1 else np.nan,
        "residual": float(np.sqrt(total["residual"].sum() / total["noise"].sum())),
    }


def main() -> None:
    """Print one row for each denoiser, sampler, folder and noise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=["BSD68"], choices=FOLDERS)
    parser.add_argument("--noises", nargs="+", default=list(NOISES), choices=NOISES)
    parser.add_argument("--denoisers", nargs="+", default=["unet"])
    parser.add_argument("--samplers", nargs="+", default=["corrected"])
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--widen", type=float, default=1.0)
    parser.add_argument("--json", type=Path, help="rows are added to those of this file")
    asked = parser.parse_args()
    print(f"{asked.draws} draws of {asked.images} squares of {asked.side} pixels a side\n")
    first = f"| {'denoiser':9} | {'sampler':9} | {'folder':10} | {'noise':7} |"
    print(first + "".join(f" {name:>8} |" for name in HEAD))
    print(f"|{'---|' * (4 + len(HEAD))}")
    rows = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else []
    every = itertools.product(asked.denoisers, asked.folders, asked.noises, asked.samplers)
    for denoiser, folder, noise, sampler in every:
        recipe = Recipe.of(
            method="sample", denoiser=denoiser, sampler=sampler, n_draws=asked.draws,
            widen=asked.widen,
        )  # fmt: skip
        cut = squares(asked.data / FOLDERS[folder], asked.side, asked.images)
        sums = [measured(c, NOISES[noise](c), recipe, k) for k, c in enumerate(cut)]
        found = row(sums, asked.draws)
        names = f"| {denoiser:9} | {sampler:9} | {folder:10} | {noise:7} |"
        print(names + "".join(f" {found[name]:8.2f} |" for name in HEAD), flush=True)
        rows.append({
            "denoiser": denoiser, "sampler": sampler, "folder": folder, "noise": noise,
            "evaluations": sampler_of(sampler).evaluations, "draws": asked.draws,
            "images": len(sums), "side": asked.side, "widen": asked.widen, **found,
        })  # fmt: skip
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
