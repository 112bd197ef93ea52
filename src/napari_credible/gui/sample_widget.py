"""The Sample posterior widget: draws images that may have been, and shows how they differ."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from napari.viewer import Viewer

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.drawing_widget import DrawingWidget
from napari_credible.gui.family import STD
from napari_credible.gui.looks import look_of, shown
from napari_credible.gui.picture import Picture
from napari_credible.gui.preview import Preview, Previewed
from napari_credible.gui.sample_controls import SampleControls
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
        self.controls = SampleControls(recipe, self.image_layers, self.shapes_layers)
        self.preview = Preview(napari_viewer, self._quick_asked, self.say, self.show_models, QUICK)
        self.picture = Picture(self)
        self.controls.sections.append(("Composite and contours", self.picture))
        self.ready()

    # ── what is asked ──

    def _quick_asked(self) -> Asked | None:
        asked = self.asked()
        return asked and replace(asked, recipe=asked.recipe.replace(method="spread"))

    # ── what runs ──

    def working(
        self, asked: Asked, stop: Stop, region: Region | None = None
    ) -> Generator[Progress, None, Drawn]:
        """Return the steps to the draws."""
        return sampled(asked, region, scratch_folder(), stop)


def _quick_std(result: Result) -> Any:
    assert result.posterior is not None
    return shown(STD, result.posterior.std, result.source)
