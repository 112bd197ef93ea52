"""Whether intervals are honest: the share of the truth that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

LEVELS = (0.5, 0.8, 0.9, 0.95)


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
