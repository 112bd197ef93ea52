"""The controls of the Adapt widget and where they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import ComboBox, PushButton, Select
from qtpy.QtWidgets import (
    QLabel,
    QProgressBar,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_credible.adapt.modes import ABOUT, MODES, Mode, mode_of
from napari_credible.compare import Row, judges
from napari_credible.denoise import cards
from napari_credible.gui.form import fields
from napari_credible.gui.layout import holding, line, rows, scrolling, section, sentence
from napari_credible.knob import knobs

_NARROWEST, _SAID_HIGH, _TABLE_HIGH = 360, 110, 190
_HEADS = ("denoiser", "less noise / dB", "behind / dB", "s")


class AdaptControls:
    """Everything that can be set or read in the widget beside the noise.

    Parameters
    ----------
    layers : callable
        Returns the image layers.
    """

    def __init__(self, layers: Callable[..., Any]) -> None:
        self.layer = ComboBox(label="image", choices=layers, nullable=False, tooltip="Noisy")
        self.denoiser = ComboBox(
            label="start from", choices=list(cards()), tooltip="The network that is adapted"
        )
        self.mode = ComboBox(label="mode", choices=list(MODES), tooltip="How it learns")
        for place, about in enumerate(ABOUT.values()):
            self.mode.native.setItemData(place, about, 3)  # Qt.ItemDataRole.ToolTipRole
        self.about = sentence()
        self.examples = Select(label="examples", choices=layers, tooltip="Clean, of the same kind")
        self.examples.native.setMaximumHeight(70)
        self.numbers: dict[str, Any] = {}
        self.budget, self._budget = QWidget(), QVBoxLayout()
        self.budget.setLayout(self._budget)
        self._budget.setContentsMargins(0, 0, 0, 0)
        self.run = PushButton(text="Adapt", tooltip="Learn in the background; nothing is changed")
        self.stop = PushButton(text="Stop", enabled=False, tooltip="Keep the best so far")
        self.cancel = PushButton(text="Cancel", enabled=False, tooltip="Keep nothing")
        self.look = PushButton(text="Before and after", enabled=False, tooltip="As two layers")
        self.save = PushButton(text="Save weights …", enabled=False, tooltip="With their card")
        self.by = ComboBox(
            label="judge", choices=list(judges()), tooltip="How denoisers are judged"
        )
        for place, about in enumerate(judges().values()):
            self.by.native.setItemData(place, about, 3)
        self.compare = PushButton(
            text="Compare all denoisers", tooltip="On the middle of the image"
        )
        self.table = QTableWidget(0, len(_HEADS))
        self.table.setHorizontalHeaderLabels(list(_HEADS))
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().setVisible(False)
        self.table.setFixedHeight(_TABLE_HIGH)
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.status: QLabel = sentence()
        self.form: Any = None
        self.mode.changed.connect(self.show_mode)

    def show_mode(self, _: Any = None) -> None:
        """Offer the numbers of the chosen mode, and examples where it needs them."""
        kind = MODES[self.mode.value]
        self.about.setText(f"{ABOUT[self.mode.value][:1].upper()}{ABOUT[self.mode.value][1:]}.")
        shown = {name: getattr(kind(), name) for name in knobs(kind)}
        self.numbers = fields(kind, shown)
        while self._budget.count():
            self._budget.takeAt(0).widget().deleteLater()
        self._budget.addWidget(holding(rows(*self.numbers.values())))
        if self.form is not None:
            self.form.setRowVisible(self.examples.native, self.mode.value == "external")

    def chosen(self) -> Mode:
        """Return the mode that the form spells."""
        numbers = {name: field.value for name, field in self.numbers.items()}
        return mode_of({"kind": self.mode.value, **numbers})

    def busy(self, busy: bool, stoppable: bool = False) -> None:
        """Allow work or its end, never both."""
        for button in (self.run, self.compare):
            button.enabled = not busy and self.layer.value is not None
        self.cancel.enabled, self.stop.enabled = busy, busy and stoppable
        self.bar.setValue(0)
        self.bar.setVisible(busy)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Fill the table, the best first; what may be as good is said to be."""
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            behind = f"{row.behind:.2f} ± {row.behind_error:.2f}" if row.behind else "best"
            if row.behind and not row.clear:
                behind += " ?"
            words = (row.name, f"{row.gain:.2f} ± {row.error:.2f}", behind, f"{row.seconds:.1f}")
            for column, text in enumerate(words):
                self.table.setItem(number, column, QTableWidgetItem(text))
        self.table.resizeColumnsToContents()


def lay_out(widget: QWidget, controls: AdaptControls, noise: QWidget, plot: QWidget) -> None:
    """Let the form scroll, and keep plot, buttons and words always in sight."""
    controls.form = rows(controls.layer, controls.denoiser, controls.mode, controls.examples)
    controls.form.insertRow(3, "", controls.about)
    comparison = QVBoxLayout()
    comparison.addLayout(rows(controls.by))
    comparison.addWidget(controls.compare.native)
    comparison.addWidget(controls.table)
    form = QVBoxLayout()
    form.addLayout(controls.form)
    form.addWidget(section("Noise", noise))
    form.addWidget(section("Budget and numbers", controls.budget))
    form.addWidget(section("Which denoiser is the best here?", holding(comparison)))
    form.addStretch()
    stack = QVBoxLayout(widget)
    stack.setContentsMargins(4, 4, 4, 4)
    stack.addWidget(scrolling(holding(form)), stretch=1)
    stack.addWidget(plot)
    stack.addLayout(line(controls.run, controls.stop, controls.cancel))
    stack.addLayout(line(controls.look, controls.save))
    stack.addWidget(controls.bar)
    said = scrolling(controls.status)
    said.setMaximumHeight(_SAID_HIGH)
    stack.addWidget(said)
    widget.setMinimumWidth(_NARROWEST)
    controls.show_mode()
