"""A choice among the sampling runs whose layers are in the viewer."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, QTimer, Signal
from qtpy.QtWidgets import QComboBox

from napari_credible.gui.family import Family, family_of


class FamilyChoice(QComboBox):  # type: ignore[misc]
    """The families of a viewer by the name of their input; it follows the active layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are followed as they come and go.
    """

    chosen = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._families: list[Family] = []
        self._family: Family | None = None
        self.setPlaceholderText("no sampled image is open")
        self.setToolTip("Which sampled image is looked at; the active layer chooses, too")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        # A layer may join its family just after it was added.
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.refresh)
        for emitter in self._emitters():
            emitter.connect(self._changed)
        viewer.layers.selection.events.active.connect(self._follow)
        self.currentIndexChanged.connect(self._choose)
        self.refresh()

    def _emitters(self) -> list[Any]:
        events = self._viewer.layers.events
        return [events.inserted, events.removed]

    def family(self) -> Family | None:
        """Return the chosen family, or None."""
        return self._family

    def let_go(self) -> None:
        """Stop listening to the viewer, and hold nothing of it."""
        for emitter in self._emitters():
            emitter.disconnect(self._changed)
        self._later.stop()
        self._viewer.layers.selection.events.active.disconnect(self._follow)
        self._families, self._family = [], None

    def _changed(self, _: Any = None) -> None:
        self.refresh()
        self._later.start()

    def refresh(self, _: Any = None) -> None:
        """List the families of now; the first is chosen where none was, or its layers are gone."""
        self._families = families_in(self._viewer)
        before = self._family
        kept = before if before in self._families else self._of_active()
        if kept is None and self._families:
            kept = self._families[0]
        self._family = kept
        with QSignalBlocker(self):
            self.clear()
            self.addItems(_names(self._families))
            self.setCurrentIndex(-1 if kept is None else self._families.index(kept))
        if kept is not before:
            self.chosen.emit()

    def take(self, family: Family) -> None:
        """Choose a family whose layers are there already."""
        self._family = family
        self.refresh()
        self.chosen.emit()

    def _of_active(self) -> Family | None:
        return family_of(self._viewer.layers.selection.active)

    def _follow(self, _: Any = None) -> None:
        family = self._of_active()
        if family is not None and family not in self._families:
            self.refresh()
        if family is not None and family in self._families:
            self.setCurrentIndex(self._families.index(family))

    def _choose(self, place: int) -> None:
        self._family = self._families[place] if place >= 0 else None
        self.chosen.emit()


def families_in(viewer: Any) -> list[Family]:
    """Return the families of a viewer's layers, each once."""
    found: list[Family] = []
    for layer in viewer.layers:
        family = family_of(layer)
        if family is not None and family not in found:
            found.append(family)
    return found


def _names(families: list[Family]) -> list[str]:
    """Return a name for each, with a number where two have the same."""
    names = [family.result.source.name or "image" for family in families]
    return [
        f"{name} ({names[: k + 1].count(name)})" if names.count(name) > 1 else name
        for k, name in enumerate(names)
    ]
