"""What each axis of a layer is, in words, and always open to correction."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from napari_credible.gui.layers import letters_of

# Letter of io.Image, and what it means to the run.
ROLES = {
    "Y": "Y of the picture",
    "X": "X of the picture",
    "T": "time: one noise model for all",
    "Z": "depth: one noise model for all",
    "C": "channel: its own noise model",
    "Q": "other: one noise model for all",
}
_OTHERS = "QROPABDEFGHIJKLMNUVW"
_COUNTED = {"T": "times", "Z": "depths", "C": "channels", "Q": "others"}


class AxesPanel(QWidget):  # type: ignore[misc]
    """A row for each axis with its role; filled from the layer's axis labels."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._boxes: list[QComboBox] = []
        self._lengths: list[int] = []
        self._told: list[str] = []
        self._colour = ""

    def set_layer(self, layer: Any | None) -> None:
        """Show the axes of another layer; with None, nothing."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self._boxes = []
        if layer is not None:
            self._colour = "S" if layer.rgb else ""
            shape = layer.data[0].shape if layer.multiscale else layer.data.shape
            letters = letters_of(layer.axis_labels)
            self._lengths = [int(n) for n in shape[: len(letters)]]
            for label, letter, length in zip(
                layer.axis_labels, letters, self._lengths, strict=False
            ):
                self._add(str(label), letter, length)
        self._told = [box.currentData() for box in self._boxes]
        self.changed.emit()

    def _add(self, label: str, letter: str, length: int) -> None:
        box = QComboBox()
        for role, words in ROLES.items():
            box.addItem(words, role)
        box.setCurrentIndex(box.findData(letter if letter in ROLES else "Q"))
        box.setToolTip("What this axis counts. Planes are denoised one by one.")
        box.currentIndexChanged.connect(self.changed)
        self._boxes.append(box)
        self._form.addRow(QLabel(f"axis {label} ({length})"), box)

    def axes(self) -> str:
        """Return the letters of the axes for :class:`napari_credible.io.Image`.

        Raises
        ------
        ValueError
            One sentence, where two axes have a role that there is only once.
        """
        spare = iter(_OTHERS)
        roles = [box.currentData() for box in self._boxes]
        for role in "YXTZC":
            found = roles.count(role)
            if found > 1 or (found == 0 and role in "YX"):
                raise ValueError(
                    f"{found or 'no'} axes are '{ROLES[role]}'; choose exactly one"
                    if role in "YX"
                    else f"{found} axes are '{ROLES[role]}'; choose one, and 'other' for the rest"
                )
        return "".join(next(spare) if role == "Q" else role for role in roles) + self._colour

    def summary(self) -> str:
        """Return in words what will be done with the axes."""
        sizes = {box.currentData(): n for box, n in zip(self._boxes, self._lengths, strict=True)}
        counts = [f"{n} {_COUNTED[role]}" for role, n in sizes.items() if role in _COUNTED]
        colour = " in colour" if self._colour else ""
        return ", ".join([*counts, f"planes of {sizes.get('Y')} × {sizes.get('X')}{colour}"])

    def channels(self) -> list[str]:
        """Return a name for each channel; one empty name where there is no channel axis."""
        sizes = {box.currentData(): n for box, n in zip(self._boxes, self._lengths, strict=True)}
        if self._colour:
            return ["red", "green", "blue"]
        return [f"channel {k}" for k in range(sizes["C"])] if "C" in sizes else [""]

    def corrected(self) -> bool:
        """Return whether the user set a role that the labels do not tell."""
        return [box.currentData() for box in self._boxes] != self._told
