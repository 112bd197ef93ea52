"""Bounds that hold a further draw with a stated probability, however few draws there are.

The r-th smallest and r-th largest of n draws hold another draw of the same law with probability
(n + 1 - 2 r) / (n + 1), whatever the law. Between whole r the bounds are interpolated, exactly
for exponential tails. Where even the extremes are too narrow, or the draws are too few to have
tails, the extremes are moved away from the mean, or to it, by what makes the probability right
for normal draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
# With so few draws even those next to the extremes lie in the middle.
_FEW = 8
# Simulated samples, and numbers in all of them at most: the probability is good to 0.001.
_SAMPLES, _NUMBERS = 50_000, 4_000_000


def rank(level: float, n_draws: int) -> float:
    """Return r, not always whole, of a level; below 1 where the extremes are too narrow.

    Raises
    ------
    ValueError
        Where the level is no probability between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a probability between 0 and 1, such as 0.9")
    # (1 - 0.9) 20 / 2 is 0.9999999999999998 in floats, and a whole rank must stay whole.
    return round((n_draws + 1) * (1 - level) / 2, 9)


def kept(level: float, n_draws: int) -> int:
    """Return how many of the smallest draws, and of the largest, an interval needs."""
    return min(math.floor(rank(level, n_draws)) + 1, n_draws)


@dataclass(frozen=True, eq=False)
class About:
    """What is known of the draws beside their extremes.

    Attributes
    ----------
    mean, std : ndarray
        Of all draws.
    n_draws : int
        How many they are.
    lowest : float or ndarray
        No value lies below it.
    widen : float
        Factor on both sides of the interval.
    """

    mean: Floats
    std: Floats
    n_draws: int
    lowest: float | Floats = -math.inf
    widen: float = 1.0


def interval(
    smallest: Floats, largest: Floats, about: About, level: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return lower and upper bound of an interval, within what is possible.

    Parameters
    ----------
    smallest, largest : ndarray, shape (k, ...)
        The extreme draws, smallest first and largest first; k from :func:`kept`.
    about : About
        Mean, spread and number of all draws; the least possible value; the calibration factor.
    level : float
        Probability that a further draw lies inside.
    """
    mean = about.mean
    bounds = corrected(smallest, largest, mean, about.std, about.n_draws, level)
    below, above = (
        np.asarray(np.maximum(mean + about.widen * (b - mean), about.lowest), dtype=np.float32)
        for b in bounds
    )
    return below, above


def corrected(
    smallest: Floats, largest: Floats, mean: Floats, std: Floats, n_draws: int, level: float
) -> tuple[Floats, Floats]:
    """Return lower and upper bound of an interval, neither held to what is possible nor widened.

    Parameters
    ----------
    smallest, largest : ndarray, shape (k, ...)
        The extreme draws, smallest first and largest first; k from :func:`kept`.
    mean, std : ndarray, shape (...)
        Of all draws.
    n_draws : int
        Of which these are.
    level : float
        Probability that a further draw lies inside.
    """
    r = rank(level, n_draws)
    if r >= 1 and n_draws > _FEW:
        return _between(smallest, r), _between(largest, r)
    below, above = mean - smallest[0], largest[0] - mean
    spread = np.maximum(below + above, np.finfo(np.float32).tiny)
    factor = _beyond(level, n_draws) * std / spread
    return mean - factor * below, mean + factor * above


def _between(extremes: Floats, r: float) -> Floats:
    """Return the r-th extreme draw, interpolated.

    In an exponential tail the gap between the r-th and the next is 1 / r scales on average, and
    P(beyond) between them is r (r + 1) / (r + 1 - share) / (n + 1).
    """
    first = math.floor(r)
    share = (first + 1) * (r - first) / r
    if first >= len(extremes):
        return np.asarray(extremes[-1])
    return np.asarray(extremes[first - 1] * (1 - share) + extremes[first] * share)


@lru_cache(maxsize=64)
def _beyond(level: float, n_draws: int) -> float:
    """Return the width, in std of the draws, of an interval that reaches beyond the extremes.

    It is divided between both sides as the extremes divide theirs, which are themselves a chance;
    so Student's width would hold too little. The probability is averaged over simulated normal
    samples, exactly for each.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    rng = np.random.default_rng(0)
    samples = rng.standard_normal((min(_SAMPLES, _NUMBERS // n_draws), n_draws))
    mean, std = samples.mean(1), samples.std(1, ddof=1)
    below, above = mean - samples.min(1), samples.max(1) - mean
    scale = std / (below + above)

    def short(width: float) -> float:
        upper, lower = mean + width * scale * above, mean - width * scale * below
        return float((ndtr(upper) - ndtr(lower)).mean()) - level

    return float(brentq(short, 0.01, 1e4))


def quantile_error(q: float, n_draws: int) -> float:
    """Return the standard error of a sample quantile of normal draws, in their std."""
    from scipy.stats import norm

    # Beyond the outermost draw the extreme's own error is what there is.
    p = min(max(q, 1 / (n_draws + 1)), n_draws / (n_draws + 1))
    return math.sqrt(p * (1 - p) / n_draws) / float(norm.pdf(norm.ppf(p)))


def share_error(share: Floats, n_draws: int) -> NDArray[np.float32]:
    """Return the standard error of a share of draws, also where it is 0 or 1.

    That of the posterior of a probability under Jeffreys' prior.
    """
    a = share * n_draws + 0.5
    b = (1 - share) * n_draws + 0.5
    return np.asarray(np.sqrt(a * b / (a + b + 1)) / (a + b), dtype=np.float32)
