"""An array with its axes, its scale, its units and its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

# A last axis this short behind a long one was hardly meant as X.
_COLOURS, _NARROW = (3, 4), 8
_KINDS = "iuf"
# Grey with opacity, and three colours with it.
_WITH_OPACITY = (2, 4)


@dataclass(frozen=True, eq=False)
class Image:
    """What a file or a layer holds.

    Parameters
    ----------
    array : numpy or dask array
        Any order of axes that holds Y and X; integers or floats of any byte order. What a
        numpy mask hides becomes NaN.
    axes : str
        One letter a dimension: T, Z, C (channel), S (colour sample), Y, X; others are
        treated like T. Empty: Y and X last, as numpy arrays are read by microscopists.
    scale : tuple of float
        Size of a pixel along each axis; empty for 1 each.
    axis_units : tuple of str
        Unit of each axis' scale, such as "micrometer" or "second"; empty for "pixel" each.
    unit : str
        Of the intensities, such as "ADU" or "electron"; empty where unknown.
    header : mapping
        What else the file says: a FITS header, the ImageJ or OME fields.
    name : str
        Of the file or the layer.

    Raises
    ------
    ValueError
        Where axes, scale and units do not fit the array, or it holds no numbers.
    """

    array: Any
    axes: str = ""
    scale: tuple[float, ...] = ()
    axis_units: tuple[str, ...] = ()
    unit: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if not hasattr(self.array, "ndim"):
            object.__setattr__(self, "array", np.asarray(self.array))
        if isinstance(self.array, np.ma.MaskedArray):
            object.__setattr__(self, "array", _without_masked(self.array))
        ndim = self.array.ndim
        if not self.axes:
            object.__setattr__(
                self, "axes", "".join("PORQ"[-k] for k in range(ndim - 2, 0, -1)) + "YX"
            )
        object.__setattr__(self, "scale", tuple(self.scale) or (1.0,) * ndim)
        object.__setattr__(self, "axis_units", tuple(self.axis_units) or ("pixel",) * ndim)
        self._check(ndim)

    def _check(self, ndim: int) -> None:
        if np.dtype(self.array.dtype).kind not in _KINDS:
            raise ValueError(
                f"the image holds {self.array.dtype} values; "
                "give integers or floating-point numbers"
            )
        if ndim < 2 or len(self.axes) != ndim or len(set(self.axes)) != ndim:
            raise ValueError(
                f"axes {self.axes!r} do not name the {ndim} dimensions of shape "
                f"{self.array.shape}; give one letter each, Y and X among them, such as 'TZYX'"
            )
        if not {"Y", "X"} <= set(self.axes):
            raise ValueError(f"axes {self.axes!r} lack Y or X; name the two axes of a picture so")
        if len(self.scale) != ndim or len(self.axis_units) != ndim:
            raise ValueError(
                f"scale {self.scale} and units {self.axis_units} do not fit the axes {self.axes}; "
                "give one each"
            )
        sides = tuple(self.array.shape[self.axes.index(a)] for a in "YX")
        if not all(self.array.shape):
            raise ValueError(f"the image is empty: its shape is {self.array.shape}")
        if ndim > 2 and self.axes.endswith("YX") and sides[1] in _COLOURS and sides[0] > _NARROW:
            raise ValueError(
                f"planes of {sides[0]} x {sides[1]} pixels (shape {self.array.shape}, axes "
                f"{self.axes}) look like colours; if the last axis counts them, say so: "
                "Image(array, axes='YXS')"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.array.shape)

    @property
    def channel_axis(self) -> str:
        """The axis that counts channels or colours, or an empty string."""
        return next((a for a in "CS" if a in self.axes), "")

    def opaque(self) -> Image:
        """Return the image without the second or fourth colour sample: opacity has no noise."""
        count = self.array.shape[self.axes.index("S")] if self.channel_axis == "S" else 0
        if count not in _WITH_OPACITY:
            return self
        colours = [slice(None)] * len(self.axes)
        colours[self.axes.index("S")] = slice(count - 1)
        return self.with_array(self.array[tuple(colours)])

    def ordered(self) -> Any:
        """Return the array with the channel axis first, if any, and Y and X last: a view."""
        return self.array.transpose(self._order())

    def channels(self) -> list[Image]:
        """Return each channel as an image of its own, axes ordered: views, opacity left out."""
        image = self.opaque().planar()
        if not image.channel_axis:
            return [image]
        return [
            replace(
                image,
                array=channel,
                axes=image.axes[1:],
                scale=image.scale[1:],
                axis_units=image.axis_units[1:],
            )
            for channel in image.array
        ]

    def planar(self) -> Image:
        """Return the image with its axes in the order of :meth:`ordered`."""
        order = self._order()
        return replace(
            self,
            array=self.ordered(),
            axes="".join(self.axes[k] for k in order),
            scale=tuple(self.scale[k] for k in order),
            axis_units=tuple(self.axis_units[k] for k in order),
        )

    def back(self, array: Any) -> Any:
        """Return an array in the order of :meth:`ordered` in the order of the image."""
        return array.transpose(np.argsort(self._order()))

    def with_array(self, array: Any) -> Image:
        """Return the same description of another array of the same shape."""
        return replace(self, array=array)

    def _order(self) -> list[int]:
        channel = self.channel_axis
        middle = [a for a in self.axes if a not in "YX" and a != channel]
        return [self.axes.index(a) for a in [*channel, *middle, "Y", "X"]]


def _without_masked(array: Any) -> Any:
    """Return a masked array as floats, NaN where it is masked; as it is where nothing is."""
    if not np.ma.is_masked(array) or array.dtype.kind not in _KINDS:
        return np.ma.getdata(array)
    kind = np.result_type(array.dtype, np.float32)
    return array.astype(kind).filled(np.nan)


def as_image(image: Any) -> Image:
    """Return an :class:`Image` of an array, or the image itself."""
    return image if isinstance(image, Image) else Image(image)
