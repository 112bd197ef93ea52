"""Where a detector reached its limit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# A detector's limit shows as many pixels at the very largest value, far more than just below;
# counts of few photons thin out towards it, level by level.
_FEWEST, _SPIKE, _MOST_SHARE = 20, 8.0, 0.5


def saturation_level(planes: NDArray[Any]) -> float | None:
    """Return the value at which pixels are saturated, or None where none is.

    Parameters
    ----------
    planes : ndarray, any shape
        Values as they came from the file; the limit is the largest value if pixels pile up
        there: at least 20, more than at the level below, and 8 times as many as are found on
        average at a hundredth of the range below it.

    Returns
    -------
    float or None
        Pixels at or above it are saturated.
    """
    values = planes[np.isfinite(planes)] if planes.dtype.kind == "f" else planes.ravel()
    if not values.size:
        return None
    top = values.max()
    low = float(np.quantile(values, 0.001))
    at_top = int(np.count_nonzero(values == top))
    near = values[values > float(top) - 0.05 * (float(top) - low)]
    few = at_top < _FEWEST or at_top < _SPIKE * (near.size - at_top) / 5
    if few or at_top > _MOST_SHARE * values.size:
        return None
    lower = values[values < top]
    next_level = np.count_nonzero(lower == lower.max()) if lower.size else 0
    return float(top) if at_top > next_level else None
