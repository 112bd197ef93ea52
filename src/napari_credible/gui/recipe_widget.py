"""What every widget that runs a recipe has in common: layer, axes, noise, plan, run, Cancel."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from napari.viewer import Viewer
from superqt.utils import qdebounced

from napari_credible.gui import asked as work
from napari_credible.gui.actions import Actions
from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.axes_panel import AxesPanel
from napari_credible.gui.job import Answers, Job, Work
from napari_credible.gui.layer_widget import NO_LAYER, LayerWidget
from napari_credible.gui.layers import attributes_of, image_from_layer
from napari_credible.gui.layout import Controls, lay_out
from napari_credible.gui.planner import planned
from napari_credible.gui.preview import Preview
from napari_credible.plan import duration
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.region import Region

_STOPPED = "Stopped; nothing was added."
_SETTLED_MS = 400


class RecipeWidget(LayerWidget):
    """A form that spells a recipe, and what runs it; never built itself.

    Who builds on it says what is worked on (:meth:`region`), how (:meth:`working`), what is done
    with a result (:meth:`deliver`) and what the view shows meanwhile (``preview``), and ends its
    own ``__init__`` by :meth:`ready`.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where results go.
    method : str
        Of the recipes.
    """

    name = ""
    controls: Controls
    preview: Preview

    def __init__(self, napari_viewer: Viewer, method: str) -> None:
        super().__init__(napari_viewer)
        self.method = method
        self.axes = AxesPanel()
        self.actions = Actions(self)
        self._replan = qdebounced(self._plan, timeout=_SETTLED_MS)

    def ready(self) -> None:
        """Lay the controls out and begin to listen."""
        self.controls.actions = self.actions
        lay_out(self, self.controls, self.axes, self.noise)
        self.listen()
        self._layers_changed()

    def listen(self) -> None:
        """Begin to listen to the form and to the viewer."""
        super().listen()
        self.viewer.layers.selection.events.active.connect(self._follow)
        self.controls.preview.changed.connect(self._preview_turned)
        for field in self.controls.fields.values():
            field.changed.connect(self._form_changed)
        self.axes.changed.connect(self._form_changed)
        self.noise.changed.connect(self._form_changed)

    def closeEvent(self, event: Any) -> None:
        """Stop everything and let go of the viewer."""
        self.preview.close()
        self.viewer.layers.selection.events.active.disconnect(self._follow)
        super().closeEvent(event)

    # ── what differs ──

    def region(self, asked: Asked) -> Region | None:
        """Return which part of the layer is worked on; None is all of it."""
        return None

    def working(
        self, asked: Asked, stop: Stop, region: Region | None = None
    ) -> Generator[Progress, None, Any]:
        """Return the steps to what :meth:`deliver` takes; they run in a worker."""
        raise NotImplementedError

    def deliver(self, found: Any, asked: Asked) -> int:
        """Put what was found into the viewer, at once; return how many layers."""
        raise NotImplementedError

    # ── what is asked ──

    def recipe(self) -> Recipe:
        """Return the recipe that the form spells; its noise is None where it is to be measured."""
        values = self.controls.values()
        return Recipe.of(method=self.method, noise=self.noise.noise(), **values)

    def asked(self) -> Asked | None:
        """Return what the form asks, or say what it lacks."""
        layer = self.controls.layer.value
        if layer is None:
            self.say(NO_LAYER)
            return None
        try:
            return self.asked_of(layer, self.recipe())
        except ValueError as error:
            self.say(str(error))
            return None

    def asked_of(self, layer: Any, recipe: Recipe, axes: str | None = None) -> Asked:
        """Return a recipe for a layer, with the noise panel's question."""
        axes = self.axes.axes() if axes is None else axes
        image = image_from_layer(layer, axes)
        return Asked(layer, image, attributes_of(layer), recipe, self.noise.question())

    # ── what runs ──

    def recipe_to_keep(self) -> Recipe:
        """Return the form's recipe as it may be run elsewhere."""
        return self.recipe()

    def planning(self, asked: Any, region: Region | None) -> Work:
        """Return what a worker finds out before a run, for :meth:`told`."""
        return partial(planned, asked, region)

    def told(self, found: Any) -> None:
        """Show what was found out before a run: the plan in words."""
        self.controls.plan.setText(str(found))

    def untold(self, error: Exception) -> None:
        """Show why nothing was found out."""
        self.controls.plan.setText(str(error))

    def begin(
        self,
        name: str,
        making: Callable[..., Any],
        done: Callable[[Any], None],
        *,
        partial: bool = False,
    ) -> None:
        """Run long work with progress and Cancel; one at a time.

        Parameters
        ----------
        name : str
            Of its progress bar.
        making : callable
            Takes a callable that says whether to stop; returns the steps.
        done : callable
            Is told the result.
        partial : bool
            Whether what is done at a Stop is a result.
        """
        self.controls.preview.value = False
        self._stop("plan")
        self._busy(True)
        answers = Answers(done, self.fail, self._step, self._ended)
        self.jobs["run"] = Job(making, answers, name, partial=partial)

    def measure(self) -> None:
        """Measure the noise as the panel asks."""
        asked = self.asked()
        if asked is not None:
            self._busy(True)
            answers = Answers(self._measured, self.fail, self._step, self._ended)
            self.jobs["run"] = Job(partial(work.measure, asked), answers, "Measure noise")

    def _stop(self, name: str) -> None:
        if name in self.jobs:
            self.jobs.pop(name).abandon()

    def _step(self, progress: Progress, seconds: float) -> None:
        bar = self.controls.bar
        bar.setMaximum(max(progress.total, 1))
        bar.setValue(progress.done)
        words = f"{progress.doing} …"
        if progress.done:
            left = seconds / progress.done * (progress.total - progress.done)
            words = (
                f"{progress.doing}: {progress.done} of {progress.total}, "
                f"about {duration(left)} left"
            )
        self.say(words)

    def _ended(self, cancelled: bool) -> None:
        self.jobs.pop("run", None)
        self._busy(False)
        if cancelled:
            self.say(_STOPPED)

    def _measured(self, models: tuple[Any, ...]) -> None:
        self.show_models(models)
        self.say("\n".join(model.in_words() for model in models))

    def show_models(self, models: tuple[Any, ...]) -> None:
        """Show models that were measured; typed ones carry no evidence."""
        if all(model.evidence is not None for model in models):
            self.noise.show_measured(models)

    def _busy(self, busy: bool) -> None:
        self.controls.busy(busy)
        self.noise.setEnabled(not busy)

    # ── what changes ──

    def _follow(self, event: Any) -> None:
        if event.value in self.image_layers() and "run" not in self.jobs:
            self.controls.layer.value = event.value

    def _layer_changed(self, _: Any = None) -> None:
        layer = self.controls.layer.value
        self.controls.run.enabled = layer is not None and "run" not in self.jobs
        self.axes.set_layer(layer)
        self.noise.forget()
        self.say("" if layer is not None else NO_LAYER)
        try:
            self.noise.set_header(image_from_layer(layer).header if layer is not None else {})
        except ValueError as error:
            self.say(str(error))

    def _form_changed(self, _: Any = None) -> None:
        layer = self.controls.layer.value
        if layer is not None:
            self.noise.set_channels(self.axes.channels())
            self.controls.axes_title(self.axes.summary())
        self.preview.renew()
        self._replan()

    def _plan(self) -> None:
        """Say how long the run will take, from one tile timed in a worker."""
        if "run" in self.jobs or self.controls.layer.value is None:
            self.controls.plan.setText("")
            return
        asked = self.asked()
        self._stop("plan")
        if asked is None:
            return
        try:
            region = self.region(asked)
        except ValueError as error:
            self.untold(error)
            return
        answers = Answers(self.told, self.untold, end=self._planned)
        self.jobs["plan"] = Job(self.planning(asked, region), answers)

    def _planned(self, _: bool) -> None:
        self.jobs.pop("plan", None)

    def _preview_turned(self, on: bool) -> None:
        self.preview.turn(on)
        if not on:
            self.say("")
