"""The part of a layer that the view or a drawn shape covers, at the layer's finest resolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_credible.io.image import Image
from napari_credible.region import Region

# Half a second of work on two cores.
LARGEST_SIDE = 512
_LEAST_SIDE = 64


def region_in_view(
    viewer: Any,
    layer: Any,
    image: Image,
    *,
    largest: int | None = LARGEST_SIDE,
    planes: bool = False,
) -> Region:
    """Return what the view shows of a layer, around its middle.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari layer
        The view, and what it shows.
    image : Image
        Of the layer.
    largest : int, optional, pixels
        Longest side; None sets no limit.
    planes : bool
        All of them, not only the one in view.

    Raises
    ------
    ValueError
        Where the view is not the plain one of Y and X.
    """
    axes = image.axes.replace("S", "")
    behind = viewer.dims.ndim - len(axes)
    displayed = [axis - behind for axis in viewer.dims.displayed]
    if viewer.dims.ndisplay != 2 or {axes[k] for k in displayed if k >= 0} != {"Y", "X"}:
        raise ValueError('"What is in view" needs the 2D view of the axes Y and X.')
    low, high = _corners(layer)
    sides = {
        axis: _middle(low[k], high[k], image.array.shape[k], largest)
        for k, axis in enumerate(axes)
        if axis in "YX"
    }
    return _region(viewer, layer, image, sides, planes)


def region_of_shape(
    viewer: Any, layer: Any, image: Image, shapes: Any, *, planes: bool = False
) -> Region:
    """Return the part of a layer under the selected shape of a Shapes layer, else its last one.

    Raises
    ------
    ValueError
        One sentence, where there is no shape or it lies beside the layer.
    """
    if not len(shapes.data):
        raise ValueError(f"{shapes.name!r} has no shape; draw a rectangle in it")
    chosen = max(shapes.selected_data) if len(shapes.selected_data) else -1
    world = np.array([shapes.data_to_world(corner) for corner in shapes.data[chosen]])
    missing = max(0, layer.ndim - world.shape[1])
    point = np.asarray(viewer.dims.point[-layer.ndim :], dtype=float)
    world = np.hstack([np.tile(point[:missing], (len(world), 1)), world[:, -layer.ndim :]])
    corners = np.array([layer.world_to_data(corner) for corner in world])
    sides = {}
    for k, axis in enumerate(image.axes.replace("S", "")):
        if axis in "YX":
            # The centre of pixel 0 is at 0.
            edges = np.round([corners[:, k].min() + 0.5, corners[:, k].max() + 0.5])
            first, last = (int(edge) for edge in np.clip(edges, 0, image.array.shape[k]))
            if last <= first:
                raise ValueError(f"the shape in {shapes.name!r} lies beside {layer.name!r}")
            sides[axis] = first, last
    return _region(viewer, layer, image, sides, planes)


def whole_plane(viewer: Any, layer: Any, image: Image) -> Region:
    """Return the plane of a layer that the sliders stand at."""
    sides = {axis: (0, image.array.shape[image.axes.index(axis)]) for axis in "YX"}
    return _region(viewer, layer, image, sides, planes=False)


def _region(
    viewer: Any, layer: Any, image: Image, sides: dict[str, tuple[int, int]], planes: bool
) -> Region:
    """Return a region with these sides, of the plane in view or of all of them."""
    point = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    spans = []
    for k, (axis, length) in enumerate(zip(image.axes, image.array.shape, strict=True)):
        if axis in sides:
            spans.append(sides[axis])
        elif axis == "S" or planes:
            spans.append((0, length))
        else:
            here = int(np.clip(round(point[k]), 0, length - 1))
            spans.append((here, here + 1))
    return Region(tuple(a for a, _ in spans), tuple(b for _, b in spans))


def _corners(layer: Any) -> tuple[Any, Any]:
    """Return the visible corners in pixels of the finest level; all of it where not drawn yet."""
    low, high = np.array(layer.corner_pixels, dtype=float)
    high = high + (high > low)  # the last pixel that is seen, for napari
    if layer.multiscale:
        factors = layer.downsample_factors[layer.data_level]
        low, high = low * factors, high * factors
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    if not (high > low).any():
        low, high = np.zeros(layer.ndim), np.array(shape[: layer.ndim], dtype=float)
    return low, high


def _middle(low: float, high: float, length: int, largest: int | None) -> tuple[int, int]:
    """Return at most so many pixels around the middle of what is visible, inside the image."""
    low, high = np.clip([low, high], 0, length)
    side = int(min(max(high - low, _LEAST_SIDE), largest or length, length))
    start = int(np.clip(round((low + high) / 2 - side / 2), 0, length - side))
    return start, start + side
