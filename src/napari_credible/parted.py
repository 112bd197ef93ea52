"""A region of the data as a problem of its own, and which part of the image lies behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray

from napari_credible import geometry
from napari_credible.cropping import Window, cropped, edges
from napari_credible.io.image import Image
from napari_credible.operators import Bayer, Blur, Operator
from napari_credible.region import Region, part_of

# Read around all data that see the region: an image is known badly where data end.
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
        return part_of(self._made, self._slices())

    def back(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what is kept of the image, channels first, in the order of the data's axes."""
        whole: NDArray[Any] = self._made.back(array.reshape(self._made.ordered().shape))
        return whole[self._slices()]

    def translate(self, data: Image) -> tuple[float, ...]:
        """Return the place of the first pixel that is kept, from the first of all data."""
        made = self._made
        begun = dict(zip(data.axes, self.read.start, strict=True))
        size = dict(zip(data.axes, data.scale, strict=True))
        first = geometry.translate(self.operator, self.image)
        return tuple(
            place + (part.start or 0) * step + begun.get(axis, 0) * size.get(axis, 0.0)
            for axis, place, part, step in zip(
                made.axes, first, self._slices(), made.scale, strict=True
            )
        )

    @cached_property
    def _made(self) -> Image:
        """All of the image that H of these data sees, without pixels."""
        return geometry.frame(self.operator, self.image)

    def _slices(self) -> tuple[slice, ...]:
        sides = dict(zip("YX", self.inner, strict=True))
        return tuple(sides.get(axis, slice(None)) for axis in self._made.axes)


def parted(
    image: Image, operator: Operator, region: Region | None, *, spectral: bool = False
) -> Part:
    """Return the data of a region as a problem of its own.

    Parameters
    ----------
    image : Image
        All data.
    operator : Operator
        H of all data, for their pixels.
    region : Region, optional
        None for all data. Where H looks beyond the image, a region at its edge loses data there.
    spectral : bool
        Whether the method needs singular values.

    Raises
    ------
    ValueError
        One sentence, where the region lies outside, sees nothing or cuts colours, or where no
        part of H can be told from the rest.
    """
    if region is None:
        everything = Region((0,) * len(image.shape), image.shape)
        return Part(image, operator, everything, (slice(None), slice(None)))
    region.check(image)
    colours = image.axes.find("S")
    if colours >= 0 and region.shape[colours] != image.shape[colours]:
        raise ValueError("the region cuts the colours of the image; let it hold all of axis S")
    asked, shape = region.plane(image), tuple(image.ordered().shape[-2:])
    if asked == tuple(slice(0, n) for n in shape):
        found = part_of(image, region.slices)
        return Part(found, operator, region, (slice(None), slice(None)), region)
    window, kept = _windows(operator, asked, shape)
    part = _told(operator, window, shape)
    if spectral and part.factors(part.image_shape(_sides(window)), torch.zeros(())) is None:
        raise ValueError(
            f"H of a part of the image has no fast singular values ({part}), which this method "
            "needs; take 'mmps', or restore the whole image"
        )
    read, region = (_with(region, image, sides) for sides in (window, kept))
    inner = _behind(part, window, kept)
    return Part(part_of(image, read.slices), part, read, inner, region)


def _windows(operator: Operator, asked: Window, shape: tuple[int, ...]) -> tuple[Window, Window]:
    """Return the rows and columns that are read for those that are asked, and those that are kept.

    Raises
    ------
    ValueError
        Where none can be kept.
    """
    first, behind = edges(operator)[:2], edges(operator)[2:]
    # The pattern of a Bayer filter begins at even rows and columns.
    step = 2 if any(isinstance(each, Bayer) for each in geometry.parts(operator)) else 1
    read, kept = [], []
    margins = _margins(operator)
    for side, n, low, high, margin in zip(asked, shape, first, behind, margins, strict=True):
        low, high = -(-low // step) * step, n - high
        start = max(low, (side.start - margin) // step * step)
        read.append(slice(start, min(high, side.stop + margin)))
        kept.append(slice(max(side.start, low), min(side.stop, high)))
    if any(side.start >= side.stop for side in kept):
        raise ValueError(
            f"the region lies in the outermost pixels, for which {operator} looks beyond the "
            "image; give a region further inside, or restore the whole image"
        )
    return (read[0], read[1]), (kept[0], kept[1])


def _margins(operator: Operator) -> tuple[int, int]:
    """Return how far around a region data are read: those that see it, and some beyond."""
    psfs = [each.psf.shape for each in geometry.parts(operator) if isinstance(each, Blur)]
    rows, columns = (
        _MARGIN - (-sum(psf[axis] for psf in psfs) // operator.coarser) for axis in (0, 1)
    )
    return rows, columns


def _told(operator: Operator, window: Window, shape: tuple[int, ...]) -> Operator:
    """Return H of the data of a window.

    Raises
    ------
    ValueError
        Where nothing is seen there, or no part of H can be told from the rest.
    """
    if not operator.observed(shape)[window].any():
        rows, columns = _sides(window)
        raise ValueError(
            f"nothing is seen in the {rows} x {columns} data around the region; give a larger "
            "region, or restore the whole image"
        )
    part = cropped(operator, window, shape)
    if part is None:
        raise ValueError(
            f"no part of {operator} can be told from the rest, so that none can be restored by "
            "itself; restore the whole image"
        )
    return part


def _sides(window: Window) -> tuple[int, int]:
    rows, columns = (side.stop - side.start for side in window)
    return rows, columns


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


def _with(region: Region, image: Image, window: Window) -> Region:
    """Return a region with other rows and columns."""
    sides = dict(zip("YX", window, strict=True))
    spans = [
        (sides[axis].start, sides[axis].stop) if axis in sides else (start, stop)
        for axis, start, stop in zip(image.axes, region.start, region.stop, strict=True)
    ]
    return Region(tuple(int(a) for a, _ in spans), tuple(int(b) for _, b in spans))
