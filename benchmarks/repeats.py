"""Whether what draws say of one real exposure is confirmed by the others.

One exposure of each field is sampled; the mean of all others, which the sampler never sees, is
the judge. It has noise of its own, so a draw predicts it as the draw's light and the noise that
the model states for that many exposures. Light may fade and sky may change in between: the
held-out mean is brought to the level of the one (scaled for fluorescence, shifted for stars).
For each data set:

    50 80 90 95 %   share of held-out means in their central predictive interval: pixels, and
                    means of 4 x 4 and 16 x 16 blocks

and, for events "the held-out mean is above a threshold" (pixels and blocks, at the 50, 75, 90 and
97 % quantiles of the denoised exposure) and "this spot is real" (see ``spots``), which share was
confirmed of those given a probability p. Standard errors are those of blocks of pixels; of spots,
binomial. ``--figure`` draws the reliability diagrams.
"""

import argparse
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.ndimage import convolve, gaussian_filter, maximum_filter
from scipy.stats import beta, norm, poisson

import napari_credible as nc
from napari_credible.pooling import block_means, blocked, mean_and_error
from napari_credible.recipe import Recipe
from napari_credible.run import run

LEVELS = (0.5, 0.8, 0.9, 0.95)
BINS = np.linspace(0, 1, 11)
QUANTILES = (0.5, 0.75, 0.9, 0.97)
# A spot: the mean over a disc of radius 2 against a ring of radii 4 to 6, pixels; real if the
# disc is a quarter brighter than the ring; where no light has no known value (Gaussian noise),
# if it is brighter by half a noise level.
DISC, RING, BRIGHTER, ABOVE = 2.0, (4.0, 6.0), 1.25, 0.5


@dataclass
class Field:
    """One exposure, the mean of ``rest`` others, and the noise of a single one."""

    one: np.ndarray
    held_out: np.ndarray
    rest: int
    model: object


def photons(data: Path, name: str, side: int):
    """Photon counts, pure Poisson: nothing is estimated."""
    stack = nc.read(data / "test/pairs/photon_counts" / f"{name}.ome.tif").array.astype(np.float64)
    rows, columns = middle(stack.shape[-2:], side)
    stack = stack[:, rows, columns]
    yield Field(stack[0], stack[1:].mean(0), len(stack) - 1, nc.PoissonGaussian(1.0))


def fmd(data: Path, side: int, names):
    """Raw frames; the judge is the mean of 50 less the frame itself; noise from the one frame."""
    for name in names:
        one = nc.read(data / f"test/pairs/fmd/raw/{name}_1.png").array.astype(np.float64)
        mean = nc.read(data / f"test/pairs/fmd/gt/{name}.png").array.astype(np.float64)
        model = nc.estimate_noise(one)
        rows, columns = middle(one.shape, side)
        held_out = (50 * mean - one) / 49
        floor = np.max(model.lowest()) if np.isfinite(np.max(model.lowest())) else 0.0
        held_out = floor + (held_out - floor) * (one - floor).mean() / (held_out - floor).mean()
        yield Field(one[rows, columns], held_out[rows, columns], 49, model)


def m13(data: Path, side: int, repeats: bool):
    """Raw CCD exposures of a star cluster; noise from the one, or from the differences of all.

    One raw exposure cannot tell noise from the pattern of its detector, which repeats.
    """
    paths = sorted((data / "test/astronomy/m13_exposures").glob("*.fits"))
    stack = np.stack([nc.read(p).array.astype(np.float64) for p in paths])
    model = nc.estimate_noise(stack if repeats else stack[0], repeats=repeats)
    rows, columns = middle(stack.shape[-2:], side)
    stack = stack[:, rows, columns]
    held_out = stack[1:].mean(0)
    held_out += np.median(stack[0]) - np.median(held_out)
    yield Field(stack[0], held_out, len(stack) - 1, model)


