"""The layer of shapes that are asked about: made when one is drawn, each with a letter."""

from __future__ import annotations

from itertools import count
from string import ascii_uppercase
from typing import Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_credible.gui.placed import Placed
from napari_credible.shapes import LINES, RECTANGLE, Shape, pixel_square

SHAPES_KEY = "napari-credible-regions"
_SETTLED_MS = 120
_LETTER = "letter"
# Of a root of the image's side, in pixels: 0.6 of 256 pixels, 1.8 of 2048.
_THICK = 0.04
# On the canvas, which is black in every theme.
_INK = "#F0E442"
_MODES = {
    "rectangle": "add_rectangle",
    "ellipse": "add_ellipse",
    "polygon": "add_polygon",
    "line": "add_line",
}


class Drawn(QObject):  # type: ignore[misc]
    """The shapes of a viewer that belong to the inspector.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer is made, or found where one is left of an earlier inspector.
    """

    changed = Signal()
    selected = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Any = None
        self._chosen: set[int] = set()
        self._settled = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._settled.timeout.connect(self._settle)
        viewer.layers.events.removed.connect(self._removed)
        for layer in viewer.layers:
            if isinstance(layer, Shapes) and SHAPES_KEY in layer.metadata:
                self._adopt(layer)

    @property
    def layer(self) -> Any:
        """The layer of shapes, or None."""
        return self._layer

    def let_go(self) -> None:
        """Stop listening; shapes stay in the viewer, an empty layer goes."""
        self._settled.stop()
        self._viewer.layers.events.removed.disconnect(self._removed)
        layer = self._layer
        self._forget()
        if layer is not None and layer in self._viewer.layers and not len(layer.data):
            self._viewer.layers.remove(layer)

    # ── what the user draws ──

    def begin(self, kind: str, placed: Placed) -> None:
        """Let the user draw a shape of a kind with the mouse."""
        layer = self._made(placed)
        self._viewer.layers.selection.active = layer
        layer.mode = _MODES[kind]

    def add_pixel(self, placed: Placed, index: tuple[int, ...]) -> None:
        """Draw a square around one pixel."""
        square = pixel_square("", *placed.row_and_column(index)).corners
        layer = self._made(placed)
        active = self._viewer.layers.selection.active
        corners = np.tile(np.array(index, dtype=float), (4, 1))
        corners[:, [placed.axes.index("Y"), placed.axes.index("X")]] = square
        world = [(placed.matrix() @ [*corner, 1.0])[:-1] for corner in corners]
        layer.add([layer.world_to_data(point) for point in world], shape_type=RECTANGLE)
        self._viewer.layers.selection.active = active

    def shapes(self, placed: Placed) -> list[Shape]:
        """Return the shapes in pixels of an image, in the plane of the sliders."""
        if self._layer is None:
            return []
        layer, found = self._layer, []
        point = self._viewer.dims.point
        for letter, kind, data in zip(self.letters(), layer.shape_type, layer.data, strict=True):
            # A polygon is a path until its last corner is set.
            if kind in LINES and len(data) < 2:
                continue
            world = [layer.data_to_world(corner) for corner in data]
            found.append(Shape(letter, str(kind), placed.rows_and_columns(world, point)))
        return found

    def letters(self) -> list[str]:
        """Return the letter of each shape."""
        if self._layer is None or _LETTER not in self._layer.features:
            return []
        return [str(letter) for letter in self._layer.features[_LETTER]]

    # ── the layer ──

    def _made(self, placed: Placed) -> Any:
        if self._layer is None:
            layer = Shapes(ndim=2 if placed.flat() else len(placed.axes), **self._looks(placed))
            self._viewer.add_layer(layer)
            self._adopt(layer)
        return self._layer

    def _looks(self, placed: Placed) -> dict[str, Any]:
        """Return the attributes of the layer: two axes lie in all planes of a stack."""
        matrix = placed.matrix()
        labels = [axis.lower() for axis in placed.axes]
        units = [str(unit) for unit in placed.layer.units[-len(labels) :]]
        if placed.flat():
            keep = [-3, -2, -1]
            matrix, labels, units = matrix[np.ix_(keep, keep)], labels[-2:], units[-2:]
        return {
            "name": "regions",
            "affine": matrix,
            "axis_labels": labels,
            "units": units,
            "edge_color": _INK,
            "face_color": "transparent",
            "edge_width": _THICK * max(placed.shape) ** 0.5,
            "features": {_LETTER: np.array([], dtype=str)},
            "text": {"string": "{letter}", "color": _INK, "size": 12, "anchor": "upper_left"},
            "metadata": {SHAPES_KEY: True},
        }

    def _adopt(self, layer: Any) -> None:
        self._layer = layer
        layer.events.data.connect(self._touched)
        layer.events.highlight.connect(self._touched)

    def _forget(self) -> None:
        if self._layer is not None:
            self._layer.events.data.disconnect(self._touched)
            self._layer.events.highlight.disconnect(self._touched)
        self._layer, self._chosen = None, set()

    def _removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._forget()
            self.changed.emit()

    def _touched(self, event: Any = None) -> None:
        looked = getattr(event, "type", "") == "highlight"
        if not looked or set(self._layer.selected_data) != self._chosen:
            self._settled.start()

    def _settle(self) -> None:
        """Name what is new, and tell what is there and what is selected."""
        layer = self._layer
        if layer is None:
            return
        self._name()
        self.changed.emit()
        chosen = {int(k) for k in layer.selected_data}
        if chosen != self._chosen:
            self._chosen = chosen
            if len(chosen) == 1 and len(self.letters()) > max(chosen):
                self.selected.emit(self.letters()[chosen.pop()])

    def _name(self) -> None:
        """Give each shape a letter of its own; one that has one keeps it."""
        layer = self._layer
        features = layer.features.copy()
        before = [str(letter) for letter in features.get(_LETTER, [])]
        letters: list[str] = []
        free = (letter for letter in _letters() if letter not in before)
        for number in range(len(layer.data)):
            mine = before[number] if number < len(before) else ""
            known = mine not in ("", "nan", "None") and mine not in letters
            letters.append(mine if known else next(free))
        if letters != before:
            features[_LETTER] = letters
            layer.features = features


def _letters() -> Any:
    """Yield A to Z, then A1 and so on."""
    yield from ascii_uppercase
    for number in count(1):
        yield from (f"{letter}{number}" for letter in ascii_uppercase)
