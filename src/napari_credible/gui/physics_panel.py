"""Where the physics are asked for: the operator, what it is made from, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, FileEdit, FloatSpinBox, SpinBox
from napari.layers import Labels, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QVBoxLayout

from napari_credible.gui import physics_question as ask
from napari_credible.gui.chart import Colours
from napari_credible.gui.form import field, values
from napari_credible.gui.layer_choice import LayerChoice
from napari_credible.gui.layers import image_from_layer
from napari_credible.gui.layout import SCROLL_BAR, sentence
from napari_credible.gui.painted import painted_on
from napari_credible.gui.physics_question import Physics, PhysicsQuestion
from napari_credible.gui.tab import Tab
from napari_credible.operators.words import ABOUT, NUMBERS

_SOURCES = {ask.MASK: ask.MASKS, ask.BLUR: ask.PSFS, ask.RADON: ask.ANGLES}
_CALLED = {ask.MASK: "mask from", ask.BLUR: "PSF from", ask.RADON: "angles"}
MISSING, SEEN = "missing", "all that is seen"
_TOOLTIP_ROLE = 3
# Whether a row is shown for an operator and the source of its array.
When = Callable[[str, str], bool]


class PhysicsPanel(Tab):
    """The operator with its parameters, of which the rows that it needs are shown.

    It computes nothing: the owner answers :meth:`question` in a worker, and tells :meth:`learn`
    or :meth:`doubt` what came of it. ``changed`` tells that another question is asked now.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers may be masks or point-spread functions.
    operator : ComboBox
        As the recipe declares it.
    """

    changed = Signal()

    def __init__(self, viewer: Any, operator: ComboBox) -> None:
        super().__init__()
        self._viewer = viewer
        self.operator = operator
        operator.choices = [name for name in ABOUT if name != "identity"]
        operator.value = ask.MASK
        self.sources = {kind: _choice(_CALLED[kind], words) for kind, words in _SOURCES.items()}
        self.numbers = {
            kind: {name: field(name, *declared) for name, declared in numbers.items()}
            for kind, numbers in NUMBERS.items()
        }
        self.marks = LayerChoice(viewer, (Labels, Shapes))
        self.psf = LayerChoice(viewer)
        self.meaning = ComboBox(
            label="painted is", choices=[MISSING, SEEN], tooltip="What the marks mean"
        )
        self.std = FloatSpinBox(
            label="std (pixels)", value=1.5, min=0.1, max=1000, step=0.1, tooltip="Of the Gaussian"
        )
        self.side = SpinBox(label="side (pixels)", value=5, min=1, max=999, step=2)
        self.size = SpinBox(
            label="size (pixels)", value=25, min=5, max=199, step=2,
            tooltip="Of the PSF, odd: six to eight times the width of a star",
        )  # fmt: skip
        self.file = FileEdit(
            label="file", nullable=True, tooltip="Its path and its checksum are kept"
        )
        self.count = SpinBox(label="number", value=0, min=0, max=100_000)
        self.count.native.setSpecialValueText("as the data have")
        self.first = FloatSpinBox(label="first (degrees)", value=0, min=-360, max=360)
        self.last = FloatSpinBox(label="last (degrees)", value=180, min=-360, max=360)
        self.circle = CheckBox(
            text="detector as wide as the image", value=True,
            tooltip="The image is dark outside the inscribed circle; else the detector is as wide "
            "as its diagonal",
        )  # fmt: skip
        self.about, self.found = sentence(), sentence()
        self._rows: list[tuple[Any, When]] = []
        self._form = QFormLayout()
        self._stars: tuple[Any, Any] | None = None
        self._followed: Any = None
        self._lay_out()
        self._refresh()

    def _lay_out(self) -> None:
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._row(self.operator, _always)
        self._form.addRow("", self.about)
        for kind, box in self.sources.items():
            self._row(box, _of_kind(kind))
        shown = (
            ("layer", self.marks, ask.PAINTED), ("", self.meaning, ask.PAINTED),
            ("layer", self.psf, ask.LAYER),
            ("", self.std, ask.GAUSSIAN), ("", self.side, ask.BOX), ("", self.size, ask.STARS),
            ("", self.file, ask.FILE), ("", self.count, ask.EVEN), ("", self.first, ask.EVEN),
            ("", self.last, ask.EVEN),
        )  # fmt: skip
        for label, widget, wanted in shown:
            self._row(widget, _of_source(wanted), label)
        self._row(self.circle, _of_kind(ask.RADON))
        for kind, fields in self.numbers.items():
            for widget in fields.values():
                self._row(widget, _of_kind(kind))
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, SCROLL_BAR, 0)
        stack.addLayout(self._form)
        stack.addWidget(self.found)

    def _row(self, widget: Any, when: When, label: str = "") -> None:
        native = getattr(widget, "native", widget)
        if isinstance(widget, QComboBox):
            widget.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            widget.chosen.connect(self._changed)
        else:
            label = "" if isinstance(widget, CheckBox) else widget.label
            widget.changed.connect(self._changed)
        self._form.addRow(label, native)
        self._rows.append((native, when))

    def hasHeightForWidth(self) -> bool:
        """Return False: a section of superqt asks for the hint alone, which knows the width."""
        return False

    def closeEvent(self, event: Any) -> None:
        """Let go of the viewer."""
        self.marks.let_go()
        self.psf.let_go()
        self._follow(None)
        super().closeEvent(event)

    # ── what the owner asks ──

    @property
    def kind(self) -> str:
        """The operator's name."""
        return str(self.operator.value)

    def source(self) -> str:
        """Return where its array comes from; empty where it has none."""
        box = self.sources.get(self.kind)
        return str(box.value) if box is not None else ""

    def question(self, layer: Any, axes: str) -> PhysicsQuestion:
        """Return what is asked about the physics of a layer's data, for a worker to answer.

        Raises
        ------
        ValueError
            One sentence, where a layer is missing.
        """
        kind, source = self.kind, self.source()
        marks, psf = self.marks.layer(), self.psf.layer()
        if source == ask.PAINTED and marks is None:
            raise ValueError(
                "no mask is chosen; choose a Labels layer with the pixels painted, or a Shapes "
                "layer"
            )
        if source == ask.LAYER and psf is None:
            raise ValueError("no point-spread function is chosen; choose its image layer")
        widths = {ask.GAUSSIAN: self.std, ask.BOX: self.side, ask.STARS: self.size}
        key = (id(layer.data), self.size.value)
        known = self._stars is not None and self._stars[0] == key
        return PhysicsQuestion(
            kind,
            values(self.numbers.get(kind, {})),
            source,
            painted=painted_on(layer, marks, axes) if source == ask.PAINTED else None,
            seen=self.meaning.value == SEEN,
            image=image_from_layer(psf) if source == ask.LAYER else None,
            path=str(self.file.value or ""),
            width=float(widths[source].value) if source in widths else 1.0,
            stars=self._stars[1] if known and self._stars else None,
            circle=bool(self.circle.value),
            angles=(int(self.count.value), float(self.first.value), float(self.last.value)),
        )

    # ── what the owner tells ──

    def learn(self, layer: Any, physics: Physics, words: str) -> None:
        """Show what was found, and remember a PSF that was measured."""
        if physics.stars is not None:
            self._stars = ((id(layer.data), self.size.value), physics.stars)
        self._say(words, doubt=False)

    def doubt(self, words: str) -> None:
        """Show why there is no operator."""
        self._say(f"⚠ {words}", doubt=True)

    def inpaint(self) -> None:
        """Ask for the missing and saturated pixels of the image itself."""
        self.operator.value = ask.MASK
        self.sources[ask.MASK].value = ask.ITSELF

    def _say(self, words: str, doubt: bool) -> None:
        self.found.setText(words)
        warning = f"border-left: 3px solid {Colours.of(self._viewer).warning}; padding-left: 6px;"
        self.found.setStyleSheet(warning if doubt else "")
        self.updateGeometry()

    # ── what the user does ──

    def _changed(self, _: Any = None) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        kind, source = self.kind, self.source()
        self.about.setText(ABOUT[kind])
        for native, when in self._rows:
            self._form.setRowVisible(native, when(kind, source))
        self._follow(self.marks.layer() if source == ask.PAINTED else None)
        self.updateGeometry()

    def _follow(self, marks: Any) -> None:
        """Ask anew when something is painted or drawn."""
        if marks is self._followed:
            return
        for layer, act in ((self._followed, "disconnect"), (marks, "connect")):
            for name in ("set_data", "paint") if layer is not None else ():
                if name in layer.events:
                    getattr(layer.events[name], act)(self._marked)
        self._followed = marks

    def _marked(self, _: Any = None) -> None:
        self.changed.emit()


def _choice(label: str, words: dict[str, str]) -> ComboBox:
    box = ComboBox(label=label, choices=list(words))
    for place, meaning in enumerate(words.values()):
        box.native.setItemData(place, meaning, _TOOLTIP_ROLE)
    return box


def _always(_kind: str, _source: str) -> bool:
    return True


def _of_kind(wanted: str) -> When:
    return lambda kind, source: kind == wanted


def _of_source(wanted: str) -> When:
    return lambda kind, source: source == wanted
