"""The controls of a widget that runs a recipe, and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from magicgui.widgets import CheckBox, ComboBox, PushButton, Slider
from qtpy.QtCore import Qt, QTimer
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
SCROLL_BAR = 8


class Controls:
    """What can be set or read in a widget that runs a recipe, beside axes and noise.

    Never built itself: who builds on it adds what its method has beside.

    Attributes
    ----------
    first, more : tuple of widgets
        At the top of the form, and hidden in its section "More".
    leading : list of (str, QWidget)
        Sections that come first, open to begin with.
    sections : list of (str, QWidget)
        Further sections, closed to begin with.
    looks : tuple of widgets
        In one line above the plan.
    offers : tuple of widgets
        In one line above what is said; for what can be done with a result.
    """

    first: tuple[Any, ...]
    more: tuple[Any, ...]
    looks: tuple[Any, ...]
    offers: tuple[Any, ...] = ()

    def __init__(self, recipe: Recipe, layers: Callable[..., Any], verb: str) -> None:
        self.layer = ComboBox(
            label="image", choices=layers, nullable=False, tooltip=f"Which layer to {verb.lower()}"
        )
        declared = knobs(Recipe, recipe.method)
        begin = {name: getattr(recipe, name) for name in declared}
        self.fields = fields(Recipe, begin, recipe.method)
        self.preview = CheckBox(value=False)
        self.run = PushButton(text=verb)
        self.cancel = PushButton(enabled=False)
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.plan, self.status = sentence(), sentence()
        self.status.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.axes_section: Any = None
        self.leading: list[tuple[str, QWidget]] = []
        self.sections: list[tuple[str, QWidget]] = []
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


class DenoiseControls(Controls):
    """The controls of the Denoise widget: a preview in three ways, and doubts as labels."""

    def __init__(self, recipe: Recipe, layers: Callable[..., Any]) -> None:
        super().__init__(recipe, layers, "Denoise")
        self.preview.text = "Preview"
        self.preview.tooltip = "Denoise what is in view, without a run"
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
        self.inpaint = PushButton(
            text="Inpaint doubtful pixels …",
            visible=False,
            tooltip="Restore missing and saturated pixels from those around them, with the "
            "uncertainty that they have then",
        )
        self.offers = (self.inpaint,)
        self.run.tooltip = "Denoise the whole layer into a new one"
        self.cancel.text, self.cancel.tooltip = "Cancel", "Stop; nothing is added"
        self.first = (self.layer, self.fields["denoiser"])
        others = [field for name, field in self.fields.items() if name != "denoiser"]
        self.more = (*others, self.flags)
        self.looks = (self.preview, self.how, self.share)


def lay_out(widget: QWidget, controls: Controls, axes: QWidget, noise: QWidget) -> None:
    """Let the form scroll, and keep what starts, stops and tells of a run always in sight."""
    controls.axes_section = section("Axes", axes)
    form = QVBoxLayout()
    first = rows(*controls.first)
    # The scroll bar would hide the ends of the boxes.
    first.setContentsMargins(0, 0, SCROLL_BAR, 0)
    form.addLayout(first)
    for title, content in controls.leading:
        form.addWidget(section(title, content, open=True))
    form.addWidget(controls.axes_section)
    form.addWidget(section("Noise", noise, open=True))
    for title, content in controls.sections:
        form.addWidget(section(title, content))
    form.addWidget(section("More", holding(rows(*controls.more))))
    form.addWidget(section("Use this recipe elsewhere", controls.actions))
    form.addStretch()
    stack = QVBoxLayout(widget)
    stack.setContentsMargins(4, 4, 4, 4)
    stack.addWidget(scrolling(holding(form)), stretch=1)
    stack.addLayout(line(*controls.looks))
    stack.addWidget(controls.plan)
    stack.addLayout(line(controls.run, controls.cancel))
    stack.addWidget(controls.bar)
    stack.addLayout(line(*controls.offers))
    said = scrolling(controls.status)
    said.setMaximumHeight(_SAID_HIGH)
    stack.addWidget(said)
    widget.setMinimumWidth(_NARROWEST)


def scrolling(content: QWidget) -> QScrollArea:
    """Return content that scrolls up and down."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def section(title: str, content: QWidget, *, open: bool = False) -> QCollapsible:
    """Return content under a title that hides it."""
    found = QCollapsible(title)
    found.setDuration(0)
    found.setContentsMargins(0, 0, 0, 0)
    found.layout().setSpacing(0)
    found.addWidget(content)
    (found.expand if open else found.collapse)(animate=False)
    return found


def reveal(widget: QWidget) -> None:
    """Open the section that holds a widget, and scroll to it."""
    area, above = None, widget.parentWidget()
    while above is not None and area is None:
        if isinstance(above, QCollapsible):
            above.expand(animate=False)
        area = above if isinstance(above, QScrollArea) else None
        above = above.parentWidget()
    if area is not None:
        # Only after it is laid out does it have a place.
        QTimer.singleShot(0, partial(_scrolled, ref(area), ref(widget)))


def _scrolled(area: Any, widget: Any) -> None:
    try:
        area().ensureWidgetVisible(widget())
    except (AttributeError, RuntimeError):
        return  # the dock was closed meanwhile


def rows(*widgets: Any) -> QFormLayout:
    """Return a form of fields with their labels."""
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for widget in widgets:
        if isinstance(widget, QWidget):
            form.addRow("", widget)
        else:
            form.addRow("" if isinstance(widget, CheckBox) else widget.label, widget.native)
    return form


def line(*widgets: Any) -> QHBoxLayout:
    """Return fields side by side."""
    beside = QHBoxLayout()
    for widget in widgets:
        beside.addWidget(widget.native)
    return beside


def holding(layout: Any) -> QWidget:
    """Return a widget with a layout."""
    holder = QWidget()
    layout.setContentsMargins(0, 0, 0, 0)
    holder.setLayout(layout)
    return holder


def sentence() -> QLabel:
    """Return a label that wraps its words and lets them be copied."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
