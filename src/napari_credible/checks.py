r"""What must hold for draws of a right posterior, with no truth at hand.

If the noise model, the denoiser and the sampler are right, then (a draw, the data) have the same
joint law as (the truth, the data). So the data less a draw are noise: of mean 0, of the modelled
variance, and independent between pixels. And data whose noise was split into two independent
halves are predicted by the draws made from one half.

References
----------
.. [1] A. Leiner, B. Duan, L. Wasserman, A. Ramdas, "Data fission: splitting a single data point",
   Journal of the American Statistical Association 120 (2025) 135-146.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.pooling import block_means, mean_and_error

Model = Gaussian | PoissonGaussian
Floats = NDArray[np.floating[Any]]

# Standard errors beyond which chance is no explanation, for a handful of checks at once.
STANDARD_ERRORS = 3.5
# And what does not change how a map is read: of the mean and of correlations, in noise levels;
# of the variance; of coverage.
_MEAN, _VARIANCE, _CORRELATION, COVERAGE = 0.03, 0.07, 0.04, 0.03
# Of the fourth moment in squared variances, 3 for normal noise.
_TAILS = 0.5
# Pixels, below which nothing is said.
_ENOUGH = 100
# Draws of which residuals are averaged: more of them know hardly more.
_RESIDUALS = 8
_LAGS = (1, 2, 3)
# Photoelectrons below which counts are hardly noise around a mean, and pixels around which light
# is averaged to tell.
_FAINT, _AROUND = 2.0, 3.0
_LEAST = 0.25
# Counts are whole where this near to integers, in photoelectrons.
_WHOLE = 1e-3


@dataclass(frozen=True)
class Check:
    """One thing that is known of a right posterior, and what was found.

    Attributes
    ----------
    name : str
        In a few words.
    value, expected, error : float
        What was found, what is right, and the standard error of the difference.
    passed : bool
        Whether the two agree.
    words : str
        What is checked and what was found, in one sentence.
    """

    name: str
    value: float
    expected: float
    error: float
    passed: bool
    words: str


def agrees(value: float, expected: float, error: float, slack: float) -> bool:
    """Return whether chance, or a difference too small to matter, explains the difference."""
    return bool(abs(value - expected) <= STANDARD_ERRORS * error + slack)


def whitened(model: Model, counts: Floats, light: Floats) -> Floats:
    """Return the noise in ``counts`` if ``light`` was the truth, in its standard deviations."""
    variance = model.variance(np.maximum(light, model.least(_LEAST)))
    return np.asarray((counts - light) / np.sqrt(variance))


def bright_enough(model: Model, counts: Floats) -> NDArray[np.bool_]:
    """Return where counts around a pixel are many enough to be checked for their variance."""
    return np.asarray((smoothed(counts) >= model.least(_FAINT)) & np.isfinite(counts))


def smoothed(counts: Floats) -> Floats:
    """Return the counts averaged around each pixel, over those that are finite."""
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(counts)
    share = gaussian_filter(known.astype(np.float64), _AROUND)
    total = gaussian_filter(np.where(known, counts, 0.0), _AROUND)
    return np.asarray(total / np.maximum(share, 1e-9))


def residual_checks(
    model: Model, counts: Floats, draws: Floats, rng: np.random.Generator
) -> tuple[Check, ...]:
    """Return the checks of data less draws.

    Mean, variance, tails, variance where it is bright and dark, correlation along columns, rows.

    What is expected is measured on noise that is drawn around the draws, so that it is right
    also where few photons make the noise skew.

    Parameters
    ----------
    model : Gaussian or PoissonGaussian
        Of the counts.
    counts : ndarray, shape (Y, X), image units
        The data.
    draws : ndarray, shape (n, Y, X), image units
        From their posterior; NaN where nothing was drawn.
    rng : numpy Generator
        Of the noise.
    """
    chosen = draws[:_RESIDUALS]
    known = np.asarray(np.isfinite(chosen).all(0))
    light = np.where(known, chosen, np.nanmean(chosen))
    counts = np.where(known, counts, np.nan)
    found, ideal = [], []
    for each in light:
        noisy = np.where(known, model.draw(each, rng), np.nan)
        found.append(_statistics(model, counts, each, known))
        ideal.append(_statistics(model, noisy, each, known))
    pixels = int((known & bright_enough(model, counts)).sum())
    if pixels < _ENOUGH:
        return ()
    value, expected = np.mean(found, 0), np.mean(ideal, 0)
    errors = _errors(expected[2], pixels) * math.sqrt(1 + 1 / len(light))
    about = [
        (0, "mean of the residual", _MEAN, _IN_MEAN),
        (1, "variance of the residual", _VARIANCE, _IN_VARIANCE),
        (2, "tails of the residual", _TAILS, _IN_TAILS),
        (3, "variance in bright against dark parts", 2 * _VARIANCE, _IN_PARTS),
    ]
    for axis, first in (("columns", 4), ("rows", 4 + len(_LAGS))):
        worst = int(np.abs(value - expected)[first : first + len(_LAGS)].argmax())
        name = f"correlation of the residual along {axis}, {worst + 1} px"
        about.append((first + worst, name, _CORRELATION, _IN_LAG))
    return tuple(
        _checked(name, float(value[k]), float(expected[k]), float(errors[k]), slack, words)
        for k, name, slack, words in about
    )


def _errors(kurtosis: float, pixels: int) -> Floats:
    """Return the standard errors of the statistics of one noise field."""
    variance = (kurtosis - 1) / pixels
    tails = 24 * (kurtosis / 3) ** 4 / pixels  # 24 / N for normal noise
    return np.sqrt([1 / pixels, variance, tails, 4 * variance, *[1 / pixels] * 2 * len(_LAGS)])


_IN_MEAN = "data less draws have mean {value:.3f} noise levels ({expected:.3f} is right)"
_IN_VARIANCE = (
    "data less draws have {value:.2f} times the variance of the stated noise "
    "({expected:.2f} is right)"
)
_IN_TAILS = (
    "data less draws lie far out too often or too rarely: their fourth moment is {value:.2f} "
    "squared variances ({expected:.2f} is right)"
)
_IN_PARTS = (
    "data less draws vary {value:.2f} times as much in the brighter half as in the darker "
    "({expected:.2f} is right)"
)
_IN_LAG = "neighbours in data less draws are correlated by {value:.3f} ({expected:.3f} is right)"


def _checked(
    name: str, value: float, expected: float, error: float, slack: float, words: str
) -> Check:
    passed = agrees(value, expected, error, slack)
    said = words.format(value=value, expected=expected)
    return Check(name, float(value), float(expected), float(error), passed, said)


def _statistics(model: Model, counts: Floats, light: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return mean, variance, kurtosis, bright over dark variance, and correlations.

    The last along columns, then along rows. Which pixels are taken, and which are bright,
    depends on the counts alone.
    """
    residual = whitened(model, counts, light)
    known = known & bright_enough(model, counts)
    values = residual[known]
    if values.size < _ENOUGH:
        return np.full(4 + 2 * len(_LAGS), np.nan)
    mean, variance = values.mean(), values.var()
    off = np.where(known, residual - mean, 0.0)
    kurtosis = np.square(np.square(off[known])).mean() / variance**2
    around = smoothed(counts)
    bright = around > np.median(around[known])
    parts = [np.square(off[known & part]).mean() for part in (bright, ~bright)]
    along = []
    for turned, there in ((off, known), (off.T, known.T)):
        for lag in _LAGS:
            both = there[lag:] & there[:-lag]
            product = (turned[lag:] * turned[:-lag])[both]
            along.append(product.mean() / variance if product.size else np.nan)
    return np.array([mean, variance, kurtosis, parts[0] / parts[1], *along])


