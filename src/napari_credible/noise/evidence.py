"""What a measured noise model rests on: its errors, its doubts and the points of its fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _none() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Evidence:
    """How a noise model was measured.

    Attributes
    ----------
    source : str
        "image", "repeats", "header" or "dark frame".
    errors : mapping of str to float
        Standard error of each parameter, in its own unit; infinite where the data are silent.
    doubts : tuple of str
        Sentences on what the data cannot tell.
    means, variances, variance_errors : ndarray, shape (n,)
        Points of the mean-variance plot: ADU, ADU squared, ADU squared.
    covariance : ndarray, shape (2, 2), or None
        Of slope and intercept of the line variance = slope mean + intercept through the points.
    """

    source: str
    errors: Mapping[str, float] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    means: NDArray[np.float64] = field(default_factory=_none)
    variances: NDArray[np.float64] = field(default_factory=_none)
    variance_errors: NDArray[np.float64] = field(default_factory=_none)
    covariance: NDArray[np.float64] | None = None

    def line_error(self, light: ArrayLike) -> NDArray[np.float64]:
        """Return the standard error of the line's variance at ``light`` (ADU); NaN if unknown."""
        means = np.asarray(light, dtype=np.float64)
        if self.covariance is None:
            return np.full(means.shape, np.nan)
        slope, both, level = self.covariance[[0, 0, 1], [0, 1, 1]]
        # Far from the points rounding may leave less than nothing.
        return np.asarray(np.sqrt(np.maximum(slope * means**2 + 2 * both * means + level, 0)))
