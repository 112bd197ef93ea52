"""The part of a layer that the view shows, at the layer's finest resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_credible.io.image import Image

# Half a second of work on two cores.
_LARGEST_SIDE = 512
# Denoised around the region and cut away, so that its edge looks as it will in the whole image.
_MARGIN = 32


@dataclass(frozen=True)
class Region:
    """One plane's rectangle.

    Attributes
    ----------
    read, inner : tuple of slice
        What to read of the array, and which part of that to show.
    start : tuple of int
        Index of the first shown pixel along each axis but that of colours.
    rows, columns : int
        Size of what is shown.
    channel : int or None
        Which channel of a channel axis is in view.
    """

    read: tuple[slice, ...]
    inner: tuple[slice, ...]
    start: tuple[int, ...]
    rows: int
    columns: int
    channel: int | None

    def of(self, image: Image) -> Image:
        """Return the region of an image; a lazy array stays lazy."""
        return image.with_array(image.array[self.read])


def region_in_view(viewer: Any, layer: Any, image: Image) -> Region:
    """Return what the view shows of a layer: at most 512 pixels a side, around its middle.

    Raises
    ------
    ValueError
        Where the view is not the plain one of Y and X.
    """
    axes = image.axes.replace("S", "")
    behind = viewer.dims.ndim - len(axes)
    displayed = [axis - behind for axis in viewer.dims.displayed]
    if viewer.dims.ndisplay != 2 or {axes[k] for k in displayed if k >= 0} != {"Y", "X"}:
        raise ValueError("The preview needs the 2D view of the axes Y and X.")
    point = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    low, high = _corners(layer)
    reads, inners, starts = [], [], []
    for k, axis in enumerate(axes):
        length = image.array.shape[k]
        if axis in "YX":
            start, stop = _middle(low[k], high[k], length)
        else:
            start = int(np.clip(round(point[k]), 0, length - 1))
            stop = start + 1
        margin = _MARGIN if axis in "YX" else 0
        first, last = max(0, start - margin), min(length, stop + margin)
        reads.append(slice(first, last))
        inners.append(slice(start - first, stop - first))
        starts.append(start)
    sizes = {a: i.stop - i.start for a, i in zip(axes, inners, strict=True)}
    channel = starts[axes.index("C")] if "C" in axes else None
    return Region(tuple(reads), tuple(inners), tuple(starts), sizes["Y"], sizes["X"], channel)


def _corners(layer: Any) -> tuple[Any, Any]:
    """Return the visible corners in pixels of the finest level; all of it where not drawn yet."""
    low, high = np.array(layer.corner_pixels, dtype=float)
    if layer.multiscale:
        factors = layer.downsample_factors[layer.data_level]
        low, high = low * factors, high * factors
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    if not (high > low).any():
        low, high = np.zeros(layer.ndim), np.array(shape[: layer.ndim], dtype=float)
    return low, high


def _middle(low: float, high: float, length: int) -> tuple[int, int]:
    """Return at most 512 pixels around the middle of what is visible, inside the image."""
    low, high = np.clip([low, high], 0, length)
    side = int(min(max(high - low, 64), _LARGEST_SIDE, length))
    start = int(np.clip(round((low + high) / 2 - side / 2), 0, length - side))
    return start, start + side
