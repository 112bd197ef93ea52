"""What every widget that works on a layer has in common: the layer's choice, its noise, a run."""

from __future__ import annotations

from functools import partial
from typing import Any

from napari.layers import Image as ImageLayer
from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

from napari_credible.gui.family import role_of
from napari_credible.gui.job import abandon_all, in_words, notify
from napari_credible.gui.noise_panel import NoisePanel
from napari_credible.gui.preview import PREVIEW_KEY

NO_LAYER = "Open an image, or File > Open Sample > Credible."


class LayerWidget(QWidget):  # type: ignore[misc]
    """A form about one image layer, and one run at a time; never built itself.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where results go.
    """

    # With ``layer``, ``run``, ``cancel`` and ``status`` at least.
    controls: Any

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.jobs: dict[str, Any] = {}
        self.noise = NoisePanel(napari_viewer)

    def listen(self) -> None:
        """Begin to listen to the form and to the viewer."""
        controls = self.controls
        controls.layer.changed.connect(self._layer_changed)
        controls.run.clicked.connect(self.start)
        controls.cancel.clicked.connect(self.cancel)
        self.noise.measure_requested.connect(self.measure)
        for event in self._layer_events():
            event.connect(self._layers_changed)
        # A destroyed widget cannot be asked any more: what must stop is handed over by itself.
        self.destroyed.connect(partial(abandon_all, self.jobs))

    def closeEvent(self, event: Any) -> None:
        """Stop everything and let go of the viewer."""
        abandon_all(self.jobs)
        self.noise.close()
        for each in self._layer_events():
            each.disconnect(self._layers_changed)
        super().closeEvent(event)

    def _layer_events(self) -> list[Any]:
        events = self.viewer.layers.events
        return [events.inserted, events.removed]

    # ── what runs ──

    def start(self) -> None:
        """Run what the form asks in a worker."""
        raise NotImplementedError

    def measure(self) -> None:
        """Measure the noise as the panel asks."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop the run."""
        if "run" in self.jobs:
            self.jobs["run"].cancel()

    def fail(self, error: Exception) -> None:
        """Say what went wrong, as a notification and in the widget."""
        self.say(in_words(error))
        notify(error)

    def say(self, text: str) -> None:
        """Show a sentence at the foot of the widget."""
        self.controls.status.setText(text)

    # ── what changes ──

    def image_layers(self, _: Any = None) -> list[ImageLayer]:
        """Return the layers that may be worked on: no previews, nothing that was sampled."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, ImageLayer)
            and PREVIEW_KEY not in layer.metadata
            and not role_of(layer)
        ]

    def _layers_changed(self, _: Any = None) -> None:
        for layer in self.image_layers():  # a second connection of the same call is none
            layer.events.name.connect(self._layers_changed)
        before = self.controls.layer.value
        self.controls.layer.reset_choices()
        if self.controls.layer.value is not before or before is None:
            self._layer_changed()

    def _layer_changed(self, _: Any = None) -> None:
        """Show what the chosen layer says of itself."""
        raise NotImplementedError
