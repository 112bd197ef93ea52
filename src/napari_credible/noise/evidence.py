"""What a measured noise model rests on: its errors, its doubts and the points of its fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _none() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Evidence:
    """How a noise model was measured.

    Attributes
    ----------
    source : str
        "image", "repeats" or "header".
    errors : mapping of str to float
        Standard error of each parameter, in its own unit; infinite where the data are silent.
    doubts : tuple of str
        Sentences on what the data cannot tell.
    means, variances, variance_errors : ndarray, shape (n,)
        Points of the mean-variance plot: ADU, ADU squared, ADU squared.
    """

    source: str
    errors: Mapping[str, float] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    means: NDArray[np.float64] = field(default_factory=_none)
    variances: NDArray[np.float64] = field(default_factory=_none)
    variance_errors: NDArray[np.float64] = field(default_factory=_none)
