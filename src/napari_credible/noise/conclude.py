"""From mean-variance points and a line through them to a noise model with its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.noise.dark import Dark, disagreement, free_line, pinned
from napari_credible.noise.doubts import NO_LIGHT, UNCHECKED, assumed
from napari_credible.noise.evidence import Evidence
from napari_credible.noise.fit import Line
from napari_credible.noise.header import states_offset
from napari_credible.noise.models import Gaussian, PoissonGaussian
from napari_credible.noise.offset import offset_of
from napari_credible.noise.patches import Points

Array = NDArray[np.float64]

# Poisson noise is claimed where the slope is this many errors from zero, and the variance
# changes by this share over the image: texture alone can fake less.
_SURE_ERRORS, _SURE_SHARE = 4.0, 0.3


def shows_poisson(line: Line, points: Points, darkest: float = np.inf) -> bool:
    """Return whether the variance grows with light, beyond what texture can fake."""
    change = line.slope * (points.means.max() - min(points.means.min(), darkest))
    return line.slope > _SURE_ERRORS * line.slope_error and change > _SURE_SHARE * line.level


def gaussian(points: Points, doubts: list[str], source: str) -> Gaussian:
    """Return the model of one variance for all points."""
    freedom = (points.variances / points.errors) ** 2
    sigma = float(np.sqrt(np.average(points.variances, weights=freedom)))
    error = sigma / (2 * float(np.sqrt(freedom.sum())))
    covariance = np.diag([0.0, (2 * sigma * error) ** 2])
    evidence = _evidence(source, {"sigma": error}, doubts, points, covariance)
    return Gaussian(sigma, evidence=evidence)


def counted(
    line: Line, points: Points, offset: float | None, doubts: list[str], source: str
) -> PoissonGaussian:
    """Return the model of the line alone, with the given offset or the one the points show."""
    offset_error = 0.0
    if offset is None:
        offset, offset_error = offset_of(line, points)
        doubts = [*doubts, assumed(offset)]
    variance = max(line.at(offset), 0.0)
    read_noise = float(np.sqrt(variance))
    # Where the offset is an assumption, the read noise is the one that goes with it.
    told = offset_error if np.isfinite(offset_error) else 0.0
    spread = float(np.hypot(line.error_at(offset), line.slope * told))
    errors = {
        "gain": line.slope_error,
        "offset": offset_error,
        "read_noise": spread / (2 * read_noise) if variance > spread else float(np.sqrt(spread)),
    }
    evidence = _evidence(source, errors, doubts, points, _about_zero(line))
    return PoissonGaussian(line.slope, offset, read_noise, evidence=evidence)


def stated(
    claimed: PoissonGaussian,
    header: Mapping[str, Any],
    line: Line,
    points: Points,
    offset: float | None,
    doubts: list[str],
) -> PoissonGaussian:
    """Take gain and read noise from a header; the offset is given, stated, or that of the line."""
    gain, read_noise = float(claimed.gain), float(claimed.read_noise)
    known = offset is not None or states_offset(header)
    if offset is None:
        offset = float(claimed.offset)
    if not known:
        offset = line.pivot - (line.level - read_noise**2) / gain
        offset = min(offset, float(points.means.min()))
    error = 0.0 if known else float(np.sqrt(line.covariance[1, 1]))
    errors = {"gain": 0.0, "read_noise": 0.0, "offset": error / gain}
    missing = [
        d for d in (claimed.evidence.doubts if claimed.evidence else ()) if "offset" not in d
    ]
    unchecked = [UNCHECKED] * (3 * line.slope_error > gain)
    covariance = np.diag([0.0, error**2])
    evidence = _evidence("header", errors, [*doubts, *missing, *unchecked], points, covariance)
    return PoissonGaussian(gain, offset, read_noise, evidence=evidence)


def with_dark(
    dark: Dark, points: Points, doubts: list[str], exposures: int
) -> Gaussian | PoissonGaussian:
    """Take offset and read noise from the dark frames, the gain from the line that starts there.

    ``exposures`` is 0 where the points come from patches of one image.
    """
    free = free_line(points, dark, repeats=exposures > 0)
    line = pinned(free, dark, repeats=exposures > 0)
    doubts = [*doubts, *dark.doubts, *disagreement(points, free, dark, exposures)]
    if not shows_poisson(line, points, dark.offset):
        return gaussian(points, [*doubts, NO_LIGHT], "repeats" if exposures else "image")
    errors = {
        "gain": line.slope_error,
        "offset": dark.offset_error,
        "read_noise": dark.read_noise_error,
    }
    evidence = _evidence("dark frame", errors, doubts, points, _about_zero(line))
    return PoissonGaussian(line.slope, dark.offset, dark.read_noise, evidence=evidence)


def _about_zero(line: Line) -> Array:
    """Return the covariance of slope and intercept, the variance at a mean of 0."""
    shift = np.array([[1.0, 0.0], [-line.pivot, 1.0]])
    return np.asarray(shift @ line.covariance @ shift.T)


def _evidence(
    source: str,
    errors: Mapping[str, float],
    doubts: list[str],
    points: Points,
    covariance: Array,
) -> Evidence:
    return Evidence(
        source, errors, tuple(doubts), points.means, points.variances, points.errors, covariance
    )
