"""The numbers of one noise model: typed in, or shown with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QAbstractSpinBox, QGridLayout, QLabel, QSizePolicy, QWidget

from napari_credible.gui.form import fields
from napari_credible.gui.noise_question import TYPED, Model
from napari_credible.gui.noise_state import Numbers
from napari_credible.knob import Knob, knobs

# Shown are this many digits of a measured number; typed ones need room for images within [0, 1].
_DIGITS, _TYPED_DECIMALS, _MOST_DECIMALS = 4, 6, 12
_TYPED_WIDE, _SHOWN_WIDE = 112, 76
# Qt's own way to hide them hides the number too under napari's style.
_NO_ARROWS = (
    "QDoubleSpinBox {min-width: 0px; padding: 1px 4px}"
    "QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {width: 0px; border: none}"
    "QDoubleSpinBox::up-arrow, QDoubleSpinBox::down-arrow {width: 0px; image: none}"
)
_ASSUMED = {"image": "assumed", "repeats": "assumed", "header": "as stated"}


class NoiseFields(QWidget):  # type: ignore[misc]
    """The fields of each kind of noise model, drawn from its declaration; one kind is visible.

    Parameters
    ----------
    numbers : dict
        Of each typed source, the numbers to begin with.
    """

    edited = Signal(str, str, float)

    def __init__(self, numbers: dict[str, Numbers]) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(4)
        self._grid.setColumnStretch(2, 1)
        self.boxes = {source: fields(TYPED[source], n) for source, n in numbers.items()}
        self._rows: dict[tuple[str, str], tuple[QLabel, Any, QLabel]] = {}
        for source, boxes in self.boxes.items():
            for name, box in boxes.items():
                self._add(source, name, box)

    def _add(self, source: str, name: str, box: Any) -> None:
        words = name.replace("_", " ")
        label, error = QLabel(words), QLabel()
        label.setBuddy(box.native)
        label.setToolTip(box.tooltip)
        error.setWordWrap(True)
        error.setToolTip("Unit, and the standard error where the number was measured")
        error.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        box.native.setAccessibleName(f"{words}, {_unit(source, name)}")
        box.native.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        box.changed.connect(lambda value: self.edited.emit(source, name, value))
        row = self._rows[source, name] = (label, box.native, error)
        for column, widget in enumerate(row):
            self._grid.addWidget(widget, len(self._rows), column)

    def show_nothing(self) -> None:
        """Hide all fields: there is nothing to type, and nothing known."""
        self.setVisible(False)

    def show_typed(self, source: str, numbers: Numbers) -> None:
        """Show numbers that can be changed."""
        self._reveal(source, typed=True)
        for name, value in numbers.items():
            box = self._rows[source, name][1]
            # What is being typed is left alone: setting it again would move the cursor.
            if box.value() != value or box.decimals() < _TYPED_DECIMALS:
                _set(box, value, max(_TYPED_DECIMALS, _decimals(value)))
            self._rows[source, name][2].setText(_unit(source, name))

    def show_measured(self, model: Model) -> None:
        """Show numbers with their errors; they can be copied, not changed."""
        source = next(s for s, kind in TYPED.items() if isinstance(model, kind))
        self._reveal(source, typed=False)
        for name in knobs(type(model)):
            value = float(np.mean(getattr(model, name)))
            _set(self._rows[source, name][1], value, _decimals(value))
            self._rows[source, name][2].setText(_with_error(model, source, name))

    def _reveal(self, source: str, *, typed: bool) -> None:
        for (of, _), (label, box, error) in self._rows.items():
            for widget in (label, box, error):
                widget.setVisible(of == source)
            box.setReadOnly(not typed)
            box.setStyleSheet("" if typed else _NO_ARROWS)
            box.setFixedWidth(_TYPED_WIDE if typed else _SHOWN_WIDE)
        self.setVisible(True)


def _set(box: Any, value: float, decimals: int) -> None:
    with QSignalBlocker(box):
        box.setDecimals(decimals)
        box.setValue(value)


def _decimals(value: float) -> int:
    """Return the decimals at which 4 digits of a number show."""
    size = int(np.floor(np.log10(abs(value)))) if value else 0
    return int(np.clip(_DIGITS - 1 - size, 0, _MOST_DECIMALS))


def _unit(source: str, name: str) -> str:
    declared = knobs(TYPED[source])[name]
    return declared.unit if isinstance(declared, Knob) else ""


def _with_error(model: Model, source: str, name: str) -> str:
    """Return the standard error of a parameter and its unit, in words."""
    unit, evidence = _unit(source, name), model.evidence
    error = evidence.errors.get(name, 0.0) if evidence else 0.0
    if not np.isfinite(error):
        return f"{unit}, error unknown"
    if error:
        return f"± {error:.2g} {unit}"
    known = _ASSUMED.get(evidence.source, "") if evidence else ""
    return f"{unit}, {known}" if known else unit
