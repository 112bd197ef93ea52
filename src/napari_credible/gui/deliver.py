"""Results into the viewer: above their input, linked to it, under a name of their own."""

from __future__ import annotations

from typing import Any

from napari_credible.gui.asked import Asked
from napari_credible.gui.layers import flags_of, layer_of
from napari_credible.result import Result

_LINKED = ("contrast_limits",)


def add_result(viewer: Any, result: Result, asked: Asked, *, flags: bool) -> Any:
    """Add the estimate, and its flags where asked; return the estimate's layer.

    The result stands above its input, or on top where the input is gone, and the two share
    their contrast limits until they are unlinked in the layer list.
    """
    layers = viewer.layers
    new = layer_of(result, asked.attributes, [layer.name for layer in layers])
    added = viewer.add_image(**new)
    if flags:
        doubts = viewer.add_labels(**flags_of(result, asked.attributes, added.name))
        doubts.opacity = 0.5
        layers.selection.active = added
    if asked.layer in layers:
        layers.move(layers.index(added), layers.index(asked.layer) + 1)
        if not asked.attributes.get("rgb"):
            layers.link_layers([asked.layer, added], _LINKED)
    return added
