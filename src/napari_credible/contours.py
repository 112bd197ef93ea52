"""Lines around what lies above a threshold with a stated probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def contours(probability: Floats, level: float) -> list[NDArray[np.float64]]:
    """Return the lines on which a map of probabilities has one value, the longest first.

    Parameters
    ----------
    probability : ndarray, shape (..., Y, X)
        Such as ``posterior.exceedance(threshold)``. Pixels that are no number count as 0.
    level : float, 0 to 1, excluded
        On the lines; above it inside them.

    Returns
    -------
    list of ndarray, shape (n, probability.ndim)
        Corners of each line in pixels; the centre of the first pixel is 0. The first axes say in
        which plane it lies. What the edge of the image cuts is closed along it.

    Raises
    ------
    ValueError
        Where the level is no probability between 0 and 1.
    """
    from skimage.measure import find_contours

    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a probability between 0 and 1, such as 0.95")
    lines = []
    for place in np.ndindex(probability.shape[:-2]):
        plane = np.pad(np.nan_to_num(probability[place]), 1)
        for line in find_contours(plane, level):
            corners = np.clip(line - 1, 0, np.array(plane.shape) - 3)
            lines.append(np.hstack([np.tile(np.array(place, float), (len(corners), 1)), corners]))
    return sorted(lines, key=_length, reverse=True)


def _length(line: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
