"""What newer releases of napari do by themselves, done for the older ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def link(layers: Any, pair: list[Any], attributes: tuple[str, ...]) -> None:
    """Link two layers until one of them is removed from the viewer.

    napari 0.6.1 keeps the link of a removed layer, and with it the layer and its data.
    """
    layers.link_layers(pair, attributes)
    _when_removed(layers, pair, lambda: layers.unlink_layers(pair, attributes))


def label_slider(viewer: Any, layer: Any) -> None:
    """Name the slider of a layer's first axis until the layer is gone.

    That axis must be the viewer's first one, too.

    napari 0.6.1 takes no axis labels from its layers: its sliders are numbered.
    """
    dims, label = viewer.dims, layer.axis_labels[0]
    if dims.ndim != layer.ndim or not dims.axis_labels[0].isdigit():
        return
    dims.set_axis_label(0, label)

    def unnamed() -> None:
        if dims.axis_labels[0] == label:
            dims.set_axis_label(0, "0")

    _when_removed(viewer.layers, [layer], unnamed)


def _when_removed(layers: Any, watched: list[Any], then: Callable[[], None]) -> None:
    """Call once, when the first of some layers is removed."""

    def removed(event: Any) -> None:
        if any(event.value is each for each in watched):
            layers.events.removed.disconnect(removed)
            then()

    layers.events.removed.connect(removed)
