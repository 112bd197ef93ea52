"""The Denoise widget: choose a layer and its noise, run, get a new layer."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from magicgui.widgets import ComboBox, Container, FloatSpinBox, Label, ProgressBar, PushButton
from napari.layers import Image as ImageLayer
from napari.utils.notifications import show_error, show_info
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_credible.denoise import denoisers
from napari_credible.gui.job import Job
from napari_credible.gui.layers import attributes_of, image_from_layer, layer_of
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.recipe import Recipe
from napari_credible.result import Result
from napari_credible.run import Progress, steps

_MEASURED, _GAUSSIAN, _POISSON = "measure it", "Gaussian", "Poisson-Gaussian"
# Sentences wrap; without this the dock takes half of the window.
_WIDEST = 420
_SENTENCES_HIGH = 160
_NO_LAYER = "Open an image, or File > Open Sample > Credible."


class DenoiseWidget(Container):  # type: ignore[misc]
    """Denoise an image layer into a new one.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are offered, and where the result goes.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._job: Job | None = None
        self._layer = ComboBox(label="image", choices=self._image_layers)
        self._noise = ComboBox(label="noise", choices=[_MEASURED, _GAUSSIAN, _POISSON])
        self._sigma = _number("sigma", "Standard deviation of the noise, in the image's units", 1.0)
        self._gain = _number("gain", "Image units per photoelectron", 1.0)
        self._offset = _number("offset", "Value without light, in the image's units", 0.0, low=-1e9)
        self._read = _number("read noise", "Standard deviation without light, image units", 0.0)
        self._fields = {
            "sigma": self._sigma,
            "gain": self._gain,
            "offset": self._offset,
            "read_noise": self._read,
        }
        self._denoiser = ComboBox(label="denoiser", choices=list(denoisers()))
        self._measure = PushButton(text="Measure noise")
        self._run = PushButton(text="Denoise")
        self._cancel = PushButton(text="Cancel", enabled=False)
        self._bar = ProgressBar(label="", min=0, max=1, value=0)
        self._status = Label(value="")
        buttons = Container(widgets=[self._measure, self._run, self._cancel], layout="horizontal")
        buttons.margins = (0, 0, 0, 0)
        super().__init__(
            widgets=[
                self._layer, self._noise, self._sigma, self._gain, self._offset, self._read,
                self._denoiser, buttons, self._bar, self._status,
            ]
        )  # fmt: skip
        self._status.native.setWordWrap(True)
        self._status.native.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._status.native.setMinimumHeight(_SENTENCES_HIGH)
        self.native.setMaximumWidth(_WIDEST)
        self._noise.changed.connect(self._show_fields)
        self._denoiser.changed.connect(self._explain)
        self._measure.clicked.connect(self._start_measuring)
        self._run.clicked.connect(self._start)
        self._cancel.clicked.connect(self._stop)
        self.native.destroyed.connect(partial(_abandon, self.__dict__))
        self._show_fields()
        self._explain()
        self._say("" if self._layer.value is not None else _NO_LAYER)

    def recipe(self) -> Recipe:
        """Return the recipe that the form spells."""
        return Recipe.of(noise=self._model(), denoiser=self._denoiser.value)

    def _model(self) -> Gaussian | PoissonGaussian | None:
        if self._noise.value == _GAUSSIAN:
            return Gaussian(self._sigma.value)
        if self._noise.value == _POISSON:
            return PoissonGaussian(self._gain.value, self._offset.value, self._read.value)
        return None

    def _image_layers(self, _: Any = None) -> list[ImageLayer]:
        return [layer for layer in self._viewer.layers if isinstance(layer, ImageLayer)]

    def _start(self) -> None:
        """Read the form, then run its recipe in a worker."""
        asked = self._asked()
        if asked is None:
            return
        layer, image = asked
        try:
            recipe = self.recipe()
        except ValueError as error:
            self._fail(error)
            return
        added = partial(self._add, layer=layer, attributes=attributes_of(layer))
        self._begin(partial(steps, recipe, image), added)

    def _start_measuring(self) -> None:
        asked = self._asked()
        if asked is not None:
            self._begin(partial(_measuring, asked[1]), self._show_model)

    def _asked(self) -> tuple[ImageLayer, Image] | None:
        layer = self._layer.value
        if layer is None:
            self._say(_NO_LAYER)
            return None
        try:
            return layer, image_from_layer(layer)
        except ValueError as error:
            self._fail(error)
            return None

    def _begin(self, work: Any, done: Any) -> None:
        self._busy(True)
        self._job = Job(work, self._step, done, self._fail, self._end)

    def _stop(self) -> None:
        if self._job is not None:
            self._say("Stopping after this tile …")
            self._job.cancel()

    def _step(self, progress: Progress, seconds: float) -> None:
        self._bar.max = max(progress.total, 1)
        self._bar.value = progress.done
        if not progress.done:
            self._say(f"{progress.doing} …")
            return
        left = seconds / progress.done * (progress.total - progress.done)
        self._say(
            f"{progress.doing}: {progress.done} of {progress.total} tiles, about {left:.0f} s left"
        )

    def _add(self, result: Result, layer: ImageLayer, attributes: dict[str, Any]) -> None:
        """Add the result above its input, or on top where the input is gone."""
        layers = self._viewer.layers
        added = self._viewer.add_image(**layer_of(result, attributes, [x.name for x in layers]))
        if layer in layers:
            layers.move(layers.index(added), layers.index(layer) + 1)
        measured = self._show_model(result.noise[0])
        self._say("\n".join([f"Added {added.name!r}.", measured, *result.doubts]))

    def _show_model(self, model: Gaussian | PoissonGaussian) -> str:
        """Show measured numbers in the fields, where they can be changed; say them with errors."""
        words = model.in_words()
        self._say("\n".join([words, *(model.evidence.doubts if model.evidence else ())]))
        if model.evidence:
            for name, field in self._fields.items():
                field.value = getattr(model, name, field.value)
            self._show_fields(_GAUSSIAN if isinstance(model, Gaussian) else _POISSON)
        return words

    def _fail(self, error: Exception) -> None:
        self._say(str(error))
        if isinstance(error, (ValueError, MemoryError)):
            show_info(str(error))
        else:
            show_error(f"{type(error).__name__}: {error}")

    def _end(self, stopped: bool) -> None:
        self._job = None
        self._busy(False)
        if stopped:
            self._say("Stopped; nothing was added.")

    def _busy(self, busy: bool) -> None:
        self._run.enabled = self._measure.enabled = not busy
        self._cancel.enabled = busy
        self._bar.value = 0

    def _say(self, text: str) -> None:
        self._status.value = text

    def _show_fields(self, kind: str | None = None) -> None:
        kind = kind or self._noise.value
        self._sigma.visible = kind == _GAUSSIAN
        for field in (self._gain, self._offset, self._read):
            field.visible = kind == _POISSON
        typed = self._noise.value != _MEASURED
        for field in self._fields.values():
            field.enabled = typed

    def _explain(self) -> None:
        self._denoiser.tooltip = denoisers()[self._denoiser.value]


def _measuring(image: Image) -> Generator[Progress, None, Gaussian | PoissonGaussian]:
    """Measure the noise of the first channel, as a run would."""
    from napari_credible.noise import estimate_noise

    yield Progress(0, 1, "measuring the noise")
    first = image.ordered()[0] if image.channel_axis else image.ordered()
    return estimate_noise(Image(first, header=image.header))


def _abandon(state: dict[str, Any], *_: Any) -> None:
    """Stop the job of a widget that Qt has destroyed."""
    job = state.get("_job")
    if job is not None:
        job.abandon()


def _number(label: str, tooltip: str, value: float, low: float = 0.0) -> FloatSpinBox:
    box = FloatSpinBox(label=label, tooltip=tooltip, value=value, min=low, max=1e9, step=0.1)
    box.native.setDecimals(4)
    return box
