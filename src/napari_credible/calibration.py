"""Whether intervals are honest: the share of the truth that they hold, and how to mend them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.pooling import MANY_IMAGES, block_means, blocked, mean_and_error

Floats = NDArray[np.floating[Any]]

LEVELS = (0.5, 0.8, 0.9, 0.95)
# What ``Recipe.widen`` takes.
_LEAST_FACTOR, _MOST_FACTOR = 0.1, 10.0


@dataclass(frozen=True, eq=False)
class Reliability:
    """Which share of the truth lay in the intervals, beside the share that should.

    Attributes
    ----------
    levels : ndarray, shape (n_levels,)
        Nominal probabilities of the intervals, rising.
    coverage : ndarray, shape (n_levels,)
        Shares that were measured.
    errors : ndarray, shape (n_levels,)
        Their standard errors.
    n : ndarray, shape (n_levels,)
        Pixels (or regions) that were looked at.
    """

    levels: Floats
    coverage: Floats
    errors: Floats
    n: NDArray[np.integer[Any]]

    def table(self) -> str:
        """Return one line for each level."""
        lines = [f"{'interval':>9}{'holds':>9}{'error':>8}"]
        for level, share, error in zip(self.levels, self.coverage, self.errors, strict=True):
            lines.append(f"{100 * level:8.0f}%{100 * share:8.1f}%{100 * error:7.1f}%")
        return "\n".join(lines)


def reliability(
    pairs: Iterable[tuple[Any, Floats]], levels: Sequence[float] = LEVELS, scale: int = 1
) -> Reliability:
    """Return which share of the truth lies in the intervals of posteriors.

    Parameters
    ----------
    pairs : iterable of (Posterior or Linearised, ndarray (..., Y, X))
        Posteriors, each with its truth. Pixels that are NaN in either are left out.
    levels : sequence of float
        Probabilities of the intervals.
    scale : int, pixels
        Above 1, the means over squares of this side are asked for instead of pixels; needs draws.
    """
    shares: list[list[Floats]] = [[] for _ in levels]
    number = images = 0
    for posterior, truth in pairs:
        seen, wanted = _at_scale(posterior, truth, scale)
        known = np.isfinite(wanted) & np.isfinite(seen.std)
        number, images = number + int(known.sum()), images + 1
        for found, level in zip(shares, levels, strict=True):
            lower, upper = seen.interval(level)
            hit = np.where(known, (wanted >= lower) & (wanted <= upper), np.nan)
            found.append(block_means(hit))
    coverage, errors = zip(*(mean_and_error(s, images >= MANY_IMAGES) for s in shares), strict=True)
    return Reliability(
        np.array(levels), np.array(coverage), np.array(errors), np.full(len(levels), number)
    )


def _at_scale(posterior: Any, truth: Floats, scale: int) -> tuple[Any, Floats]:
    if scale == 1:
        return posterior, np.asarray(truth, dtype=np.float64)
    from napari_credible.posterior import Posterior

    return Posterior(blocked(posterior.draws, scale)), blocked(np.asarray(truth), scale)


@dataclass(frozen=True)
class Widening:
    """A factor on intervals, learned where the truth is known.

    Attributes
    ----------
    factor : float
        On both sides of every interval; below 1 it narrows.
    level : float
        Of the interval.
    n : int
        Images that it was learned on.
    """

    factor: float
    level: float
    n: int

    @property
    def guarantee(self) -> str:
        """What holds, and on what condition."""
        return (
            f"factor {self.factor:.3g} from {self.n} calibration images by conformal risk "
            f"control: the {100 * self.level:g} % interval holds on average at least "
            f"{100 * self.level:g} % of the pixels of a further image that could as well have "
            "been among them"
        )

    def on(self, recipe: Any) -> Any:
        """Return a :class:`Recipe` with the factor and what it rests on."""
        return recipe.replace(widen=self.factor, level=self.level, guarantee=self.guarantee)


def widening(pairs: Iterable[tuple[Any, Floats]], level: float = 0.9) -> Widening:
    """Return the factor on intervals that makes them hold, by conformal risk control [1]_.

    Parameters
    ----------
    pairs : iterable of (Posterior, Streamed or Linearised, ndarray)
        Posteriors of calibration images, each with its truth: whole images of the kind that
        shall be measured, n of them. Crops of one image count as one image.
    level : float, 0 to 1, excluded
        That shall hold. The guarantee is for the mean over images, not for each image.

    Raises
    ------
    ValueError
        For fewer images than 1 / (1 - level) - 1, or where no factor up to 10 is enough.

    Notes
    -----
    With R the mean share of pixels outside, over the n images, the factor is the least for which
    (n R + 1) / (n + 1) <= 1 - level. For images that come in no order (exchangeable), the mean
    share outside on a further one is then at most 1 - level.

    References
    ----------
    .. [1] A. N. Angelopoulos, S. Bates, A. Fisch, L. Lei, T. Schuster, "Conformal risk control",
       ICLR (2024).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a probability between 0 and 1, such as 0.9")
    needed = [needed_factors(posterior, truth, level) for posterior, truth in pairs]
    n = len(needed)
    allowed = (1 - level) - level / n if n else -1.0
    if allowed < -1e-12:
        least = math.ceil(level / (1 - level) - 1e-9)
        raise ValueError(
            f"{n} calibration images promise nothing about a {100 * level:g} % interval; give at "
            f"least {least} images, or ask for a lower level"
        )
    factors = np.concatenate(needed)
    weights = np.concatenate([np.full(len(each), 1 / len(each) / n) for each in needed])
    factor = _least_factor(factors, weights, max(allowed, 0.0))
    if factor > _MOST_FACTOR:
        raise ValueError(
            f"even intervals {_MOST_FACTOR:g} times as wide miss too much of the calibration "
            "images; look for another cause: noise model, registration, units"
        )
    return Widening(max(factor, _LEAST_FACTOR), level, n)


def needed_factors(posterior: Any, truth: Floats, level: float) -> Floats:
    """Return for each known pixel the factor at which its interval reaches the truth."""
    plain = copy.copy(posterior)
    # The bounds themselves, neither widened nor cut at the offset; both keep the order.
    object.__setattr__(plain, "widen", 1.0)
    object.__setattr__(plain, "lowest", -math.inf)
    lower, upper = plain.interval(level)
    mean = np.asarray(plain.mean, dtype=np.float64)
    off = np.asarray(truth, dtype=np.float64) - mean
    reach = np.where(off > 0, upper - mean, mean - lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(off == 0, 0.0, np.abs(off) / np.maximum(reach, 0))
    return np.asarray(needed[np.isfinite(mean) & np.isfinite(truth)])


def _least_factor(factors: Floats, weights: Floats, allowed: float) -> float:
    """Return the least factor above which pixels of at most ``allowed`` weight lie."""
    order = np.argsort(factors)[::-1]
    outside = np.cumsum(weights[order])
    # At the factor of a pixel that one is inside, and those that need more are not.
    first = int(np.searchsorted(outside, allowed + 1e-12, side="right"))
    return float(factors[order][min(first, len(order) - 1)])
