"""The controls of the tab Look, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from napari_credible.answers import Reading
from napari_credible.gui.answer_charts import Histogram, ProfileChart
from napari_credible.gui.answer_table import table_of
from napari_credible.gui.chart import ChartPanel, Colours
from napari_credible.gui.placed import Placed
from napari_credible.shapes import Shape

UNDER_CURSOR, NO_OTHER = "pixel under the cursor", "nothing else"
_CHART_HIGH = 180
_TOOLS = {
    "pixel": ("•", "Keep a pixel: click it"),
    "rectangle": ("▭", "Draw a rectangle"),
    "ellipse": ("◯", "Draw an ellipse"),
    "polygon": ("⬠", "Draw a polygon: click its corners, then double-click"),
    "line": ("╱", "Draw a line, and see the values along it"),
}


class LookControls:
    """Everything that can be set or read in the tab."""

    def __init__(self, widget: QWidget, viewer: Any) -> None:
        self.tools = {kind: QPushButton(f"{sign} {kind}") for kind, (sign, _) in _TOOLS.items()}
        for kind, button in self.tools.items():
            button.setToolTip(_TOOLS[kind][1])
            button.setAccessibleName(_TOOLS[kind][1])
        self.subject, self.other = _box(), _box()
        self.subject.setToolTip("What is looked at: the pixel under the cursor, or a shape")
        self.other.setToolTip("A second shape: which of the two is brighter?")
        self.quantity, self.colour = _box(), _box()
        self.quantity.setToolTip("Which number's draws are plotted")
        self.colour.setToolTip("Which colour of the image")
        self.width = QSpinBox(minimum=1, maximum=99, value=1, prefix="width ", suffix=" px")
        self.width.setToolTip("Averaged across the line")
        self.heading = _label(bold=True)
        self.headline, self.numbers, self.notes = _label(), _label(), _label()
        self.histogram = ChartPanel(viewer, Histogram, _CHART_HIGH)
        self.histogram.setAccessibleName("histogram of the draws")
        self.profile = ChartPanel(viewer, ProfileChart, _CHART_HIGH)
        self.profile.setAccessibleName("profile")
        self._shapes: Mapping[str, Shape] = {}
        self._lay_out(widget)

    def _lay_out(self, widget: QWidget) -> None:
        stack = QVBoxLayout(widget)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.setSpacing(4)
        stack.addLayout(_line(*self.tools.values(), spacing=2))
        against = QLabel("against")
        choice = _line(self.subject, against, self.other)
        for place, stretch in enumerate((6, 0, 4)):
            choice.setStretch(place, stretch)
        stack.addLayout(choice)
        stack.addLayout(_line(self.quantity, self.width, self.colour))
        for part in (self.heading, self.headline, self.histogram, self.profile):
            stack.addWidget(part)
        stack.addWidget(self.numbers)
        stack.addWidget(self.notes)
        stack.addStretch()
        self.profile.setVisible(False)
        for hidden in (self.width, self.colour, self.headline):
            hidden.setVisible(False)

    def let_go(self) -> None:
        """Let go of the viewer."""
        self.histogram.let_go()
        self.profile.let_go()

    # ── which shapes ──

    def offer(self, shapes: Mapping[str, Shape]) -> None:
        """Offer these shapes; what was not there before is chosen."""
        new = [name for name in shapes if name not in self._shapes]
        self._shapes = dict(shapes)
        kept, other = self._chosen_of(self.subject), self._chosen_of(self.other)
        words = {name: f"{name}: {shape.kind}" for name, shape in shapes.items()}
        areas = [name for name, shape in shapes.items() if not shape.is_line]
        _fill(self.subject, UNDER_CURSOR, words, new[-1] if new else kept)
        _fill(self.other, NO_OTHER, {name: words[name] for name in areas}, other)
        self.fit()

    def fit(self) -> None:
        """Show what the chosen shape can be asked: a line has a width, an area can be compared."""
        chosen = self.chosen()
        line = bool(chosen) and self._shapes[chosen[0]].is_line
        self.width.setVisible(line)
        self.other.setEnabled(bool(chosen) and not line and len(self._shapes) > 1)

    def choose(self, name: str) -> None:
        """Choose a shape by its letter."""
        place = self.subject.findData(name)
        if place >= 0:
            self.subject.setCurrentIndex(place)

    def chosen(self) -> list[str]:
        """Return no shape for the pixel under the cursor, one, or two."""
        subject, other = self._chosen_of(self.subject), self._chosen_of(self.other)
        if not subject:
            return []
        return [subject, other] if other and other != subject else [subject]

    def _chosen_of(self, box: QComboBox) -> str:
        return str(box.currentData() or "")

    def show_colours(self, placed: Placed | None) -> None:
        """Offer the colours of a colour image."""
        source = placed.family.result.source if placed is not None else None
        count = 0
        if source is not None and "S" in source.axes:
            count = source.array.shape[source.axes.index("S")]
        with QSignalBlocker(self.colour):
            self.colour.clear()
            self.colour.addItems(["red", "green", "blue", "opacity"][:count])
            self.colour.setCurrentIndex(0 if count else -1)
        self.colour.setVisible(bool(count))

    # ── what is known ──

    def offer_quantities(self, reading: Reading | None) -> None:
        """Offer the numbers of a reading for the histogram, keeping the choice by its name."""
        names = [q.name for q in reading.quantities] if reading is not None else []
        if names != [self.quantity.itemText(k) for k in range(self.quantity.count())]:
            before = self.quantity.currentText()
            with QSignalBlocker(self.quantity):
                self.quantity.clear()
                self.quantity.addItems(names)
                self.quantity.setCurrentIndex(names.index(before) if before in names else 0)
        self.quantity.setVisible(len(names) > 1)

    def title(self, reading: Reading | None, hint: str) -> None:
        """Say what is looked at, and the answer where it is one sentence."""
        self.heading.setText(reading.title if reading is not None else hint)
        headline = reading.headline if reading is not None else ""
        self.headline.setText(headline)
        self.headline.setVisible(bool(headline))

    def table(self, reading: Reading | None, colours: Colours) -> None:
        """Show the numbers."""
        self.numbers.setText("" if reading is None else table_of(reading, colours))

    def charts(self, reading: Reading | None) -> None:
        """Plot the profile, or the chosen number."""
        line = reading is not None and reading.profile is not None
        self.profile.setVisible(line)
        self.histogram.setVisible(not line)
        if reading is None:
            return
        if reading.profile is not None:
            self.profile.show_what(reading.profile)
        elif reading.quantities:
            place = min(max(self.quantity.currentIndex(), 0), len(reading.quantities) - 1)
            self.histogram.show_what(reading.quantities[place])


def _box() -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _fill(box: QComboBox, first: str, words: Mapping[str, str], chosen: str) -> None:
    """Offer words by name behind a first one; keep it silent, the caller answers."""
    with QSignalBlocker(box):
        box.clear()
        box.addItem(first, "")
        for name, text in words.items():
            box.addItem(text, name)
        box.setCurrentIndex(max(box.findData(chosen), 0) if chosen else 0)


def _label(*, bold: bool = False) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    return label


def _line(*widgets: QWidget, spacing: int = 6) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(spacing)
    for widget in widgets:
        line.addWidget(widget)
    return line
