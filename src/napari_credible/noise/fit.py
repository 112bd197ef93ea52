"""A straight line through mean-variance points, robust to points that texture lifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Texture only ever adds variance: a point this many errors above the line loses its weight.
_TOLERANCE = 1.2
# Cut or mostly empty counts put a point far below it: one such point must not blow up all errors.
_LARGEST_SURPRISE = 5.0
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Line:
    """variance = slope (mean - pivot) + level, with the covariance of (slope, level)."""

    slope: float
    level: float
    pivot: float
    covariance: Array

    @property
    def slope_error(self) -> float:
        """Standard error of the slope."""
        return float(np.sqrt(self.covariance[0, 0]))

    def at(self, mean: float) -> float:
        """Return the variance at ``mean``."""
        return self.slope * (mean - self.pivot) + self.level

    def error_at(self, mean: float) -> float:
        """Return the standard error of the variance at ``mean``."""
        direction = np.array([mean - self.pivot, 1.0])
        return float(np.sqrt(direction @ self.covariance @ direction))


def fit_line(means: Array, variances: Array, errors: Array) -> Line:
    """Fit variance against mean by weighted least squares with one-sided outlier weights.

    Parameters
    ----------
    means, variances, errors : ndarray, shape (n,), n >= 3
        ADU, ADU squared; the errors scale with the variance, and are scaled again to the fit.

    Returns
    -------
    Line
        Its covariance is inflated where the points scatter more than their errors say.
    """
    pivot = float(np.average(means, weights=(variances / errors) ** 2))
    design = np.stack([means - pivot, np.ones_like(means)], axis=1)
    relative = errors / variances
    model = variances
    trust = np.ones_like(means)
    for _ in range(_ROUNDS):
        weight = trust / (relative * model) ** 2
        normal = design.T @ (weight[:, None] * design)
        slope, level = np.linalg.solve(normal, design.T @ (weight * variances))
        model = np.maximum(design @ (slope, level), 0.05 * np.median(variances))
        surprise = (variances - model) / (relative * model)
        trust = np.where(surprise > 0, 1 / (1 + (surprise / _TOLERANCE) ** 2), 1.0)
    limited = np.clip(surprise, -_LARGEST_SURPRISE, _LARGEST_SURPRISE)
    scatter = np.sum(trust * limited**2) / max(trust.sum() - 2, 1)
    return Line(float(slope), float(level), pivot, np.linalg.inv(normal) * max(scatter, 1.0))
