"""A region of the data as a problem of its own, and which part of the image lies behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_credible import geometry
from napari_credible.cropping import Window, cropped
from napari_credible.io.image import Image
from napari_credible.operators import Operator
from napari_credible.region import Model, Region, cut, part_of

# Data around the region that are read: an image is known badly where data end.
_MARGIN = 32


@dataclass(frozen=True, eq=False)
class Part:
    """Data that are restored, and how they came from the image.

    Attributes
    ----------
    image : Image
        The data that are read.
    operator : Operator
        H of them, for their pixels.
    read : Region
        Where they lie in all data.
    inner : (slice, slice)
        Rows and columns that are kept, of the image that H of these data sees.
    region : Region, optional
        Of all data, what lies before the image that is kept; None for all.
    """

    image: Image
    operator: Operator
    read: Region
    inner: Window
    region: Region | None = None

    def frame(self) -> Image:
        """Return the axes, scale, units and header of what is kept, without pixels."""
        made = geometry.frame(self.operator, self.image)
        return part_of(made, self._slices(made))

    def back(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what is kept of the image, channels first, in the order of the data's axes."""
        made = geometry.frame(self.operator, self.image)
        whole: NDArray[Any] = made.back(array.reshape(made.ordered().shape))
        return whole[self._slices(made)]

    def translate(self, data: Image) -> tuple[float, ...]:
        """Return the place of the first pixel that is kept, from the first of all data."""
        made = geometry.frame(self.operator, self.image)
        begun = dict(zip(data.axes, self.read.start, strict=True))
        size = dict(zip(data.axes, data.scale, strict=True))
        first = geometry.translate(self.operator, self.image)
        return tuple(
            place + (part.start or 0) * step + begun.get(axis, 0) * size.get(axis, 0.0)
            for axis, place, part, step in zip(
                made.axes, first, self._slices(made), made.scale, strict=True
            )
        )

    def models(self, models: list[Model], data: Image) -> list[Model]:
        """Return the noise models of the channels that are read, their maps cut."""
        window = _window(self.read, data)
        return [cut(model, window) for model in models[self.read.channels(data)]]

    def _slices(self, made: Image) -> tuple[slice, ...]:
        sides = dict(zip("YX", self.inner, strict=True))
        return tuple(sides.get(axis, slice(None)) for axis in made.axes)


def parted(image: Image, operator: Operator, region: Region | None) -> Part:
    """Return the data of a region as a problem of its own.

    Parameters
    ----------
    image : Image
        All data.
    operator : Operator
        H of all data, for their pixels.
    region : Region, optional
        None for all data. Where the operator looks beyond the image's edge, a region that
        touches it loses the outermost data.

    Raises
    ------
    ValueError
        One sentence, where the region lies outside, or H mixes the whole image.
    """
    if region is None:
        everything = Region((0,) * len(image.shape), image.shape)
        return Part(image, operator, everything, (slice(None), slice(None)))
    region.check(image)
    asked, shape = _window(region, image), tuple(image.ordered().shape[-2:])
    if asked == tuple(slice(0, n) for n in shape):
        found = part_of(image, region.slices)
        return Part(found, operator, region, (slice(None), slice(None)), region)
    window, part = _read(operator, asked, shape)
    rows, columns = (
        slice(max(a.start, w.start), min(a.stop, w.stop))
        for a, w in zip(asked, window, strict=True)
    )
    if any(side.start >= side.stop for side in (rows, columns)):
        raise ValueError(
            f"the region lies in the outermost pixels, for which {operator} looks beyond the "
            "image; give a region further inside, or restore the whole image"
        )
    read, kept = (_with(region, image, sides) for sides in (window, (rows, columns)))
    inner = _behind(part, window, (rows, columns))
    return Part(part_of(image, read.slices), part, read, inner, kept)


def _read(operator: Operator, asked: Window, shape: tuple[int, ...]) -> tuple[Window, Operator]:
    """Return the rows and columns that are read for those that are asked, and their H."""
    wide = [
        slice(max(0, (a.start - _MARGIN) // 2 * 2), min(n, -(-(a.stop + _MARGIN) // 2) * 2))
        for a, n in zip(asked, shape, strict=True)
    ]
    # From the edges inwards, until H looks at nothing beyond the image.
    for edge in range(0, min(shape) // 2, 2):
        rows, columns = (
            slice(max(w.start, edge), min(w.stop, (n - edge) // 2 * 2 if edge else w.stop))
            for w, n in zip(wide, shape, strict=True)
        )
        part = None
        if rows.start < rows.stop and columns.start < columns.stop:
            part = cropped(operator, (rows, columns), shape)
        if part is not None:
            return (rows, columns), part
    raise ValueError(
        f"{operator} mixes the whole image, so that no part of it can be restored by itself; "
        "restore the whole image"
    )


def _behind(part: Operator, window: Window, seen: Window) -> Window:
    """Return the rows and columns, of the image of the data read, that lie behind some of them."""
    factor = part.coarser
    rows, columns = (
        slice(
            factor * (side.start - read.start) + round(first - (factor - 1) / 2),
            factor * (side.stop - read.start) + round(first - (factor - 1) / 2),
        )
        for side, read, first in zip(seen, window, geometry.first_pixel(part), strict=True)
    )
    return rows, columns


def _window(region: Region, image: Image) -> Window:
    rows, columns = (region.slices[image.axes.index(axis)] for axis in "YX")
    return rows, columns


def _with(region: Region, image: Image, window: Window) -> Region:
    """Return a region with other rows and columns."""
    sides = dict(zip("YX", window, strict=True))
    spans = [
        (sides[axis].start, sides[axis].stop) if axis in sides else (start, stop)
        for axis, start, stop in zip(image.axes, region.start, region.stop, strict=True)
    ]
    return Region(tuple(int(a) for a, _ in spans), tuple(int(b) for _, b in spans))
