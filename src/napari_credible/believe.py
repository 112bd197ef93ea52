"""Is this believable? The uncertainty of the user's own image, put to the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_credible.calibration import Reliability


@dataclass(frozen=True)
class Check:
    """One thing that is known of a right posterior, and what was found.

    Attributes
    ----------
    name : str
        In a few words.
    value, expected, error : float
        What was found, what is right, and the standard error of the difference.
    passed : bool
        Whether the two agree.
    words : str
        What is checked and what was found, in one sentence.
    """

    name: str
    value: float
    expected: float
    error: float
    passed: bool
    words: str


@dataclass(frozen=True, eq=False)
class Verdict:
    """What came out of the test.

    Attributes
    ----------
    sentence : str
        In plain words.
    reliability : Reliability
        Of the bootstrap on the user's own image.
    checks : tuple of Check
        All that were made; those that the noise does not allow are left out.
    residual : ndarray of float32, shape (..., Y, X) of the image
        Data less a draw, in standard deviations of the noise; NaN outside the region that was
        tested. White noise of variance 1 where all is right.
    factor : float
        What ``Recipe.widen`` should be; 1 where nothing needs mending.
    """

    sentence: str
    reliability: Reliability
    checks: tuple[Check, ...]
    residual: NDArray[np.float32]
    factor: float
