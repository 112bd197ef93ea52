"""A choice among the layers of a viewer."""

from __future__ import annotations

from typing import Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox


class LayerChoice(QComboBox):  # type: ignore[misc]
    """The layers of some kinds of a viewer by name; none is chosen before the user does.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are followed as they come, go and change their names.
    kinds : tuple of layer classes
        That are listed.
    """

    chosen = Signal()

    def __init__(self, viewer: Any, kinds: tuple[type[Any], ...] = (ImageLayer,)) -> None:
        super().__init__()
        self._viewer, self._kinds = viewer, kinds
        self._named: list[Any] = []
        self._layers: list[Any] = []
        self._layer: Any = None
        self.setPlaceholderText("choose a layer")
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed):
            # napari drops a callback by itself where Qt has destroyed its widget.
            emitter.connect(self._refresh)
        self.currentIndexChanged.connect(self._choose)
        self._refresh()

    def layer(self) -> Any:
        """Return the chosen layer, or None."""
        return self._layer

    def choose(self, layer: Any) -> None:
        """Choose a layer, if it is listed."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        events = self._viewer.layers.events
        for emitter in (events.inserted, events.removed):
            emitter.disconnect(self._refresh)
        self._follow_names([])

    def _refresh(self, _: Any = None) -> None:
        """List the layers of now; one that is gone is chosen no more."""
        self._layers = [layer for layer in self._viewer.layers if _is_data(layer, self._kinds)]
        self._follow_names(self._layers)
        before = self._layer
        self._layer = before if before in self._layers else None
        with QSignalBlocker(self):
            self.clear()
            self.addItems([layer.name for layer in self._layers])
            self.setCurrentIndex(-1 if self._layer is None else self._layers.index(self._layer))
        if self._layer is not before:
            self.chosen.emit()

    def _follow_names(self, layers: list[Any]) -> None:
        # napari 0.6.1 has no event of the list for the new name of a layer.
        for layer in self._named:
            layer.events.name.disconnect(self._refresh)
        self._named[:] = layers
        for layer in layers:
            layer.events.name.connect(self._refresh)

    def _choose(self, place: int) -> None:
        self._layer = self._layers[place] if place >= 0 else None
        self.chosen.emit()


def _is_data(layer: Any, kinds: tuple[type[Any], ...]) -> bool:
    # The preview asks the noise panel, which asks this module.
    from napari_credible.gui.preview import PREVIEW_KEY

    return isinstance(layer, kinds) and PREVIEW_KEY not in layer.metadata
