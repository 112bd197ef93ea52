"""The Sample posterior widget: draws images that may have been, and shows how they differ."""

from __future__ import annotations

import gc
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

from napari.layers import Shapes
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.family import STD, Family, family_of
from napari_credible.gui.live import Live
from napari_credible.gui.looks import look_of, shown
from napari_credible.gui.picture import Picture
from napari_credible.gui.preview import Preview, Previewed
from napari_credible.gui.recipe_widget import RecipeWidget
from napari_credible.gui.region import region_in_view, region_of_shape, whole_plane
from napari_credible.gui.sample_controls import ALL_PLANES, VIEW, SampleControls
from napari_credible.gui.sampling import Drawn, sampled
from napari_credible.gui.settings import default_recipe, scratch_folder
from napari_credible.planes import Progress
from napari_credible.region import Region
from napari_credible.result import Result

# Once the layers that were removed are gone from napari as well.
_FREED_MS = 1000

QUICK = Previewed(
    name="quick std",
    doing="mapping the spread of the view",
    shown="Std, from the denoiser alone,",
    picture=lambda result: _quick_std(result),
    look=lambda std: look_of(STD, std),
    linked=(),
    on_top=True,
)


class SampleWidget(RecipeWidget):
    """Sample the posterior of an image layer, and map what the draws agree on.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where the results go.
    """

    name = "Sample"
    controls: SampleControls

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "sample")
        recipe = default_recipe().replace(method="sample")
        self.controls = SampleControls(recipe, self.image_layers, self._shapes)
        self.preview = Preview(napari_viewer, self._quick_asked, self.say, self.show_models, QUICK)
        self.picture = Picture(self)
        self.controls.sections.append(("Composite and contours", self.picture))
        self.live: Live | None = None
        for control in (self.controls.area, self.controls.planes):
            control.changed.connect(self._form_changed)
        self.ready()

    # ── what is asked ──

    def region(self, asked: Asked) -> Region | None:
        """Return the part of the layer that the form names.

        Raises
        ------
        ValueError
            One sentence, where it names a shape that is not there.
        """
        area = self.controls.area.value
        planes = self.controls.planes.value == ALL_PLANES
        viewer, layer, image = self.viewer, asked.layer, asked.image
        if isinstance(area, Shapes):
            return region_of_shape(viewer, layer, image, area, planes=planes)
        if area == VIEW:
            return region_in_view(viewer, layer, image, largest=None, planes=planes)
        return None if planes else whole_plane(viewer, layer, image)

    def _quick_asked(self) -> Asked | None:
        asked = self.asked()
        return asked and replace(asked, recipe=asked.recipe.replace(method="spread"))

    def _shapes(self) -> list[Shapes]:
        return [layer for layer in self.viewer.layers if isinstance(layer, Shapes)]

    # ── what runs ──

    def start(self) -> None:
        """Sample in a worker; what is done meanwhile is shown."""
        asked = self.asked()
        if asked is None:
            return
        try:
            region = self.region(asked)
        except ValueError as error:
            self.say(str(error))
            return
        if self.live is not None:
            self.live.flush()
        self.live = Live(self.viewer, asked, region, self._discarded)
        self.jobs["layers"] = self.live
        working = partial(self.working, asked, region=region)
        self.begin(self.name, working, self._drawn, partial=True)

    def working(
        self, asked: Asked, stop: Stop, region: Region | None = None
    ) -> Generator[Progress, None, Drawn]:
        """Return the steps to the draws."""
        return sampled(asked, region, scratch_folder(), stop)

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
        words = [model.in_words() for model in result.noise]
        self.say("\n".join([f"{short}{result.sureness}.", *words, *result.doubts]))

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
        self.say("The layers were removed; sampling has stopped.")

    # ── what changes ──

    def _layers_changed(self, event: Any = None) -> None:
        for layer in self._shapes():
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
        several = layer is not None and layer.ndim > 2
        self.controls.planes.enabled = several
        if not several:
            self.controls.planes.value = ALL_PLANES


def _quick_std(result: Result) -> Any:
    assert result.posterior is not None
    return shown(STD, result.posterior.std, result.source)
