"""The Restore widget: find the image behind data that an instrument blurred, cut or mixed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

from napari.utils.notifications import show_warning
from napari.viewer import Viewer

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.deliver import add_result
from napari_credible.gui.drawing_widget import DrawingWidget
from napari_credible.gui.job import Work
from napari_credible.gui.layers import attributes_of, image_from_layer
from napari_credible.gui.physics_panel import PhysicsPanel
from napari_credible.gui.physics_question import Physics
from napari_credible.gui.picture import Picture
from napari_credible.gui.restore_controls import RestoreControls
from napari_credible.gui.restoring import Looked, RestoreAsked, Solved, looked, restored
from napari_credible.gui.sampling import Drawn
from napari_credible.gui.settings import default_recipe, scratch_folder
from napari_credible.gui.simulation import Simulation
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.restorers import CAUTION
from napari_credible.result import Result

_NOT_YET = "the operator is still being looked at, or cannot be; see the section Physics"


class RestoreWidget(DrawingWidget):
    """Restore the image behind an image layer's data, y = H x + noise.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where the results go.
    """

    name = "Restore"
    controls: RestoreControls

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "restore")
        recipe = default_recipe().replace(method="restore")
        self.controls = RestoreControls(recipe, self.image_layers, self.shapes_layers)
        self.physics = PhysicsPanel(napari_viewer, self.controls.operator)
        self.physics.changed.connect(self._form_changed)
        self.controls.leading.append(("Physics", self.physics))
        self.controls.leading.append(("Method", self.controls.method))
        self.preview = Simulation(napari_viewer, self.asked, self.say)
        self.controls.sections.append(("Composite and contours", Picture(self)))
        self._found: Physics | None = None
        self.ready()

    def closeEvent(self, event: Any) -> None:
        """Let go of the viewer."""
        self.physics.close()
        super().closeEvent(event)

    def inpaint(self, layer: Any, models: tuple[Any, ...] = ()) -> None:
        """Ask for the missing and saturated pixels of a layer, whose noise may be known."""
        self.controls.layer.value = layer
        self.controls.whole()
        self.physics.inpaint()
        self.show_models(models)

    # ── what is asked ──

    def asked(self) -> RestoreAsked | None:
        """Return what the form asks, or say what it lacks."""
        asked = super().asked()
        if asked is None:
            return None
        assert isinstance(asked, RestoreAsked)
        try:
            physics = self.physics.question(asked.layer, asked.image.axes)
        except ValueError as error:
            self.physics.doubt(str(error))
            self.say(str(error))
            return None
        return replace(asked, physics=physics)

    def asked_of(self, layer: Any, recipe: Recipe, axes: str | None = None) -> RestoreAsked:
        """Return a recipe for a layer, which has its operator."""
        axes = self.axes.axes() if axes is None else axes
        image = image_from_layer(layer, axes)
        return RestoreAsked(layer, image, attributes_of(layer), recipe, self.noise.question())

    def recipe_to_keep(self) -> Recipe:
        """Return the form's recipe with the operator that was last found.

        Raises
        ------
        ValueError
            Where it is not found yet.
        """
        if self._found is None:
            raise ValueError(_NOT_YET)
        return self.recipe().replace(operator=self._found.spelling)

    # ── what runs ──

    def start(self) -> None:
        """Restore in a worker; draws that are done meanwhile are shown."""
        asked = self.asked()
        if asked is None:
            show_warning(self.controls.status.text())
        else:
            self.start_on(asked)

    def launch(self, asked: Asked, region: Region | None) -> None:
        """Draw, or find one image, in a worker."""
        if self.controls.draws():
            super().launch(asked, region)
            return
        working = partial(self.working, asked, region=region)
        self.begin(self.name, working, partial(self._solved, asked=asked))

    def working(
        self, asked: Asked, stop: Stop, region: Region | None = None
    ) -> Generator[Progress, None, Drawn | Solved]:
        """Return the steps to the draws, or to the one image."""
        return restored(asked, region, scratch_folder(), stop)

    def deliver(self, found: Any, asked: Asked) -> int:
        """Add the maps and the draws of a run, or the one image."""
        if not isinstance(found, Solved):
            return super().deliver(found, asked)
        self._add(found, asked)
        return 1

    def _add(self, found: Solved, asked: Asked) -> Any:
        return add_result(self.viewer, found.result, asked, flags=False, seen=found.seen)

    def _solved(self, found: Solved, asked: Asked) -> None:
        added = self._add(found, asked)
        self.show_models(found.result.noise)
        self.say(f"Added {added.name!r}.\n{self.words_of(found.result)}")

    def words_of(self, result: Result) -> str:
        """Return what came out, and what cannot be said of it."""
        solver = result.recipe.solver
        name = str(solver["kind"] if isinstance(solver, dict) else solver.partition(":")[0])
        caution = [f"{name}: {CAUTION[name]}."] if name in CAUTION else []
        return "\n".join([*caution, super().words_of(result)])

    # ── what changes ──

    def planning(self, asked: Any, region: Region | None) -> Work:
        """Return what finds the operator, checks it, and plans the run."""
        return partial(looked, asked, region)

    def told(self, found: Looked) -> None:
        """Show the plan, and what was found of the operator."""
        super().told(found.plan)
        self._found = found.physics
        self.physics.learn(self.controls.layer.value, found.physics, found.words)

    def untold(self, error: Exception) -> None:
        """Show why there is no plan, beside the operator."""
        super().told("")
        self.physics.doubt(str(error))

    def _ended(self, cancelled: bool) -> None:
        super()._ended(cancelled)
        if self._found is None:  # the run came before the check was done
            self._replan()

    def _form_changed(self, event: Any = None) -> None:
        self._found = None
        super()._form_changed(event)
