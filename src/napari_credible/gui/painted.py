"""Labels and shapes of a viewer as what is marked on the pixels of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels

from napari_credible.gui.physics_question import Painted
from napari_credible.shapes import LINES, Shape

# Of flags as a Labels layer: what the bits mean.
_FLAGS_KEY = "flags"


def painted_on(layer: Any, marks: Any, axes: str) -> Painted:
    """Return what a Labels or Shapes layer marks on an image layer; nothing is computed.

    Parameters
    ----------
    layer : napari.layers.Image
        The image.
    marks : napari.layers.Labels or napari.layers.Shapes
        What is painted or drawn.
    axes : str
        Letters of the image's axes.
    """
    if isinstance(marks, Labels):
        data = marks.data[0] if marks.multiscale else marks.data
        return Painted(marks.name, data, flags=_FLAGS_KEY in marks.metadata)
    places = [axes.index(axis) for axis in "YX"]
    shapes = [
        Shape(f"a shape in {marks.name!r}", str(kind), _pixels(layer, marks, corners)[:, places])
        for kind, corners in zip(marks.shape_type, marks.data, strict=True)
        if kind in LINES or len(corners) > 2
    ]
    return Painted(marks.name, shapes=tuple(shapes))


def _pixels(layer: Any, marks: Any, corners: Any) -> Any:
    """Return corners in pixels of the image; axes that the shapes lack are at its first plane."""
    world = np.array([marks.data_to_world(corner) for corner in corners])
    missing = max(0, layer.ndim - world.shape[1])
    first = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))[:missing]
    whole = np.hstack([np.tile(first, (len(world), 1)), world[:, -layer.ndim :]])
    return np.array([layer.world_to_data(point) for point in whole])
