"""The Denoise widget: choose a layer and its noise, look at a preview, run, get a new layer."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from napari.viewer import Viewer

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

    def _preview_shown(self, _: Any = None) -> None:
        self.preview.show(self.controls.how.value, self.controls.share.value / 100)
