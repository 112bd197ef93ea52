"""The Adapt widget: tune a network to a layer, watch it, keep it; rank denoisers without truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog

from napari_credible.adapt.modes import External
from napari_credible.denoise.learned import Learned
from napari_credible.denoise.save import save_denoiser
from napari_credible.gui import adapt_work as work
from napari_credible.gui.adapt_form import AdaptControls, lay_out
from napari_credible.gui.adapt_plot import AdaptPlot, Course
from napari_credible.gui.adapt_work import Question
from napari_credible.gui.job import Answers, Job
from napari_credible.gui.layer_widget import NO_LAYER, LayerWidget
from napari_credible.gui.layers import METADATA_KEY, attributes_of, image_from_layer


class AdaptWidget(LayerWidget):
    """Adapt a network to an image layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where before and after go.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.adapted: Learned | None = None
        self._question: Question | None = None
        self._stop = Event()
        self.plot = AdaptPlot(napari_viewer)
        self.course = Course()
        self.controls = AdaptControls(self.image_layers)
        lay_out(self, self.controls, self.noise, self.plot)
        self.listen()
        self._layers_changed()

    def listen(self) -> None:
        """Begin to listen to the form and to the viewer."""
        super().listen()
        controls = self.controls
        controls.stop.clicked.connect(self.stop)
        controls.look.clicked.connect(self.look)
        controls.save.clicked.connect(self.ask_where)
        controls.compare.clicked.connect(self.compare)

    def closeEvent(self, event: Any) -> None:
        """Stop everything and let go of the viewer."""
        self.plot.let_go()
        super().closeEvent(event)

    # ── what is asked ──

    def question(self) -> Question | None:
        """Return what the form asks, or say what it lacks."""
        controls, layer = self.controls, self.controls.layer.value
        if layer is None:
            self.say(NO_LAYER)
            return None
        try:
            mode = controls.chosen()
            chosen = controls.examples.value if isinstance(mode, External) else []
            return Question(
                layer=layer,
                image=image_from_layer(layer),
                noise=self.noise.noise(),
                measure=self.noise.question(),
                denoiser=controls.denoiser.value,
                mode=mode,
                examples=tuple(image_from_layer(example) for example in chosen),
            )
        except ValueError as error:
            self.say(str(error))
            return None

    # ── what runs ──

    def start(self) -> None:
        """Adapt in a worker."""
        asked = self.question()
        if asked is None:
            return
        self._stop, self._question, self.course = Event(), asked, Course()
        self.plot.show_course(self.course)
        self._begin("Adapt", partial(work.adapted, asked, self._stop.is_set), self._keep, True)

    def stop(self) -> None:
        """End at the next step and keep the best so far."""
        self._stop.set()
        self.controls.stop.enabled = False

    def compare(self) -> None:
        """Rank the shipped denoisers, and the adapted one, in a worker."""
        asked = self.question()
        if asked is not None:
            making = partial(work.compared, asked, self.controls.by.value, self.adapted)
            self._begin("Compare", making, self.controls.show_rows)

    def measure(self) -> None:
        """Measure the noise as the panel asks."""
        asked = self.question()
        if asked is not None:
            self._begin("Measure noise", partial(work.measured, asked), self.noise.show_measured)

    def look(self) -> None:
        """Denoise the layer before and after, as two layers."""
        if self.adapted is not None and self._question is not None:
            making = partial(work.both, self._question, self.adapted)
            self._begin("Before and after", making, self._show_both)

    def save_to(self, path: Path) -> None:
        """Write the adapted weights and their card."""
        if self.adapted is None:
            return
        try:
            save_denoiser(self.adapted, path)
        except (ValueError, OSError) as error:
            self.fail(error)
        else:
            self.say(f"Wrote {path.name} and its card; give its path as the denoiser.")

    def ask_where(self) -> None:
        """Ask for a file name and save."""
        path, _ = QFileDialog.getSaveFileName(self, "Save weights", "", "Weights (*.safetensors)")
        if path:
            self.save_to(Path(path).with_suffix(".safetensors"))

    def _begin(
        self, name: str, making: Any, done: Callable[[Any], None], stoppable: bool = False
    ) -> None:
        self.controls.busy(True, stoppable)
        self.controls.look.enabled = self.controls.save.enabled = False
        answers = Answers(done, self.fail, self._step, self._ended)
        self.jobs["run"] = Job(making, answers, name)

    # ── what is shown ──

    def _step(self, progress: Any, _: float) -> None:
        bar = self.controls.bar
        bar.setMaximum(max(progress.total, 1))
        bar.setValue(progress.done)
        if hasattr(progress, "loss"):
            self.course.add(progress)
            self.plot.show_course(self.course)
            gain = self.course.gains[-1]
            told = f"; estimated {gain:+.2f} ± {self.course.errors[-1]:.2f} dB" if gain else ""
            self.say(f"{progress.doing}: step {progress.done} of {progress.total}{told}")
        else:
            self.say(f"{progress.doing} …")

    def _keep(self, adapted: Learned) -> None:
        self.adapted = adapted
        words = adapted.card.adaptation["words"]
        self.say(f"{words[:1].upper()}{words[1:]}.")

    def _show_both(self, results: tuple[Any, Any]) -> None:
        assert self._question is not None
        shared = attributes_of(self._question.layer)
        for result, when in zip(results, ("before", "after"), strict=True):
            self.viewer.add_image(
                result.estimate,
                **{
                    **shared,
                    "name": f"{self._question.image.name} · {when} adapting",
                    "metadata": {METADATA_KEY: result.record()},
                },
            )
        self.say("Two layers: hide the upper one to see the difference.")

    def _ended(self, cancelled: bool) -> None:
        self.jobs.pop("run", None)
        self.controls.busy(False)
        self.controls.look.enabled = self.controls.save.enabled = self.adapted is not None
        if cancelled:
            self.say("Cancelled; nothing was kept.")

    # ── what changes ──

    def _layers_changed(self, event: Any = None) -> None:
        self.controls.examples.reset_choices()
        super()._layers_changed(event)

    def _layer_changed(self, _: Any = None) -> None:
        layer = self.controls.layer.value
        for button in (self.controls.run, self.controls.compare):
            button.enabled = layer is not None and "run" not in self.jobs
        self.noise.forget()
        self.say("" if layer is not None else NO_LAYER)
        if layer is None:
            return
        try:
            image = image_from_layer(layer)
            self.noise.set_header(image.header)
            self.noise.set_channels([""] * len(image.channels()))
        except ValueError as error:
            self.say(str(error))
