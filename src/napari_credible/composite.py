"""Value and certainty in one picture: bright where the value is high, grey where it is unknown.

A value is shown by lightness, along black, orange and yellow; the less certain it is, the nearer
its colour comes to one neutral grey, in which no value can be read any more. The colours differ
from grey along blue-yellow, which eyes without red or green cones see as well.

References
----------
.. [1] M. Correll, D. Moritz, J. Heer, "Value-suppressing uncertainty palettes", CHI (2018).
.. [2] B. Ottosson, "A perceptual color space for image processing" (2020): OKLab.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Limits = tuple[float, float]
Floats = NDArray[np.floating[Any]]

_VALUES, _DOUBTS = 256, 64
# Lightness of the darkest and the brightest value, and of what is not known, in OKLab.
_DARK, _BRIGHT, _GREY = 0.12, 0.96, 0.62
# From a red that is seen in the dark to a yellow that is seen when bright, in degrees.
_FIRST_HUE, _LAST_HUE = 45.0, 105.0
_CHROMA = 0.165
# Grey where no limits are given: the brightest of the std map, or this share of the values' range
# where that is more, so that what is nearly certain everywhere does not look unknown anywhere.
_UNKNOWN, _OF_RANGE = 0.995, 0.1


def composite(
    value: Floats, std: Floats, value_limits: Limits, std_limits: Limits
) -> NDArray[np.uint8]:
    """Return a picture of value and certainty.

    Parameters
    ----------
    value, std : ndarray, shape (..., Y, X), image units
        Such as mean and std of a posterior.
    value_limits : (float, float), image units
        Shown black and yellow, where certain.
    std_limits : (float, float), image units
        Shown in full colour, and grey.

    Returns
    -------
    ndarray of uint8, shape (..., Y, X, 3)
        sRGB. Pixels that are not finite are grey.
    """
    value, std = np.asarray(value, dtype=np.float32), np.asarray(std, dtype=np.float32)
    if value.shape != std.shape:
        raise ValueError(
            f"value and std have shapes {value.shape} and {std.shape}; give equal ones"
        )
    doubt = _share(std, std_limits)
    doubt[~np.isfinite(value)] = 1.0
    column = np.round(_share(value, value_limits) * (_VALUES - 1)).astype(np.intp)
    row = np.round(doubt * (_DOUBTS - 1)).astype(np.intp)
    return palette()[row, column]


@cache
def palette() -> NDArray[np.uint8]:
    """Return the colours, shape (64, 256, 3): the std rises along rows, the value along columns."""
    value = np.linspace(0, 1, _VALUES)[None]
    doubt = np.linspace(0, 1, _DOUBTS)[:, None]
    light = (1 - doubt) * (_DARK + (_BRIGHT - _DARK) * value) + doubt * _GREY
    hue = np.radians(_FIRST_HUE + (_LAST_HUE - _FIRST_HUE) * value)
    # Hardly any colour is dark or bright and vivid at once.
    chroma = (
        _CHROMA * np.minimum(1, np.minimum(value / 0.5, (1 - value) / 0.2 + 0.45)) * (1 - doubt)
    )
    colours = _srgb(np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1))
    return np.asarray(np.round(255 * colours), dtype=np.uint8)


def std_limits(std: Floats, value_limits: Limits) -> Limits:
    """Return which std to show as certain and which as unknown, for values between limits."""
    finite = std[np.isfinite(std)]
    high = float(np.quantile(finite, _UNKNOWN)) if finite.size else 0.0
    return 0.0, max(high, _OF_RANGE * (value_limits[1] - value_limits[0]))


def _share(array: Floats, limits: Limits) -> Floats:
    """Return where numbers lie between two limits, 0 to 1; 1 where they are no numbers."""
    low, high = limits
    if not high > low:
        raise ValueError(f"the limits are {low:g} and {high:g}; give a lower and a higher one")
    share = np.clip((array - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(np.nan_to_num(share, nan=1.0))


def _srgb(oklab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB in [0, 1] of OKLab, cut where a screen has no such colour."""
    light = oklab @ _FROM_OKLAB.T
    linear = np.clip(light**3 @ _FROM_CONES.T, 0, 1)
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, curved))


_FROM_OKLAB = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
