"""What newer releases of napari do by themselves, done for the older ones too."""

from __future__ import annotations

from typing import Any


def link(layers: Any, pair: list[Any], attributes: tuple[str, ...]) -> None:
    """Link two layers until one of them is removed from the viewer.

    napari 0.6.1 keeps the link of a removed layer, and with it the layer and its data.
    """
    layers.link_layers(pair, attributes)

    def removed(event: Any) -> None:
        if any(event.value is each for each in pair):
            layers.unlink_layers(pair, attributes)
            layers.events.removed.disconnect(removed)

    layers.events.removed.connect(removed)


def label_slider(viewer: Any, layer: Any) -> None:
    """Name the slider of a layer's first axis until the layer is gone.

    That axis must be the viewer's first one, too.
    napari 0.6.1 takes no axis labels from its layers: its sliders are numbered.
    """
    dims, label = viewer.dims, layer.axis_labels[0]
    if dims.ndim != layer.ndim or not dims.axis_labels[0].isdigit():
        return
    dims.set_axis_label(0, label)

    def removed(event: Any) -> None:
        if event.value is layer:
            viewer.layers.events.removed.disconnect(removed)
            if dims.axis_labels[0] == label:
                dims.set_axis_label(0, "0")

    viewer.layers.events.removed.connect(removed)
