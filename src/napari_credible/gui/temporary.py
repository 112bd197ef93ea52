"""One picture over the plane in view, that goes when it is not needed any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image as ImageLayer
from numpy.typing import NDArray

from napari_credible.gui.family import MEAN
from napari_credible.gui.placed import Placed
from napari_credible.gui.preview import PREVIEW_KEY


class Temporary:
    """A layer for a plane of a family: placed like it, in the contrast of its mean.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    on_removed : callable
        Is told where the user removed it.
    """

    def __init__(self, viewer: Any, on_removed: Callable[[], None]) -> None:
        self._viewer, self._on_removed = viewer, on_removed
        self.layer: Any = None
        viewer.layers.events.removed.connect(self._removed)

    def let_go(self) -> None:
        """Remove the layer, and let go of the viewer."""
        self.remove()
        self._viewer.layers.events.removed.disconnect(self._removed)

    def show(
        self, picture: NDArray[Any], placed: Placed, plane: tuple[int, ...], name: str
    ) -> None:
        """Show a picture (Y, X) in the plane of an index; its entries at Y and X do not count."""
        data = _with_axes(picture, placed.axes)
        affine = _corner(placed, plane)
        name = f"{placed.family.result.source.name or 'image'} · {name}"
        if self.layer is None:
            self._add(data, affine, placed, name)
        else:
            self.layer.data = data
            self.layer.affine = affine
            self.layer.name = name

    def remove(self) -> None:
        """Remove the layer, if it is there."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            layers = self._viewer.layers
            chosen = set(layers.selection) - {layer}
            layers.remove(layer)
            layers.selection = chosen

    def _add(self, data: Any, affine: Any, placed: Placed, name: str) -> None:
        layers = self._viewer.layers
        mean = placed.family.roles.get(MEAN)
        like = mean if mean is not None and mean in layers else None
        looks: dict[str, Any] = {}
        if like is not None and not getattr(like, "rgb", False):
            looks = {"contrast_limits": like.contrast_limits, "colormap": like.colormap.name}
        labels = [axis.lower() for axis in placed.axes]
        self.layer = ImageLayer(
            data,
            name=name,
            affine=affine,
            axis_labels=labels,
            units=[str(unit) for unit in placed.layer.units[-len(labels) :]],
            metadata={PREVIEW_KEY: True},
            **looks,
        )
        chosen, active = set(layers.selection), layers.selection.active
        place = layers.index(like) + 1 if like is not None else len(layers)
        layers.insert(place, self.layer)
        layers.selection = chosen
        layers.selection.active = active

    def _removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.layer = None
            self._on_removed()


def _with_axes(picture: NDArray[Any], axes: str) -> NDArray[Any]:
    """Return a plane (Y, X) with the axes of the image, one pixel along all others."""
    turned = picture.T if axes.index("X") < axes.index("Y") else picture
    sides = iter(turned.shape)
    return turned.reshape([next(sides) if a in "YX" else 1 for a in axes])


def _corner(placed: Placed, plane: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the affine matrix of a picture whose first pixel lies at an index of the image."""
    start = [0 if a in "YX" else k for a, k in zip(placed.axes, plane, strict=True)]
    shift = np.eye(len(start) + 1)
    shift[:-1, -1] = start
    return np.asarray(placed.matrix() @ shift)
