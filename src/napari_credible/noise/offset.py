"""The counts without light, as far as one image tells them."""

from __future__ import annotations

import numpy as np

from napari_credible.noise.fit import Line
from napari_credible.noise.patches import Points

# A background that fills this share of the image is taken to be without light.
_DARK_SHARE = 0.3
# The lowest of many patch means lies this many of its standard deviations below its level.
_LOWEST = 4.0


def offset_of(line: Line, points: Points) -> tuple[float, float]:
    """Return the counts without light, and their standard error.

    Where the line passes above zero, and no level of the image lies below zero, no offset is
    called for: it is taken as 0, and its error is infinite, since nothing was measured. Else it
    lies between the level at which the line has no variance left and the darkest level seen;
    within these the skewness of the noise speaks: its third cumulant is gain^2 (mean - offset),
    and reading adds none. Before it has spoken, the darkest level is believed to be without
    light as far as a share of the image lies there.
    """
    lowest, highest = -line.at(0.0) / line.slope, float(points.means.min())
    if line.at(0.0) > -2 * line.error_at(0.0) and darkest(points) >= 0:
        return 0.0, float("inf")
    highest = max(highest, lowest)
    belief = 0.5 + 0.5 * min(points.dark / _DARK_SHARE, 1.0)
    middle = lowest + belief * (highest - lowest)
    width = max((highest - lowest) / np.sqrt(12), 1e-12)
    votes = points.means - points.thirds / line.slope**2
    weights = (line.slope**2 / points.third_errors) ** 2
    total = weights.sum() + width**-2
    offset = (weights @ votes + middle * width**-2) / total
    return float(np.clip(offset, lowest, highest)), float(total**-0.5)


def darkest(points: Points) -> float:
    """Return the level of the darkest point, chance allowed for: ADU."""
    lowest = int(points.means.argmin())
    chance = np.sqrt(points.variances[lowest] / points.averaged)
    return float(points.means[lowest] + _LOWEST * chance)


def check_offset(offset: float, points: Points) -> list[str]:
    """Return what is doubtful about an offset that was given.

    Raises
    ------
    ValueError
        Where it is no finite number, or every level of the image lies below it.
    """
    if not np.isfinite(offset):
        raise ValueError(f"offset is {offset}; give the counts without light, a finite number")
    brightest = float(points.means.max())
    if offset >= brightest:
        raise ValueError(
            f"the offset of {offset:g} lies above every level of the image, up to "
            f"{brightest:.4g}; give the counts without light of this camera"
        )
    if darkest(points) >= offset:
        return []
    return [
        f"the image goes down to {points.means.min():.4g}, below the offset of {offset:.4g}: the "
        "offset is of other settings, or was subtracted already"
    ]