def middle(shape, side: int):
    """Return the slices of a square in the middle."""
    return tuple(slice(max((n - side) // 2, 0), max((n - side) // 2, 0) + side) for n in shape)


def predicted(field: Field, draws, value, size: int):
    """Return the probability that the held-out mean (of blocks) lies below ``value``.

    Of pixels of pure photon counts the law is Poisson's; else normal with the model's variance.
    """
    model, rest = field.model, field.rest
    counted = size == 1 and isinstance(model, nc.PoissonGaussian) and model.read_noise == 0
    below = 0.0
    for draw in draws:
        if counted:
            light = rest * np.maximum(model.photoelectrons(draw), 0)
            number = rest * model.photoelectrons(value)
            below = below + poisson.cdf(number - 1e-6, light)
        else:
            variance = blocked(model.variance(draw), size) / size**2 / rest
            below = below + norm.cdf((value - blocked(draw, size)) / np.sqrt(variance + 1e-12))
    return below / len(draws)


def covered(field: Field, draws, size: int, rng):
    """Return for each level where the held-out mean lies in its predictive interval."""
    held_out = blocked(field.held_out, size)
    below = predicted(field, draws, held_out, size)
    if size == 1 and isinstance(field.model, nc.PoissonGaussian) and field.model.read_noise == 0:
        # Counts are whole: the place within a step is random.
        upto = predicted(field, draws, held_out + 1.0 / field.rest, size)
        below = below + rng.random(below.shape) * (upto - below)
    return [(below > (1 - x) / 2) & (below < (1 + x) / 2) for x in LEVELS]


def exceeded(field: Field, draws, size: int):
    """Return probabilities and outcomes of "the held-out mean is above a threshold"."""
    pairs = []
    for quantile in QUANTILES:
        threshold = float(np.quantile(draws.mean(0), quantile))
        p = 1 - predicted(field, draws, np.full_like(field.one, threshold)[::size, ::size], size)
        pairs.append((p, blocked(field.held_out, size) > threshold))
    return pairs


def spots(field: Field, draws):
    """Return probabilities and outcomes of "this spot is real".

    Candidates are the local maxima of the one exposure, smoothed by a pixel: what an eye takes
    for a spot. Which of them are looked at depends on the exposure alone.
    """
    radius = np.hypot(*np.mgrid[-7:8, -7:8])
    disc, ring = radius <= DISC, (radius >= RING[0]) & (radius <= RING[1])
    counted = isinstance(field.model, nc.PoissonGaussian)
    floor = np.max(field.model.lowest()) if counted else 0.0
    margin = 0.0 if counted else ABOVE * np.mean(field.model.sigma)
    weight = disc / disc.sum() - (BRIGHTER if counted else 1.0) * ring / ring.sum()
    smooth = gaussian_filter(field.one, 1.0)
    peaks = (smooth == maximum_filter(smooth, 7)) & (smooth > np.quantile(smooth, 0.5))
    peaks[:8] = peaks[-8:] = peaks[:, :8] = peaks[:, -8:] = False

    def contrast(image):
        return convolve(image - floor, weight)[peaks] - margin

    p = 0.0
    for draw in draws:
        noise = convolve(field.model.variance(draw) / field.rest, weight**2)[peaks]
        p = p + norm.cdf(contrast(draw) / np.sqrt(noise + 1e-12))
    return p / len(draws), contrast(field.held_out) > 0


def reliability(pairs):
    """Return for each bin: mean probability, share confirmed, its error, number."""
    rows, flat = [], pairs[0][0].ndim == 1
    for low, high in pairwise(BINS[::2] if flat else BINS):
        inside = [(p >= low) & ((p < high) | (high == 1)) for p, _ in pairs]
        number = sum(int(i.sum()) for i in inside)
        if number < 10:
            continue
        p = sum(float(q[i].sum()) for (q, _), i in zip(pairs, inside, strict=True)) / number
        hits = [np.where(i, o, np.nan) for (_, o), i in zip(pairs, inside, strict=True)]
        if flat:
            share = sum(float(np.nansum(h)) for h in hits) / number
            # Of the posterior of a share under Jeffreys' prior: above 0 also where all agree.
            error = np.sqrt(beta(number * share + 0.5, number * (1 - share) + 0.5).var())
        else:
            share, error = mean_and_error([block_means(h) for h in hits], False)
        rows.append((p, share, error, number))
    return np.array(rows).reshape(-1, 4)


def main() -> None:
    """Print the tables; draw the figure if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--denoiser", default="unet")
    parser.add_argument("--sampler", default="corrected")
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--fields", nargs="+", default=FMD)
    parser.add_argument("--sets", nargs="+", type=int, default=range(5), help="0 to 4")
    parser.add_argument("--rows", type=Path, help="JSON file that gathers the diagrams of runs")
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    sets = {
        "photons, 4.6 a pixel": lambda: photons(asked.data, "hazelnut_20subexposures", asked.side),
        "photons, 18.5 a pixel": lambda: photons(asked.data, "hazelnut_5frames", asked.side),
        "fluorescence (FMD)": lambda: fmd(asked.data, asked.side, asked.fields),
        "stars (M13)": lambda: m13(asked.data, asked.side, True),
        "stars, noise from one": lambda: m13(asked.data, asked.side, False),
    }
    print(f"{asked.denoiser}, {asked.sampler}, {asked.draws} draws of one exposure\n")
    kept = asked.rows.exists() if asked.rows else False
    diagrams = json.loads(asked.rows.read_text()) if kept else {}
    for number in asked.sets:
        name = list(sets)[number]
        diagrams[name] = judged(name, list(sets[name]()), asked)
        if asked.rows:
            asked.rows.write_text(json.dumps(diagrams, indent=1) + "\n")
    if asked.figure:
        # The last differs from the one before by its noise model alone.
        shown = [name for name in list(sets)[:-1] if name in diagrams]
        drawn({name: diagrams[name] for name in shown}, asked.figure)


FMD = ["Confocal_BPAE_G", "Confocal_MICE", "TwoPhoton_BPAE_G", "WideField_BPAE_R"]


def judged(name: str, fields, asked):
    """Print coverage and confirmed shares of one data set; return the latter."""
    rng = np.random.default_rng(0)
    held, events = {1: [], 4: [], 16: []}, {"pixels": [], "4 x 4 blocks": [], "spots": []}
    for field in fields:
        recipe = Recipe.of(
            method="sample", noise=field.model, denoiser=asked.denoiser, sampler=asked.sampler,
            n_draws=asked.draws,
        )  # fmt: skip
        draws = run(recipe, nc.Image(field.one)).posterior.draws.astype(np.float64)
        draws = np.where(np.isnan(draws), field.one, draws)
        for size in held:
            held[size].append(covered(field, draws, size, rng))
        events["pixels"] += exceeded(field, draws, 1)
        events["4 x 4 blocks"] += exceeded(field, draws, 4)
        events["spots"].append(spots(field, draws))
    print(f"{name}: {fields[0].model.in_words()}")
    for size, found in held.items():
        shares = [
            mean_and_error([block_means(f[k].astype(float)) for f in found], False)
            for k in range(len(LEVELS))
        ]
        words = "  ".join(f"{100 * s:5.1f} ± {100 * e:3.1f}" for s, e in shares)
        print(f"  {size:2} x {size:<2} holds {words}")
    diagrams = {kind: reliability(pairs) for kind, pairs in events.items()}
    for kind, rows in diagrams.items():
        words = "  ".join(f"{p:.2f}: {s:.2f} ± {e:.2f} ({n:.0f})" for p, s, e, n in rows)
        print(f"  {kind}, p: confirmed  {words}")
    print(flush=True)
    return {kind: rows.tolist() for kind, rows in diagrams.items()}


def drawn(diagrams, path: Path) -> None:
    """Draw the reliability diagrams, a panel for each data set."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * len(diagrams), 3.4), layout="constrained")
    panels = figure.subplots(1, len(diagrams), sharey=True)
    marks, colours = "os^", ("#0072b2", "#e69f00", "#009e73")
    for panel, (name, kinds) in zip(panels, diagrams.items(), strict=True):
        panel.plot([0, 1], [0, 1], color="0.6", lw=1)
        for (kind, rows), mark, colour in zip(kinds.items(), marks, colours, strict=True):
            rows = np.array(rows)
            if len(rows):
                panel.errorbar(
                    rows[:, 0], rows[:, 1], 2 * rows[:, 2], fmt=mark, color=colour, ms=4, lw=1,
                    label=kind,
                )  # fmt: skip
        panel.set(title=name, xlabel="probability from one exposure", xlim=(0, 1), ylim=(0, 1))
    panels[0].set_ylabel("share confirmed by the others")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
