"""Doubts about single pixels: a bit each, and the sentence that says what it means."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


class Flag(IntFlag):
    """Why a pixel of a result deserves doubt. Bits add up in an ``uint8`` array."""

    NOT_FINITE = 1
    SATURATED = 2
    FAINT = 4
    OUT_OF_RANGE = 8
    BELOW_OFFSET = 16


SENTENCES = {
    Flag.NOT_FINITE: "not a number or infinite in the input; kept as it was, and not used",
    Flag.SATURATED: "at the detector's limit, so its noise says nothing; kept as it was",
    Flag.FAINT: "below one photoelectron and little read noise: stabilisation is only approximate",
    Flag.OUT_OF_RANGE: "noise level outside the range on which the denoiser was trained",
    Flag.BELOW_OFFSET: (
        "further below the offset than reading explains, so read as the offset: "
        "the offset is too high, or was subtracted already"
    ),
}


def describe(flags: NDArray[np.uint8]) -> list[str]:
    """Return one sentence for each doubt that occurs, with its number of pixels.

    Parameters
    ----------
    flags : ndarray of uint8, any shape
        Sums of :class:`Flag` bits.

    Returns
    -------
    list of str
        In the order of the bits; empty where nothing is in doubt.
    """
    counts = {flag: int(np.count_nonzero(flags & flag)) for flag in Flag}
    return [
        f"{count} pixel{'s' if count > 1 else ''} {flag.name}: {SENTENCES[flag]}"
        for flag, count in counts.items()
        if count
    ]
