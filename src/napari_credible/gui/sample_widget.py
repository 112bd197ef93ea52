"""The Sample posterior widget: draws images that may have been, and shows how they differ."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from napari.layers import Shapes
from napari.viewer import Viewer

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.drawing_widget import DrawingWidget
from napari_credible.gui.family import STD
from napari_credible.gui.looks import look_of, shown
from napari_credible.gui.picture import Picture
from napari_credible.gui.preview import Preview, Previewed
from napari_credible.gui.region import region_in_view, region_of_shape, whole_plane
from napari_credible.gui.sample_controls import ALL_PLANES, VIEW, SampleControls
from napari_credible.gui.sampling import Drawn, sampled
from napari_credible.gui.settings import default_recipe, scratch_folder
from napari_credible.planes import Progress
from napari_credible.region import Region
from napari_credible.result import Result

QUICK = Previewed(
    name="quick std",
    doing="mapping the spread of the view",
    shown="Std, from the denoiser alone,",
    picture=lambda result: _quick_std(result),
    look=lambda std: look_of(STD, std),
    linked=(),
    on_top=True,
)


class SampleWidget(DrawingWidget):
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

    def working(
        self, asked: Asked, stop: Stop, region: Region | None = None
    ) -> Generator[Progress, None, Drawn]:
        """Return the steps to the draws."""
        return sampled(asked, region, scratch_folder(), stop)

    # ── what changes ──

    def _layers_changed(self, event: Any = None) -> None:
        for layer in self._shapes():
            layer.events.name.connect(self._layers_changed)
            layer.events.set_data.connect(self._shape_changed)
        self.controls.area.reset_choices()
        super()._layers_changed(event)

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
