"""Scores of draws against a truth: ranks, and the continuous ranked probability score."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.pooling import MANY_IMAGES, block_means, mean_and_error

Floats = NDArray[np.floating[Any]]

_BINS = 10


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where the truth lies among the draws: evenly everywhere, if both have the same law.

    Attributes
    ----------
    shares : ndarray, shape (10,)
        Of pixels whose rank, as a share of the draws, lies in each tenth; 0.1 each is right.
    errors : ndarray, shape (10,)
        Their standard errors.
    p : float
        Probability of shares this uneven or more, if the draws are right.
    """

    shares: Floats
    errors: Floats
    p: float


def pit(draws: Floats, truth: Floats, rng: np.random.Generator) -> Floats:
    """Return the rank of the truth among n draws as a number that is uniform on [0, 1].

    Ties, as in the dark pixels of photon counts, are broken at random.

    Parameters
    ----------
    draws : ndarray, shape (n, ...)
        From the posterior.
    truth : ndarray, shape (...)
        What was to be found.
    rng : numpy Generator
        Of the ties, and of the place within a rank.
    """
    below = (draws < truth).sum(0)
    ties = (draws == truth).sum(0)
    rank = below + rng.integers(0, ties + 1)
    uniform = (rank + rng.random(rank.shape)) / (len(draws) + 1)
    return np.where(np.isfinite(truth) & np.isfinite(draws[0]), uniform, np.nan)


def ranks(uniforms: Iterable[Floats]) -> Ranks:
    """Return the histogram of :func:`pit`, with a test that knows that neighbours err together.

    The chi-square statistic is held to the variance of shares between blocks, instead of that of
    independent pixels [1]_.

    Parameters
    ----------
    uniforms : iterable of ndarray (..., Y, X)
        One for each image.

    References
    ----------
    .. [1] J. N. K. Rao, A. J. Scott, "On chi-squared tests for multiway contingency tables with
       cell proportions estimated from survey data", Annals of Statistics 12 (1984) 46-60.
    """
    uniforms = list(uniforms)
    tenths = [np.where(np.isfinite(u), np.floor(u * _BINS), np.nan) for u in uniforms]
    per_bin = [
        [block_means(np.where(np.isnan(t), np.nan, t == k)) for t in tenths] for k in range(_BINS)
    ]
    many = len(uniforms) >= MANY_IMAGES
    found = [mean_and_error(bin_, many) for bin_ in per_bin]
    shares, errors = np.array(found).T
    if many:
        units = np.array([[np.average(b[0], weights=b[1]) for b in bin_] for bin_ in per_bin])
        weights = np.array([b[1].sum() for b in per_bin[0]])
    else:
        units = np.concatenate(
            [np.stack([b[0] for b in each]) for each in zip(*per_bin, strict=True)], 1
        )
        weights = np.concatenate([b[1] for b in per_bin[0]])
    return Ranks(shares, errors, _p_value(shares, units, weights / weights.sum()))


def _p_value(shares: Floats, units: Floats, weights: Floats) -> float:
    """Return the probability of shares this uneven; ``units`` are those of blocks (bins, blocks).

    The sum of squares has a law like chi-square's, of the mean and variance that the covariance
    of the shares between blocks gives it.
    """
    from scipy.stats import f

    count = units.shape[1]
    off = (units - shares[:, None]) * weights
    covariance = off @ off.T * count / (count - 1)
    total = float(np.trace(covariance))
    # Few blocks make a covariance look as if it had few directions.
    squares = max(float(np.square(covariance).sum()) - total**2 / count, total**2 / (_BINS - 1))
    freedom = total**2 / squares if squares > 0 else _BINS - 1
    statistic = float(np.square(shares - 1 / _BINS).sum()) / total
    return float(f.sf(statistic, freedom, freedom * (count - 1)))


def crps(draws: Floats, truth: Floats) -> Floats:
    r"""Return the continuous ranked probability score of each pixel; less is better.

    .. math:: \frac1n \sum_i |x_i - t| - \frac{1}{2 n (n-1)} \sum_{ij} |x_i - x_j|

    is its fair form: in the mean over many draws that of the law itself, for any n [1]_.

    Parameters
    ----------
    draws : ndarray, shape (n, ...), n at least 2
        From the posterior.
    truth : ndarray, shape (...)
        What was to be found.

    References
    ----------
    .. [1] C. A. T. Ferro, "Fair scores for ensemble forecasts", Quarterly Journal of the Royal
       Meteorological Society 140 (2014) 1917-1923.
    """
    n = len(draws)
    if n < 2:
        raise ValueError(f"{n} draw has no spread; give at least two along the first axis")
    ordered = np.sort(np.asarray(draws, dtype=np.float64), axis=0)
    # In sum_ij |x_i - x_j| / 2 the k-th smallest is added k - 1 times and taken off n - k times.
    weight = (2 * np.arange(n) - n + 1).reshape(-1, *(1,) * (ordered.ndim - 1))
    within = (weight * ordered).sum(0) / (n * (n - 1))
    return np.asarray(np.abs(ordered - truth).mean(0) - within)


def crps_normal(mean: Floats, std: Floats, truth: Floats) -> Floats:
    """Return the score of normal posteriors: see :func:`crps`."""
    from scipy.stats import norm

    z = (truth - mean) / std
    score = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi)
    return np.asarray(std * score)
