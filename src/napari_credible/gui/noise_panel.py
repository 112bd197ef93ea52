"""Where the noise of an image is asked for, shown with its errors, doubted and plotted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from napari_credible.gui.chart import Colours
from napari_credible.gui.layer_choice import LayerChoice
from napari_credible.gui.layers import image_from_layer
from napari_credible.gui.noise_fields import NoiseFields
from napari_credible.gui.noise_plot import Curve, NoisePlot
from napari_credible.gui.noise_question import DARK, HEADER, SOURCES, TYPED, Model, NoiseQuestion
from napari_credible.gui.noise_state import NoiseState
from napari_credible.noise import Gaussian

__all__ = ["NoisePanel", "NoiseQuestion"]

_NOT_YET = "Not measured yet: a run measures it first."
_STATED = "The header states no offset: Measure, or a run, finds it in the image."
_TOOLTIP_ROLE = Qt.ItemDataRole.ToolTipRole


class NoisePanel(QWidget):  # type: ignore[misc]
    """Source of the noise, its parameters with their errors, doubts and mean-variance plot.

    It never measures: ``measure_requested`` asks the owner to run ``question().answer(image)``
    in a worker and to hand the models to :meth:`show_measured`. ``changed`` tells that what
    would be used is another now.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers may be dark frames, and whose theme is followed.
    """

    changed = Signal()
    measure_requested = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._state = NoiseState()
        self._source, self._channel = QComboBox(), QComboBox()
        self._dark = LayerChoice(viewer)
        self._fields = NoiseFields(self._state.typed[0].numbers)
        self._words, self._doubts = _sentence(), _sentence()
        self._plot = NoisePlot(viewer)
        self._measure, self._adopt = QPushButton("Measure"), QPushButton("Use as typed values")
        self._form = QFormLayout()
        self._lay_out()
        self._connect()
        self._refresh()

    def _lay_out(self) -> None:
        for source, meaning in SOURCES.items():
            self._source.addItem(source)
            self._source.setItemData(self._source.count() - 1, meaning, _TOOLTIP_ROLE)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, box in (
            ("source", self._source),
            ("dark frame", self._dark),
            ("channel", self._channel),
        ):
            self._form.addRow(words, box)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        self._dark.setToolTip(
            "Frames without light, with the same camera settings; (Y, X), or frames first"
        )
        self._channel.setToolTip("Which channel's noise is shown; each has its own")
        self._adopt.setToolTip("Copy the numbers shown to fields that you can change, and use them")
        buttons = QHBoxLayout()
        buttons.addWidget(self._measure)
        buttons.addWidget(self._adopt)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addLayout(self._form)
        for widget in (self._words, self._fields, self._doubts, self._plot):
            stack.addWidget(widget)
        stack.addLayout(buttons)

    def _connect(self) -> None:
        self._source.currentTextChanged.connect(self._choose)
        self._channel.currentIndexChanged.connect(self._refresh)
        self._dark.chosen.connect(self._dark_changed)
        self._fields.edited.connect(self._edit)
        self._measure.clicked.connect(self.measure_requested)
        self._adopt.clicked.connect(self._use_as_typed)
        self._viewer.events.theme.connect(self._paint)

    def hasHeightForWidth(self) -> bool:
        """Return False: a section of superqt asks for the hint alone, which knows the width."""
        return False

    def sizeHint(self) -> Any:
        """Return the height that the sentences need at the width that they have."""
        return self._high_enough(super().sizeHint())

    def minimumSizeHint(self) -> Any:
        """Return the same height: nothing may be cut."""
        return self._high_enough(super().minimumSizeHint())

    def _high_enough(self, hint: Any) -> Any:
        hint.setHeight(self.layout().totalHeightForWidth(self.width()))
        return hint

    def resizeEvent(self, event: Any) -> None:
        """Ask for another height where the width is another."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def closeEvent(self, event: Any) -> None:
        """Let go of the viewer."""
        self._viewer.events.theme.disconnect(self._paint)
        self._plot.let_go()
        self._dark.let_go()
        super().closeEvent(event)

    # ── what the owner asks ──

    def question(self) -> NoiseQuestion:
        """Return what is asked now, for a worker to answer.

        Raises
        ------
        ValueError
            One sentence, where a typed number is out of range or the dark frame is missing.
        """
        dark = None
        if self._state.source == DARK:
            layer = self._dark.layer()
            if layer is None:
                raise ValueError("no dark frame is chosen; choose its layer, or another source")
            dark = image_from_layer(layer)
        return self._state.question(dark)

    def noise(self) -> Model | tuple[Model, ...] | None:
        """Return the noise for a recipe: of each channel, or None where it is not measured yet.

        Raises
        ------
        ValueError
            One sentence, where a typed number is out of range.
        """
        models = self._state.models()
        return models[0] if models and len(models) == 1 else models

    # ── what the owner tells ──

    def set_channels(self, names: list[str]) -> None:
        """Offer these channels; one empty name is an image without channels."""
        if not self._state.set_channels(names):
            return
        with QSignalBlocker(self._channel):
            self._channel.clear()
            self._channel.addItems(
                [name or f"channel {number}" for number, name in enumerate(self._state.channels)]
            )
        self._announce()

    def set_header(self, header: Mapping[str, Any]) -> None:
        """Offer the noise that the header of the file states, if it states any."""
        changed = self._state.set_header(header)
        (self._announce if changed else self._refresh)()

    def show_measured(
        self, models: tuple[Model, ...], question: NoiseQuestion | None = None
    ) -> None:
        """Show measured models, one for each channel; typed numbers stay as they are.

        Parameters
        ----------
        models : tuple of NoiseModel
            Those without evidence of a measurement are not looked at.
        question : NoiseQuestion, optional
            Whose answer it is. An answer about a layer that is forgotten since is dropped.
        """
        if self._state.learn(tuple(models), question):
            self._announce()

    def forget(self) -> None:
        """Forget what was measured: another layer has come."""
        if self._state.forget():
            self._announce()

    # ── what the user does ──

    def _choose(self, source: str) -> None:
        self._state.choose(source)
        self._announce()

    def _dark_changed(self) -> None:
        self._state.forget(DARK)
        if self._state.source == DARK:
            self._announce()

    def _edit(self, source: str, name: str, value: float) -> None:
        self._state.typed[self._place()].numbers[source][name] = value
        self._announce()

    def _use_as_typed(self) -> None:
        if self._state.adopt():
            self._announce()

    # ── what is shown ──

    def _announce(self) -> None:
        self._refresh()
        self.changed.emit()

    def _place(self) -> int:
        return max(int(self._channel.currentIndex()), 0)

    def _refresh(self, _: Any = None) -> None:
        state, place = self._state, self._place()
        source = state.source_of(place)
        with QSignalBlocker(self._source):
            self._source.setCurrentText(source)
        self._source.setToolTip(SOURCES[source])
        self._source.model().item(list(SOURCES).index(HEADER)).setEnabled(state.stated is not None)
        self._form.setRowVisible(self._dark, source == DARK)
        self._form.setRowVisible(self._channel, len(state.channels) > 1)
        try:
            models, trouble = state.models(), ""
        except ValueError as error:
            models, trouble = None, str(error)
        self._show_numbers(source, models[place] if models else None, trouble)
        self._plot.show_curves(self._curves(models))
        typed = source in TYPED
        self._measure.setEnabled(not typed)
        self._measure.setToolTip(
            "Typed values are used as they are" if typed else "Measure the noise now, without a run"
        )
        self._adopt.setEnabled(bool(models) and not typed)

    def _show_numbers(self, source: str, model: Model | None, trouble: str) -> None:
        evidence = model.evidence if model else None
        if source in TYPED:
            self._fields.show_typed(source, self._state.typed[self._place()].numbers[source])
        elif model is not None:
            self._fields.show_measured(model)
        else:
            self._fields.show_nothing()
        _say(self._words, "" if source in TYPED else _in_words(model, source))
        doubts = [trouble] if trouble else list(evidence.doubts) if evidence else []
        _say(self._doubts, "\n".join(f"⚠ {_capital(doubt)}." for doubt in doubts))
        self._paint()

    def _curves(self, models: tuple[Model, ...] | None) -> list[Curve]:
        curves = []
        for place, model in enumerate(models or ()):
            evidence = self._state.evidence_of(place)
            if evidence is not None:
                name = self._channel.itemText(place)
                curves.append(Curve(name, model, evidence))
        return curves

    def _paint(self, _: Any = None) -> None:
        """Mark the doubts with the theme's colour for warnings."""
        warning = Colours.of(self._viewer).warning
        self._doubts.setStyleSheet(f"border-left: 3px solid {warning}; padding-left: 6px;")


def _sentence() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _in_words(model: Model | None, source: str) -> str:
    if model is None:
        return _STATED if source == HEADER else _NOT_YET
    kind = "Gaussian" if isinstance(model, Gaussian) else "Poisson-Gaussian"
    return (
        f"{kind} noise, from the {model.evidence.source}." if model.evidence else f"{kind} noise."
    )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
