"""The controls of the Denoise widget and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, PushButton, Slider
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_credible.gui.form import fields, values
from napari_credible.gui.preview import BLINK, SPLIT, WHOLE
from napari_credible.knob import knobs
from napari_credible.recipe import Recipe

# Narrow enough for a 1280 pixel screen, wide enough for the sentences.
_NARROWEST = 360
_SAID_HIGH = 120


class Controls:
    """Everything that can be set or read in the widget beside axes and noise."""

    def __init__(self, recipe: Recipe, layers: Callable[..., Any]) -> None:
        self.layer = ComboBox(
            label="image", choices=layers, nullable=False, tooltip="Which layer is denoised"
        )
        values = {name: getattr(recipe, name) for name in knobs(Recipe)}
        self.fields = fields(Recipe, values, recipe.method)
        self.preview = CheckBox(
            text="Preview", value=False, tooltip="Denoise what is in view, without a run"
        )
        self.how = ComboBox(
            choices=[WHOLE, SPLIT, BLINK],
            tooltip="Whole, the input left of a line, or in turn",
        )
        self.share = Slider(value=50, min=0, max=100, tooltip="Where the preview is split")
        self.flags = CheckBox(
            text="Add doubts as labels",
            value=False,
            tooltip="A second layer that marks saturated, missing and faint pixels",
        )
        self.run = PushButton(text="Denoise", tooltip="Denoise the whole layer into a new one")
        self.cancel = PushButton(text="Cancel", enabled=False, tooltip="Stop; nothing is added")
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.plan, self.status = _sentence(), _sentence()
        self.status.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.axes_section: Any = None
        self.actions = QWidget()

    def values(self) -> dict[str, Any]:
        """Return the fields of the recipe that the form holds."""
        return values(self.fields)

    def busy(self, busy: bool) -> None:
        """Allow a run or its end, never both."""
        self.run.enabled = self.preview.enabled = not busy
        self.cancel.enabled = busy
        self.bar.setValue(0)
        self.bar.setVisible(busy)

    def axes_title(self, summary: str) -> None:
        """Show what the axes are without opening their section."""
        self.axes_section.setText(f"Axes: {summary}")


def lay_out(widget: QWidget, controls: Controls, axes: QWidget, noise: QWidget) -> None:
    """Let the form scroll, and keep what starts, stops and tells of a run always in sight."""
    controls.axes_section = _section("Axes", axes)
    others = [field for name, field in controls.fields.items() if name != "denoiser"]
    form = QVBoxLayout()
    form.addLayout(_rows(controls.layer, controls.fields["denoiser"]))
    form.addWidget(controls.axes_section)
    form.addWidget(_section("Noise", noise, open=True))
    form.addWidget(_section("More", _holding(_rows(*others, controls.flags))))
    form.addWidget(_section("Use this recipe elsewhere", controls.actions))
    form.addStretch()
    stack = QVBoxLayout(widget)
    stack.setContentsMargins(4, 4, 4, 4)
    stack.addWidget(_scrolling(_holding(form)), stretch=1)
    stack.addLayout(_line(controls.preview, controls.how, controls.share))
    stack.addWidget(controls.plan)
    stack.addLayout(_line(controls.run, controls.cancel))
    stack.addWidget(controls.bar)
    said = _scrolling(controls.status)
    said.setMaximumHeight(_SAID_HIGH)
    stack.addWidget(said)
    widget.setMinimumWidth(_NARROWEST)


def _scrolling(content: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def _section(title: str, content: QWidget, *, open: bool = False) -> QCollapsible:
    section = QCollapsible(title)
    section.setDuration(0)
    section.setContentsMargins(0, 0, 0, 0)
    section.layout().setSpacing(0)
    section.addWidget(content)
    (section.expand if open else section.collapse)(animate=False)
    return section


def _rows(*widgets: Any) -> QFormLayout:
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for widget in widgets:
        form.addRow("" if isinstance(widget, CheckBox) else widget.label, widget.native)
    return form


def _line(*widgets: Any) -> QHBoxLayout:
    line = QHBoxLayout()
    for widget in widgets:
        line.addWidget(widget.native)
    return line


def _holding(layout: Any) -> QWidget:
    holder = QWidget()
    layout.setContentsMargins(0, 0, 0, 0)
    holder.setLayout(layout)
    return holder


def _sentence() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
