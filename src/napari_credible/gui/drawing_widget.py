"""What widgets share that draw: maps that grow as layers, Stop that keeps what is done."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

from napari.layers import Shapes
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_credible.gui.area import AreaControls
from napari_credible.gui.asked import Asked
from napari_credible.gui.family import Family, family_of
from napari_credible.gui.live import Live
from napari_credible.gui.recipe_widget import RecipeWidget
from napari_credible.gui.sampling import Drawn
from napari_credible.planes import Progress
from napari_credible.region import Region
from napari_credible.result import Result

# Once the layers that were removed are gone from napari as well.
_FREED_MS = 1000


class DrawingWidget(RecipeWidget):
    """A widget whose run draws from a posterior; never built itself.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where the results go.
    method : str
        Of the recipes.
    """

    controls: AreaControls

    def __init__(self, napari_viewer: Viewer, method: str) -> None:
        super().__init__(napari_viewer, method)
        self.live: Live | None = None

    def ready(self) -> None:
        """Lay the controls out and begin to listen."""
        super().ready()
        for control in (self.controls.area, self.controls.planes):
            control.changed.connect(self._form_changed)

    # ── what is asked ──

    def region(self, asked: Asked) -> Region | None:
        """Return the part of the layer that the form names.

        Raises
        ------
        ValueError
            One sentence, where it names a shape that is not there.
        """
        return self.controls.region(self.viewer, asked)

    def shapes_layers(self) -> list[Shapes]:
        """Return the layers whose shapes may name a part."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Shapes)]

    # ── what runs ──

    def start(self) -> None:
        """Draw in a worker; what is done meanwhile is shown."""
        asked = self.asked()
        if asked is not None:
            self.start_on(asked)

    def start_on(self, asked: Asked) -> None:
        """Begin what is asked on the part that the form names."""
        try:
            region = self.region(asked)
        except ValueError as error:
            self.say(str(error))
        else:
            self.launch(asked, region)

    def launch(self, asked: Asked, region: Region | None) -> None:
        """Draw in a worker; layers grow meanwhile."""
        if self.live is not None:
            self.live.flush()
        self.live = Live(self.viewer, asked, region, self._discarded)
        self.jobs["layers"] = self.live
        working = partial(self.working, asked, region=region)
        self.begin(self.name, working, self._drawn, partial=True)

    def deliver(self, found: Drawn, asked: Asked) -> int:
        """Add the maps and the draws of a run."""
        before = len(self.viewer.layers)
        live = Live(self.viewer, asked, found.result.region, lambda: None)
        live.end(found, lambda _: None)
        live.flush()
        return len(self.viewer.layers) - before

    def cancel(self) -> None:
        """Stop, and keep the draws that are done; a second time keeps nothing."""
        super().cancel()
        if "run" in self.jobs:
            self.say("Stopping; the draws that are done are kept …")

    def _step(self, progress: Progress, seconds: float) -> None:
        super()._step(progress, seconds)
        maps = progress.posterior
        if self.live is not None and maps is not None:
            self.live.show(maps)
            self.say(f"{self.controls.status.text()}; the maps are those of {maps.n_draws} draws")

    def _drawn(self, drawn: Drawn) -> None:
        self.show_models(drawn.result.noise)
        if self.live is not None:
            self.live.end(drawn, partial(self._shown, drawn.result))

    def _shown(self, result: Result, mean: Any) -> None:
        """Say what was drawn and how sure it is; let go of it."""
        self.live = None
        self.jobs.pop("layers", None)
        asked, done = result.recipe.n_draws, result.posterior.n_draws  # type: ignore[union-attr]
        short = f"Stopped after {done} of {asked} draws. " if done < asked else ""
        self.say(short + self.words_of(result))

    def words_of(self, result: Result) -> str:
        """Return what came out: how sure the maps are, the noise, the doubts."""
        sure = f"{result.sureness}." if result.sureness else ""
        words = [model.in_words() for model in result.noise]
        return "\n".join(filter(None, [sure, *words, *result.doubts]))

    def _ended(self, cancelled: bool) -> None:
        if cancelled and self.live is not None:
            self.live.clear()
            self._stop("layers")
            self.live = None
        super()._ended(cancelled)

    def fail(self, error: Exception) -> None:
        """Say what went wrong; what was shown of the run goes."""
        if self.live is not None:
            self.live.clear()
        self._stop("layers")
        self.live = None
        super().fail(error)

    def _discarded(self) -> None:
        """Stop, because the user has removed every layer of the run."""
        self._stop("layers")
        self.live = None
        self._stop("run")
        self._busy(False)
        self.say("The layers were removed; the run has stopped.")

    # ── what changes ──

    def _layers_changed(self, event: Any = None) -> None:
        for layer in self.shapes_layers():
            layer.events.name.connect(self._layers_changed)
            layer.events.set_data.connect(self._shape_changed)
        self.controls.area.reset_choices()
        super()._layers_changed(event)
        removed = getattr(event, "type", "") == "removed"
        if removed and isinstance(family_of(event.value), Family):
            # Layers refer to themselves in circles, which Python looks for at its leisure only.
            QTimer.singleShot(_FREED_MS, gc.collect)

    def _shape_changed(self, event: Any = None) -> None:
        if event is not None and event.source is self.controls.area.value:
            self._replan()

    def _layer_changed(self, event: Any = None) -> None:
        super()._layer_changed(event)
        layer = self.controls.layer.value
        self.controls.offer_planes(layer is not None and layer.ndim > 2)
