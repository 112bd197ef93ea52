"""The Uncertainty inspector: what can be trusted in a sampled image, by a click."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from napari_credible.answers import Question
from napari_credible.gui.believable import Believable
from napari_credible.gui.families import FamilyChoice
from napari_credible.gui.job import in_words
from napari_credible.gui.look import Look
from napari_credible.gui.placed import Placed, placed
from napari_credible.gui.vary import Vary
from napari_credible.readout import csv

_NARROWEST = 370
_NOTHING = "Nothing is shown yet: move the mouse over the image, or draw a shape."


class Inspector(QWidget):  # type: ignore[misc]
    """Ask a sampled image what it is sure of.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose sampled images are offered, and whose mouse and sliders are followed.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._let_go = self._docked = False
        self._family: Any = None
        self.families = FamilyChoice(napari_viewer)
        self.level = QDoubleSpinBox(minimum=1, maximum=99.9, value=90, decimals=1, suffix=" %")
        self.level.setToolTip("Probability of the credible interval")
        self.threshold = QLineEdit()
        self.threshold.setPlaceholderText("none")
        self.threshold.setToolTip("How probable is it to lie above this value?")
        self.look = Look(napari_viewer, self.question)
        self.vary = Vary(napari_viewer)
        self.believable = Believable(napari_viewer)
        self.tabs = QTabWidget()
        self.numbers, self.picture = QPushButton("Save numbers …"), QPushButton("Save picture …")
        self.status = QLabel()
        self._lay_out()
        self._connect()
        self._family_changed()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("sampled image", self.families)
        asked = QHBoxLayout()
        asked.addWidget(self.level)
        asked.addWidget(QLabel("threshold"))
        asked.addWidget(self.threshold)
        form.addRow("interval", asked)
        for title, tab in (
            ("Look", self.look),
            ("Vary", self.vary),
            ("Is it believable?", self.believable),
        ):
            self.tabs.addTab(_scrolling(tab), title)
        self.status.setWordWrap(True)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.numbers.setToolTip("Write the numbers that are shown to a CSV file")
        self.picture.setToolTip("Write what is shown to a PNG file")
        buttons = QHBoxLayout()
        buttons.addWidget(self.numbers)
        buttons.addWidget(self.picture)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.addLayout(form)
        stack.addWidget(self.tabs, stretch=1)
        stack.addLayout(buttons)
        stack.addWidget(self.status)
        self.status.setVisible(False)
        self.setMinimumWidth(_NARROWEST)

    def _connect(self) -> None:
        self.families.chosen.connect(self._family_changed)
        # Layers that join a family while none is known are found when they are looked at.
        self.look.wanted.connect(self.families.refresh)
        self.level.valueChanged.connect(self._asked)
        self.threshold.editingFinished.connect(self._asked)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.numbers.clicked.connect(partial(self._saved, self.save_numbers))
        self.picture.clicked.connect(partial(self._saved, self.save_picture))
        self.believable.widened.connect(self._widened)
        self.viewer.layers.events.removed.connect(self._layers_changed)

    def event(self, event: Any) -> bool:
        """Let go of the viewer where the dock is closed: napari then takes the widget out of it."""
        if event.type() == QEvent.Type.ParentChange:
            if self._docked and self.parent() is None:
                self.let_go()
            self._docked = self.parent() is not None
        return bool(super().event(event))

    def closeEvent(self, event: Any) -> None:
        """Stop everything and let go of the viewer."""
        self.let_go()
        super().closeEvent(event)

    def let_go(self) -> None:
        """Stop everything, remove what is temporary, and hold nothing of the viewer; once."""
        if self._let_go:
            return
        self._let_go = True
        self.viewer.layers.events.removed.disconnect(self._layers_changed)
        self.families.let_go()
        self._family = None
        for tab in (self.look, self.vary, self.believable):
            tab.let_go()

    # ── what is asked ──

    def question(self) -> Question:
        """Return the level and the threshold that are asked for; nonsense is no threshold."""
        text = self.threshold.text().strip().replace(",", ".")
        try:
            threshold = float(text) if text else None
        except ValueError:
            threshold = None
        self.say("" if not text or threshold is not None else f"{text!r} is no number.")
        return Question(self.level.value() / 100, threshold)

    def _asked(self, _: Any = None) -> None:
        self.look.renew()

    def placed(self) -> Placed | None:
        """Return the chosen family where its layers are."""
        return placed(self.viewer, self.families.family())

    def _family_changed(self) -> None:
        family = self.families.family()
        if family is not None and family is not self._family:
            self._take_over(family)
        self._family = family
        here = self.placed()
        for tab in (self.look, self.vary, self.believable):
            tab.set_placed(here)

    def _take_over(self, family: Any) -> None:
        """Begin with the level and the threshold of the run."""
        recipe = family.result.recipe
        self.level.blockSignals(True)
        self.level.setValue(100 * recipe.level)
        self.level.blockSignals(False)
        if recipe.threshold is not None:
            self.threshold.setText(f"{recipe.threshold:g}")

    def _layers_changed(self, event: Any) -> None:
        """Stand on another layer where the one that was stood on is gone."""
        if self.families.family() is not None:
            self._family_changed()

    def _widened(self, family: Any) -> None:
        """Look again, at the family with other intervals."""
        self.families.take(family)
        self.look.renew()

    def _tab_changed(self, _: int) -> None:
        if self.tabs.currentIndex() != 1:
            self.vary.turn_off()

    # ── what is saved ──

    def save_numbers(self, path: str = "") -> str:
        """Write what is shown as CSV; return where, or nothing if the user does not say."""
        text = self._table()
        path = path or _asked_path(self, "Save numbers", "CSV (*.csv)")
        if path:
            Path(path).write_text(text, encoding="utf-8")
        return path

    def save_picture(self, path: str = "") -> str:
        """Write what is shown as PNG; return where, or nothing if the user does not say."""
        path = path or _asked_path(self, "Save picture", "PNG (*.png)")
        if path and not self.tabs.currentWidget().widget().grab().save(path, "PNG"):
            raise ValueError(f"{path} cannot be written; choose another folder")
        return path

    def _table(self) -> str:
        if self.tabs.currentIndex() == 2:
            return self.believable.table()
        if self.look.reading is None or self.tabs.currentIndex() == 1:
            raise ValueError(_NOTHING)
        return csv(self.look.reading, self.about())

    def about(self) -> Mapping[str, Any]:
        """Return where the numbers come from."""
        here = self.placed()
        if here is None:
            return {}
        result = here.family.result
        plane = here.in_view(self.viewer.dims.point)
        place = [f"{a}={k}" for a, k in zip(here.axes, plane, strict=True) if a not in "YX"]
        drawn = getattr(result.posterior, "n_draws", None)
        return {
            "image": result.source.name,
            **({"plane": " ".join(place)} if place else {}),
            **({"draws": drawn} if drawn else {}),
            "recipe": result.recipe.to_json(),
            "napari-credible": result.versions.get("napari-credible", ""),
        }

    def _saved(self, save: Any, _: bool = False) -> None:
        try:
            path = save()
        except (ValueError, OSError) as error:
            self.say(in_words(error))
        else:
            self.say(f"Saved {path}." if path else "")

    def say(self, text: str) -> None:
        """Show a sentence at the foot of the widget."""
        self.status.setText(text)
        self.status.setVisible(bool(text))


def _scrolling(content: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    return area


def _asked_path(parent: QWidget, title: str, kind: str) -> str:
    path, _ = QFileDialog.getSaveFileName(parent, title, "", kind)
    chosen, suffix = str(path), kind[-5:-1]
    return chosen if not chosen or chosen.lower().endswith(suffix) else chosen + suffix
