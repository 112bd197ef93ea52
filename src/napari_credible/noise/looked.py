"""What of an image the measurement of its noise looks at, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.noise.saturation import saturation_level

Array = NDArray[np.float64]

_LEAST_SIDE = 16
_MOST_PLANES = 8
_LEAST_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Looked:
    """Planes of one detector.

    Attributes
    ----------
    planes : ndarray, shape (n, Y, X), ADU
        0 where not usable.
    usable, finite : ndarray of bool, shape (n, Y, X)
        Pixels that are finite and below saturation; that are finite.
    repeats : bool
        The planes are exposures of one scene.
    """

    planes: Array
    usable: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    repeats: bool

    @property
    def source(self) -> str:
        """Where the noise is seen: "repeats" or "image"."""
        return "repeats" if self.repeats else "image"

    @property
    def values(self) -> Array:
        """The usable values, shape (n,)."""
        return self.planes[self.usable]

    @property
    def rounding(self) -> float:
        """Standard deviation of the rounding to whole numbers, or 0 where values are not whole."""
        values = self.values
        sample = values[:: max(len(values) // 10_000, 1)]
        # Rounding is spread evenly over a step of 1.
        return 12**-0.5 if np.array_equal(sample, np.round(sample)) else 0.0


def look(image: Any, *, repeats: bool) -> Looked:
    """Read up to 8 planes of an image, or all of its exposures, as float64.

    Raises
    ------
    ValueError
        Where the image has several channels, is too small, or has no pixel to measure.
    """
    planes = _planes(_one_detector(image), every=repeats)
    finite = np.isfinite(planes)
    limit = saturation_level(planes)
    usable = finite if limit is None else finite & (planes < limit)
    looked = Looked(np.where(usable, planes, 0.0), usable, finite, repeats)
    _refuse_what_tells_nothing(looked)
    return looked


def _one_detector(image: Any) -> Any:
    """Return the array (..., Y, X) of an array or an ``Image``; masked pixels are NaN."""
    channel_axis = getattr(image, "channel_axis", "")
    if channel_axis:
        count = image.shape[image.axes.index(channel_axis)]
        raise ValueError(
            f"the image has {count} channels (axes {image.axes}), each with a noise of its own; "
            "measure them one by one: [estimate_noise(c) for c in image.channels()]"
        )
    array = image.ordered() if hasattr(image, "ordered") else image
    if not hasattr(array, "shape"):
        array = np.asarray(array)
    if np.dtype(array.dtype).kind not in "iuf":
        raise ValueError(
            f"the image holds {array.dtype} values; give integers or floating-point numbers"
        )
    if np.ma.is_masked(array):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    return array


def _planes(array: Any, *, every: bool) -> Array:
    """Return planes (n, Y, X) as float64, evenly chosen where there are many."""
    shape = tuple(array.shape)
    if len(shape) < 2 or min(shape[-2:]) < _LEAST_SIDE:
        raise ValueError(
            f"an image of shape {shape} is too small to measure its noise; it takes at least "
            f"{_LEAST_SIDE} x {_LEAST_SIDE} pixels, or give noise=Gaussian(sigma)"
        )
    if 0 in shape:
        raise ValueError(f"the image is empty: its shape is {shape}")
    if every and (len(shape) != 3 or shape[0] < 2):
        raise ValueError(
            f"repeats=True needs at least two exposures, shape (n, Y, X), but the shape is {shape}"
        )
    leading = list(np.ndindex(shape[:-2]))
    if not every and len(leading) > _MOST_PLANES:
        chosen = np.linspace(0, len(leading) - 1, _MOST_PLANES).astype(int)
        leading = [leading[k] for k in chosen]
    return np.stack([np.asarray(array[place], dtype=np.float64) for place in leading])


def _refuse_what_tells_nothing(looked: Looked) -> None:
    share = looked.usable.mean()
    if share < _LEAST_SHARE:
        raise ValueError(
            f"only {share:.1%} of the pixels are finite and below saturation, too few to "
            "measure the noise; give noise=Gaussian(sigma) or "
            "noise=PoissonGaussian(gain, offset, read_noise)"
        )
    values = looked.values
    if values.min() == values.max():
        raise ValueError(
            f"every usable pixel is {values.min():g}, so there is no noise to measure; "
            "give noise=Gaussian(sigma) if it has any"
        )
