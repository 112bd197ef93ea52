"""Results into the viewer: above their input, linked to it, under a name of their own."""

from __future__ import annotations

from typing import Any

from napari_credible.gui.asked import Asked
from napari_credible.gui.layers import flags_of, layer_of
from napari_credible.gui.older import link
from napari_credible.gui.sampling import Seen
from napari_credible.result import Result

_LINKED = ("contrast_limits",)


def add_result(
    viewer: Any, result: Result, asked: Asked, *, flags: bool, seen: Seen | None = None
) -> Any:
    """Add the estimate, and its flags where asked; return the estimate's layer.

    The result stands above its input, or on top where the input is gone, and the two share
    their contrast limits until they are unlinked in the layer list. ``seen`` tells of an
    estimate on other pixels than the input's.
    """
    attributes = asked.attributes if seen is None else seen.attributes
    layers = viewer.layers
    new = layer_of(result, attributes, [layer.name for layer in layers])
    added = viewer.add_image(**new)
    if flags:
        doubts = viewer.add_labels(**flags_of(result, asked.attributes, added.name))
        doubts.opacity = 0.5
        layers.selection.active = added
    if asked.layer in layers:
        layers.move(layers.index(added), layers.index(asked.layer) + 1)
        if not attributes.get("rgb") and (seen is None or seen.alike):
            link(layers, [asked.layer, added], _LINKED)
    return added
