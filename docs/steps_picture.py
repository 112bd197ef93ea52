"""Make the picture and the table of docs/explanation/steps-and-spread.md.

python docs/steps_picture.py
"""

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from napari_credible.denoise.oracles import MixturePrior
from napari_credible.samplers import (
    Ancestral,
    Corrected,
    Covariance,
    Langevin,
    Multistep,
    Sampler,
    on_gaussian_priors,
    walk,
)

# Standard deviations of the Gaussian priors, in units of the noise.
WIDTHS = np.geomspace(0.2, 20, 41)
# Two peaks at -1 and 1, looked at where the noise hides most which of them it is, and beside.
PEAKS, NOISES, PLACES = MixturePrior(), (0.5, 1.0, 2.0), torch.linspace(-2, 2, 17)
# Simulated numbers: the standard error of a pooled spread is 0.1 to 0.3 %.
NUMBERS = 3_000_000
SAMPLERS = {
    "ancestral": [Ancestral(n) for n in (8, 16, 32, 64, 128, 256)],
    "multistep": [Multistep(n) for n in (8, 12, 16, 24, 32, 64, 128)],
    "covariance": [Covariance(n) for n in (3, 5, 8, 16, 32)],
    "corrected": [Corrected()],
    "langevin": [Langevin(ladder=n) for n in (4, 10, 20, 50, 164)],
}
MARKS = {"corrected": "*", "langevin": "s"}


def on_peaks(sampler: Sampler) -> tuple[float, float]:
    """Return the errors of the pooled spread and of the mean (in posterior stds), the largest."""
    found = [at_noise(sampler, sigma) for sigma in NOISES]
    return max(spread for spread, _ in found), max(mean for _, mean in found)


def at_noise(sampler: Sampler, sigma: float) -> tuple[float, float]:
    """Return them for one noise level, pooled over the places."""
    y = PLACES.view(1, 1, 1, -1)
    count = max(2000, min(40_000, NUMBERS // (sampler.evaluations * len(PLACES))))
    rng = torch.Generator().manual_seed(0)
    shape = (count, 1, 1, len(PLACES))
    *_, last = walk(
        sampler, PEAKS, y, sigma, lambda: torch.randn(shape, generator=rng), count
    )  # fmt: skip
    truth = PEAKS.posterior_variance(y, sigma).mean()
    spread = math.sqrt(float(last.clean.var(0).mean() / truth)) - 1
    off = (last.clean.mean(0) - PEAKS(y, sigma)[0]).square().mean()
    # What chance adds to the square of the mean's error is taken off.
    mean = max(float(off / truth) - 1 / count, 0)
    return abs(spread), math.sqrt(mean)


def figures(sampler: Sampler) -> tuple[float, float, float, float]:
    """Return all in per cent: spread and slope on Gaussian priors, spread and mean on peaks."""
    exact = on_gaussian_priors(sampler, WIDTHS.tolist())
    worst = [float((v - 1).abs().max()) for v in exact]
    return tuple(100 * v for v in (*worst, *on_peaks(sampler)))


def main() -> None:
    """Print the table and draw the picture."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 3)
    titles = ("spread, Gaussian priors", "spread, two peaks", "mean, Gaussian priors")
    print("| sampler | evaluations | spread | mean | spread, peaks | mean, peaks |")
    print("|---|---|---|---|---|---|")
    for name, several in SAMPLERS.items():
        rows = []
        for sampler in several:
            row = figures(sampler)
            rows.append((sampler.evaluations, *row))
            print(f"| {name} | {sampler.evaluations} |{'|'.join(f' {v:.1f} %' for v in row)} |")
        columns = np.maximum(np.array(rows).T, 0.1)
        for axis, column in zip(axes, (1, 3, 2), strict=True):
            axis.loglog(columns[0], columns[column], MARKS.get(name, "o") + "-", label=name)
    for axis, title in zip(axes, titles, strict=True):
        axis.axhline(2, color="grey", linewidth=0.8, linestyle="--")
        axis.set(title=title, xlabel="evaluations of D", ylim=(0.08, 100))
    axes[0].set_ylabel("largest error, %")
    axes[0].legend(fontsize=8)
    figure.savefig(Path(__file__).parent / "images" / "steps-and-spread.png", dpi=110)


if __name__ == "__main__":
    main()
