"""Mean-variance points of several exposures of one scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_credible.noise.patches import Points

Array = NDArray[np.float64]

_MOST_BINS, _LEAST_IN_BIN = 40, 100
# Distant exposures disagree more than successive ones by this share of the variance, and by this
# many standard errors, where a scene moves or fades.
_DRIFT_SHARE, _DRIFT_ERRORS = 0.02, 5.0

DRIFT = (
    "distant exposures differ more than successive ones: the scene moves or fades, so only the "
    "differences of successive exposures were used"
)


def repeat_points(planes: Array, usable: NDArray[np.bool_]) -> tuple[Points, list[str]]:
    """Return the mean-variance points over exposures, shape (n, Y, X), and what is doubtful.

    The variance of a pixel is taken about its mean, or, where that grows from exposure to
    exposure, from the differences of successive ones (J. von Neumann, "Distribution of the ratio
    of the mean square successive difference to the variance", 1941).
    """
    frames = planes[:, usable.all(0)]
    if not frames.shape[1]:
        raise ValueError(
            "no pixel is finite and below saturation in all exposures; leave out the exposures "
            "that are damaged"
        )
    means, variances = frames.mean(0), frames.var(0, ddof=1)
    freedom, doubts = len(frames) - 1.0, []
    successive = np.square(np.diff(frames, axis=0)).mean(0) / 2
    if _drifts(variances, successive, len(frames)):
        # Successive differences share exposures: 2 (n - 1)^2 / (3 n - 4) of them are news.
        variances, freedom = successive, 2 * (len(frames) - 1) ** 2 / (3 * len(frames) - 4)
        doubts.append(DRIFT)
    return _binned(frames, means, variances, freedom), doubts


def _drifts(variances: Array, successive: Array, count: int) -> bool:
    excess = 1 - successive.mean() / max(variances.mean(), 1e-300)
    chance = np.sqrt(2 / (count * len(variances)))
    return count > 2 and bool(excess > max(_DRIFT_SHARE, _DRIFT_ERRORS * chance))


def _binned(frames: Array, means: Array, variances: Array, freedom: float) -> Points:
    order = np.argsort(means, kind="stable")
    count = min(_MOST_BINS, max(len(order) // _LEAST_IN_BIN, 3))
    bins = [b for b in np.array_split(order, count) if len(b)]
    level = np.array([variances[b].mean() for b in bins])
    mean = np.array([means[b].mean() for b in bins])
    errors = level * np.sqrt(2 / (freedom * np.array([len(b) for b in bins])))
    thirds, third_errors = _thirds(frames, means, bins, level)
    points = Points(mean, level, errors, thirds, third_errors).where(level > 0)
    return points.with_dark_share(means, len(frames)) if len(points.means) else points


def _thirds(
    frames: Array, means: Array, bins: list[NDArray[np.intp]], level: Array
) -> tuple[Array, Array]:
    """Return the unbiased third cumulant of each bin and its error; silent for two exposures."""
    count = len(frames)
    if count < 3:
        return np.zeros(len(bins)), np.full(len(bins), np.inf)
    cubes = ((frames - means) ** 3).sum(0) * count / ((count - 1) * (count - 2))
    errors = [np.sqrt(15 * v**3 / (count * len(b))) for v, b in zip(level, bins, strict=True)]
    return np.array([cubes[b].mean() for b in bins]), np.array(errors)