@dataclass(frozen=True, eq=False)
class Halves:
    """Data whose noise was split into two independent parts.

    Attributes
    ----------
    first : ndarray, shape (Y, X)
        An image to draw from.
    model : Gaussian or PoissonGaussian
        Of its noise.
    uniform : callable
        Takes draws (n, Y, X) made from the first half, and returns the second half as the
        probability (Y, X) with which the draws predict less: uniform on [0, 1] if right.
    words : str
        How it was split.
    """

    first: Floats
    model: Model
    uniform: Callable[[Floats], Floats]
    words: str


def halved(model: Model, counts: Floats, rng: np.random.Generator) -> Halves:
    """Split the noise of an image into two halves that are independent if the model is right.

    Photon counts are dealt out by a coin; other noise is split by adding noise of its own size to
    one half and taking it off the other, after stabilisation.
    """
    if isinstance(model, PoissonGaussian) and not np.any(model.read_noise):
        photons = model.photoelectrons(counts)
        if np.abs(photons - np.round(photons)).max() < _WHOLE and photons.min() > -_WHOLE:
            return _dealt(model, np.round(photons).astype(np.int64), rng)
    if isinstance(model, Gaussian):
        return _fissioned(counts, model.sigma, rng)
    return _fissioned(model.stabilise(counts), 1.0, rng)


def _dealt(model: PoissonGaussian, photons: NDArray[Any], rng: np.random.Generator) -> Halves:
    from scipy.stats import poisson

    first = rng.binomial(photons, 0.5)
    second = photons - first
    shares = rng.random(photons.shape)

    def uniform(draws: Floats) -> Floats:
        below, there = np.zeros(second.shape), np.zeros(second.shape)
        for draw in draws:
            light = np.maximum(model.photoelectrons(draw), 0)
            below += poisson.cdf(second - 1, light)
            there += poisson.pmf(second, light)
        return np.asarray((below + shares * there) / len(draws))

    counts = model.offset + model.gain * first
    return Halves(np.asarray(counts), model, uniform, "photons dealt into two halves by a coin")


def _fissioned(values: Floats, sigma: Any, rng: np.random.Generator) -> Halves:
    from scipy.stats import norm

    own = sigma * rng.standard_normal(values.shape)
    first, second = values + own, values - own
    level = sigma * math.sqrt(2)

    def uniform(draws: Floats) -> Floats:
        return np.asarray(np.mean([norm.cdf((second - draw) / level) for draw in draws], 0))

    return Halves(first, Gaussian(level), uniform, "noise split into two halves")


def prediction_check(uniforms: list[Floats], how: str, level: float = 0.9) -> Check:
    """Return the check that the second half lies in the central interval of its prediction."""
    outside = (1 - level) / 2
    hits = [np.where(np.isfinite(u), (u > outside) & (u < 1 - outside), np.nan) for u in uniforms]
    value, error = mean_and_error([block_means(h) for h in hits], False)
    words = (
        f"{how}: draws from one half predict the other's {100 * level:g} % range, which holds "
        f"{100 * value:.1f} %"
    )
    passed = agrees(value, level, error, COVERAGE)
    return Check("prediction of held-out noise", value, level, error, passed, words)
