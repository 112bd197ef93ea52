"""The Denoise widget: choose a layer and its noise, look at a preview, run, get a new layer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
from napari.viewer import Viewer

from napari_credible.flags import Flag
from napari_credible.gui import asked as work
from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.deliver import add_result
from napari_credible.gui.layout import DenoiseControls
from napari_credible.gui.preview import Preview
from napari_credible.gui.recipe_widget import RecipeWidget
from napari_credible.gui.settings import default_recipe
from napari_credible.planes import Progress
from napari_credible.region import Region
from napari_credible.result import Result

# Their values are no measurement, and a denoiser leaves them as they are.
_INPAINTED = Flag.NOT_FINITE | Flag.SATURATED
_GONE = "The layer with the doubtful pixels is gone; open it again."


class DenoiseWidget(RecipeWidget):
    """Denoise an image layer into a new one.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where the result goes.
    """

    name = "Denoise"
    controls: DenoiseControls

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "denoise")
        self.controls = DenoiseControls(default_recipe(), self.image_layers)
        self.controls.inpaint.clicked.connect(self.inpaint)
        self._doubtful: tuple[Callable[[], Any], tuple[Any, ...]] | None = None
        self.preview = Preview(napari_viewer, self.asked, self.say, self.show_models)
        for control in (self.controls.how, self.controls.share):
            control.changed.connect(self._preview_shown)
        self.ready()

    def start(self) -> None:
        """Run what the form asks in a worker."""
        asked = self.asked()
        if asked is not None:
            self.begin(self.name, partial(self.working, asked), partial(self._add, asked=asked))

    def working(
        self, asked: Asked, stop: Stop, region: Region | None = None
    ) -> Generator[Progress, None, Result]:
        """Return the steps to the result."""
        return work.run(asked, stop, region)

    def deliver(self, found: Result, asked: Asked) -> int:
        """Add the estimate."""
        add_result(self.viewer, found, asked, flags=False)
        return 1

    def _add(self, result: Result, asked: Asked) -> None:
        added = add_result(self.viewer, result, asked, flags=self.controls.flags.value)
        self.show_models(result.noise)
        words = [model.in_words() for model in result.noise]
        self.say("\n".join([f"Added {added.name!r}.", *words, *result.doubts]))
        doubtful = bool((result.flags & np.uint8(_INPAINTED)).any())
        self._doubtful = (ref(asked.layer), result.noise) if doubtful else None
        self.controls.inpaint.visible = doubtful

    def inpaint(self) -> None:
        """Open the Restore widget on the pixels of the last input that were kept as they were."""
        source = self._doubtful[0]() if self._doubtful is not None else None
        if self._doubtful is None or source not in self.viewer.layers:
            self.say(_GONE)
            return
        _, restore = self.viewer.window.add_plugin_dock_widget("napari-credible", "Restore")
        restore.inpaint(source, self._doubtful[1])

    def _layer_changed(self, event: Any = None) -> None:
        super()._layer_changed(event)
        self._doubtful = None
        self.controls.inpaint.visible = False

    def _preview_shown(self, _: Any = None) -> None:
        self.preview.show(self.controls.how.value, self.controls.share.value / 100)
