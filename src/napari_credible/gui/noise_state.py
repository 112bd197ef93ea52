"""What the noise panel knows, apart from how it shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_credible.gui.noise_question import (
    HEADER,
    MEASURE,
    TYPED,
    Model,
    NoiseQuestion,
)  # fmt: skip
from napari_credible.io.image import Image
from napari_credible.knob import knobs
from napari_credible.noise import Evidence, PoissonGaussian, from_header
from napari_credible.noise.header import states_offset

Numbers = dict[str, float]


@dataclass
class Typed:
    """What was typed in for one channel: the kind that holds, and the numbers of each kind."""

    source: str
    numbers: dict[str, Numbers]

    def model(self) -> Model:
        """Return the noise model; a number out of range is a ``ValueError`` of one sentence."""
        kind: Any = TYPED[self.source]
        model: Model = kind(**self.numbers[self.source])
        return model

    def copy(self) -> Typed:
        """Return another one with the same numbers."""
        return Typed(self.source, {kind: dict(n) for kind, n in self.numbers.items()})


def _to_begin_with() -> list[Typed]:
    sources = list(TYPED)
    numbers = ({"sigma": 1.0}, {"gain": 1.0, "offset": 0.0, "read_noise": 0.0})
    return [Typed(sources[0], dict(zip(sources, numbers, strict=True)))]


@dataclass
class NoiseState:
    """Source, channels, typed numbers and measured models.

    Attributes
    ----------
    source : str
        One of :data:`napari_credible.gui.noise_question.SOURCES`.
    channels : list of str
        Their names; one empty name where there is one.
    typed : list of Typed
        One for each channel, or more. Only the user changes them.
    measured : dict
        The measured models of each source.
    stated : PoissonGaussian or None
        What the header of the file says.
    complete : bool
        The header states the offset too, so that there is nothing to measure.
    layer : int
        Counts the layers forgotten.
    asked : str
        Source of the last question that needs measuring.
    """

    source: str = MEASURE
    channels: list[str] = field(default_factory=lambda: [""])
    typed: list[Typed] = field(default_factory=_to_begin_with)
    measured: dict[str, tuple[Model, ...]] = field(default_factory=dict)
    stated: PoissonGaussian | None = None
    complete: bool = False
    layer: int = 0
    asked: str = MEASURE

    def source_of(self, channel: int) -> str:
        """Return the source of one channel: typed ones may be of different kinds."""
        return self.typed[channel].source if self.source in TYPED else self.source

    def choose(self, source: str) -> None:
        """Take the noise of all channels from ``source``."""
        self.source = source
        if source in TYPED:
            for one in self.typed:
                one.source = source

    def models(self) -> tuple[Model, ...] | None:
        """Return the models that hold, one for each channel, or None where they are not known."""
        if self.source in TYPED:
            return tuple(one.model() for one in self.typed[: len(self.channels)])
        if self.source not in self.measured and self.source == HEADER and self.complete:
            return (self.stated,) * len(self.channels) if self.stated else None
        return self.measured.get(self.source)

    def evidence_of(self, channel: int) -> Evidence | None:
        """Return what was measured in a channel: by the source that holds, else by the last."""
        for source in (self.source, *reversed(self.measured)):
            for model in self.measured.get(source, ())[channel : channel + 1]:
                return model.evidence
        return None

    def question(self, dark: Image | None) -> NoiseQuestion:
        """Return what to ask; the source is remembered for the answer."""
        if self.source in TYPED:
            return NoiseQuestion(self.source, typed=self.models() or (), layer=self.layer)
        self.asked = self.source
        return NoiseQuestion(self.source, dark=dark, layer=self.layer)

    def learn(self, models: tuple[Model, ...], question: NoiseQuestion | None) -> bool:
        """Keep measured models; return False where they are no news, or of another layer."""
        known = all(model.evidence is not None and model.evidence.means.size for model in models)
        stale = question is not None and question.layer != self.layer
        source = question.kind if question else self._measuring()
        if not known or stale or source in TYPED or len(models) != len(self.channels):
            return False
        if self.measured.get(source) == models:
            return False
        self.measured.pop(source, None)
        self.measured[source] = models
        return True

    def _measuring(self) -> str:
        return self.asked if self.source in TYPED else self.source

    def adopt(self) -> bool:
        """Take the models that hold for typed ones; return whether there are any."""
        models = self.models()
        if models is None or self.source in TYPED:
            return False
        kinds = {kind: source for source, kind in TYPED.items()}
        for one, model in zip(self.typed, models, strict=False):
            one.source = kinds[type(model)]
            one.numbers[one.source] = {n: float(getattr(model, n)) for n in knobs(type(model))}
        self.source = self.typed[0].source
        return True

    def forget(self, *sources: str) -> bool:
        """Forget what was measured, by some sources or all; return whether there was any."""
        self.layer += 1
        gone = [s for s in (sources or tuple(self.measured)) if self.measured.pop(s, None)]
        return bool(gone)

    def set_channels(self, names: list[str]) -> bool:
        """Take the names of the channels; return whether they are new."""
        names = list(names) or [""]
        if names == self.channels:
            return False
        if len(names) != len(self.channels):
            self.forget()
        self.channels = names
        self.typed += [self.typed[0].copy() for _ in names[len(self.typed) :]]
        return True

    def set_header(self, header: Mapping[str, Any]) -> bool:
        """Take the header of the file; return whether the noise may have changed by it."""
        before = (self.stated, self.complete)
        try:
            self.stated = from_header(header)
        except ValueError:
            # A gain that no camera has says nothing.
            self.stated = None
        self.complete = self.stated is not None and states_offset(header)
        if self.source == HEADER and self.stated is None:
            self.source = MEASURE
            return True
        return self.source == HEADER and before != (self.stated, self.complete)
