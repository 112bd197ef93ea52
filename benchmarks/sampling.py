"""Are the draws of shipped denoisers true on real images? Coverage, spread and PSNR of draws.

From each of a folder's images one square is cut, noise is drawn from a fixed seed, and its
posterior is sampled as ``nc.sample`` does. Its margin is not judged: to a network an image ends in
its own mirror image, and near the edge of so small a square that is much. Pooled over all squares:

    draw      dB that one draw lies below the mean of 64; exact: 2.94
    mean      dB that the mean of 64 draws lies above D(y), which saw the same noise
    spread    rms std of the draws / rms error of their mean (1 is right, corrected for n)
    50 ..95   share of pixels in their 50, 80, 90 and 95 % interval, in per cent
    +-        standard error of that at 90 %, from the squares' differences
    bright    share at 90 % in each square's brightest tenth; texture: in the most textured tenth;
              both by D(y): chosen by the clean image, those that D takes for darker are preferred
              and no posterior holds 90 % of them (the columns after, in brackets)
    4 x 4     share of the means of 4 x 4 and of 16 x 16 blocks in their 90 % interval
    residual  std of (y - draw) / that of the noise (1 is right)
    stated    rms std that D itself states, sqrt(sigma^2 dD/dy), / rms error of D: what the draws
              of an exact sampler would show as spread; Gaussian noise only
    factor    that the 90 % interval would have to be widened by
    widened   share at 90 % with the factor of --calibrated, the file of a run on other images

The mean of n draws errs by B + V / n, V their variance, so that of 64 follows from fewer.
With several samplers each sees the same squares and the same noise.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch
from denoising import FOLDERS
from scipy.ndimage import gaussian_gradient_magnitude

import napari_credible as nc
from napari_credible.channel import prepare
from napari_credible.jvp import with_slope
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.run import run
from napari_credible.samplers import sampler_of
from napari_credible.training.folders import Folder, unit

NOISES = {
    **{f"{s}/255": lambda _, s=s: nc.Gaussian(s / 255) for s in (15, 25, 50, 85)},
    **{f"peak {p}": lambda _, p=p: nc.PoissonGaussian(1.0 / p) for p in (1, 4, 30)},
}
# Beside the range of the stabilised image a peak of 4 is noise of 85/255.
USUAL = [name for name in NOISES if name != "85/255"]
LEVELS = (0.5, 0.8, 0.9, 0.95)
HEAD = (
    "draw", "mean", "spread", "stated", *(f"{100 * level:.0f}" for level in LEVELS), "+-", "bright",
    "texture", "(bright)", "(texture)", "4 x 4", "16 x 16", "residual", "factor", "widened",
)  # fmt: skip
FACTORS = np.round(np.arange(0.8, 3.001, 0.02), 2)
PROBES = 4
COUNTED = 64
DISTANCES = (0, 2, 6, 16, 32)


def squares(folder: Path, side: int, count: int):
    """Yield one square of each of ``count`` images, evenly chosen, from the middle."""
    images = Folder(folder)
    for number in np.unique(np.linspace(0, len(images) - 1, count).astype(int)):
        clean = images[number]
        top, left = ((n - side) // 2 for n in clean.shape)
        clean = unit(clean).astype(np.float64)
        yield clean[max(top, 0) : top + side, max(left, 0) : left + side]


def measured(clean, noise, recipe: Recipe, number: int, margin: int) -> dict[str, float]:
    """Return sums and shares over one square."""
    noisy = noise.draw(clean, np.random.default_rng((7, number)))
    recipe = recipe.replace(noise=noise, seed=number)
    inner = np.s_[..., margin : clean.shape[0] - margin, margin : clean.shape[1] - margin]
    posterior = Posterior(
        run(recipe, nc.Image(noisy)).posterior.draws[inner], lowest=noise.lowest()
    )  # fmt: skip
    estimate = run(recipe.replace(method="denoise"), nc.Image(noisy)).estimate[inner]
    certain = stated(recipe, noisy, inner)
    clean, noisy = clean[inner], noisy[inner]
    inside = {level: held(posterior, clean, level) for level in LEVELS}
    tenths = {"bright": estimate, "(bright)": clean}
    tenths |= {k: gaussian_gradient_magnitude(v, 1.5) for k, v in
               (("texture", estimate), ("(texture)", clean))}  # fmt: skip
    return {
        "pixels": clean.size,
        "draw": np.square(posterior.draws - clean).mean(0).sum(),
        "mean": np.square(posterior.mean - clean).sum(),
        "estimate": np.square(estimate - clean).sum(),
        "variance": np.square(posterior.std.astype(float)).sum(),
        "residual": np.square(noisy - posterior.draws).mean(0).sum(),
        "noise": noise.variance(clean).sum(),
        **{f"{100 * level:.0f}": share.mean() for level, share in inside.items()},
        **{k: inside[0.9][v >= np.quantile(v, 0.9)].mean() for k, v in tenths.items()},
        **dict(zip(FACTORS, factors_held(posterior, clean), strict=True)),
        "stated": certain,
        "4 x 4": blocks_held(posterior.draws, clean, 4),
        "16 x 16": blocks_held(posterior.draws, clean, 16),
    }


def held(posterior: Posterior, truth, level: float):
    """Return where the truth lies in its interval."""
    lower, upper = posterior.interval(level)
    return (truth >= lower) & (truth <= upper)


def factors_held(posterior: Posterior, truth):
    """Return the share of pixels in their 90 % interval, for each factor on it."""
    lower, upper = (bound.astype(float) for bound in posterior.interval(0.9))
    mean = posterior.mean.astype(float)
    tiny = 1e-12
    needed = np.maximum(
        (truth - mean) / np.maximum(upper - mean, tiny),
        (mean - truth) / np.maximum(mean - lower, tiny),
    )
    return [(needed <= factor).mean() for factor in FACTORS]


def stated(recipe: Recipe, noisy, inner) -> float:
    """Return the sum of the posterior variance that D states, by probes; Gaussian noise only."""
    if not isinstance(recipe.noise, nc.Gaussian):
        return np.nan
    sigma = recipe.noise.sigma
    denoiser, _ = prepare(recipe.noise, noisy[None]).fit(nc.load_denoiser(recipe.denoiser))
    y = torch.from_numpy((noisy / sigma).astype(np.float32))[None, None]
    rng = torch.Generator().manual_seed(0)
    found = []
    for _ in range(PROBES):
        z = torch.randn(y.shape, generator=rng)
        found.append(float((z * with_slope(denoiser, y, 1.0, z)[1])[inner].sum()))
    return sigma**2 * float(np.mean(found))


def blocks_held(draws, clean, size: int) -> float:
    """Return the share of block means in their 90 % interval."""
    rows, columns = (n // size for n in clean.shape)

    def means(image):
        cut = image[..., : rows * size, : columns * size]
        return cut.reshape(*image.shape[:-2], rows, size, columns, size).mean((-3, -1))

    return float(held(Posterior(means(draws)), means(clean), 0.9).mean())


def edges(clean_squares, noise, recipe: Recipe) -> None:
    """Print coverage and spread by the distance to the edge of the squares, margin included."""
    found = []
    for number, clean in enumerate(clean_squares):
        noisy = noise.draw(clean, np.random.default_rng((7, number)))
        posterior = run(recipe.replace(noise=noise, seed=number), nc.Image(noisy)).posterior
        rows, columns = np.indices(clean.shape)
        away = np.minimum(
            np.minimum(rows, clean.shape[0] - 1 - rows),
            np.minimum(columns, clean.shape[1] - 1 - columns),
        )
        variance = np.square(posterior.std.astype(float)) * (1 + 1 / posterior.n_draws)
        error = np.square(posterior.mean - clean)
        kinds = np.digitize(away, DISTANCES)
        found.append([
            [v[kinds == k].mean() for v in (held(posterior, clean, 0.9), variance, error)]
            for k in range(1, len(DISTANCES) + 1)
        ])  # fmt: skip
    print(f"{'from the edge':>14}{'90 %':>8}{'spread':>8}")
    for start, (inside, variance, error) in zip(DISTANCES, np.mean(found, 0), strict=True):
        print(f"{f'{start} pixels on':>14}{100 * inside:8.1f}{np.sqrt(variance / error):8.2f}")


def each(sums: list[dict[str, float]]) -> None:
    """Print coverage at 90 %, rms std and rms error of each square, in 1/255."""
    for number, one in enumerate(sums):
        std, error = (255 * np.sqrt(one[k] / one["pixels"]) for k in ("variance", "mean"))
        print(f"  square {number}: {100 * one['90']:5.1f} % std {std:5.2f} error {error:5.2f}")


def row(sums: list[dict[str, float]], draws: int) -> dict[str, float]:
    """Return the figures of a folder."""
    total = {key: np.array([s[key] for s in sums]) for key in sums[0]}
    error = {k: total[k].sum() / total["pixels"].sum() for k in ("draw", "mean", "estimate")}
    variance = total["variance"].sum() / total["pixels"].sum()
    many = error["mean"] - variance * (1 / draws - 1 / COUNTED)
    shares = {k: 100 * total[k].mean() for k in HEAD if k in total and k not in error}
    by_factor = np.array([100 * total[factor].mean() for factor in FACTORS])
    return {
        **shares,
        "by factor": by_factor.tolist(),
        "factor": float(np.interp(90, by_factor, FACTORS)),
        "widened": np.nan,
        "stated": float(np.sqrt(total["stated"].sum() / total["estimate"].sum())),
        "draw": 10 * np.log10(error["draw"] / many),
        "mean": 10 * np.log10(error["estimate"] / many),
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
    parser.add_argument("--folders", nargs="+", default=["BSD68"], help="names, or paths in DATA")
    parser.add_argument("--noises", nargs="+", default=USUAL, choices=NOISES)
    parser.add_argument("--denoisers", nargs="+", default=["unet"])
    parser.add_argument("--samplers", nargs="+", default=["corrected"])
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--side", type=int, default=80)
    parser.add_argument("--margin", type=int, default=16, help="pixels that are not judged")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--calibrated", type=Path, help="rows of a run on other images")
    parser.add_argument("--each", action="store_true", help="a line for each square, too")
    parser.add_argument("--edges", action="store_true", help="by distance to the edge, no rows")
    parser.add_argument("--json", type=Path, help="rows are added to those of this file")
    asked = parser.parse_args()
    print(f"{asked.draws} draws of {asked.images} squares, {asked.side} pixels a side\n")
    first = f"| {'denoiser':9} | {'sampler':9} | {'folder':10} | {'noise':7} |"
    print(first + "".join(f" {name:>8} |" for name in HEAD))
    print(f"|{'---|' * (4 + len(HEAD))}")
    rows = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else []
    known = json.loads(asked.calibrated.read_text()) if asked.calibrated else []
    every = itertools.product(asked.denoisers, asked.folders, asked.noises, asked.samplers)
    for denoiser, folder, noise, sampler in every:
        recipe = Recipe.of(method="sample", denoiser=denoiser, sampler=sampler, n_draws=asked.draws)
        cut = list(squares(asked.data / FOLDERS.get(folder, folder), asked.side, asked.images))
        if asked.edges:
            edges(cut, NOISES[noise](None), recipe)
            continue
        sums = [measured(c, NOISES[noise](c), recipe, k, asked.margin) for k, c in enumerate(cut)]
        if asked.each:
            each(sums)
        found = row(sums, asked.draws)
        same = [k["factor"] for k in known if (k["denoiser"], k["noise"]) == (denoiser, noise)]
        if same:
            found["widened"] = float(np.interp(same[0], FACTORS, found["by factor"]))
        names = f"| {denoiser:9} | {sampler:9} | {folder:10} | {noise:7} |"
        print(names + "".join(f" {found[name]:8.2f} |" for name in HEAD), flush=True)
        rows.append({
            "denoiser": denoiser, "sampler": sampler, "folder": folder, "noise": noise,
            "evaluations": sampler_of(sampler).evaluations, "draws": asked.draws,
            "images": len(sums), "side": asked.side, "margin": asked.margin, **found,
        })  # fmt: skip
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
