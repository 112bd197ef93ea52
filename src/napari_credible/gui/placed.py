"""Where the pixels of a sampled image lie in the world of the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.gui.family import DRAWS, Family, family_of, role_of
from napari_credible.section import Section, section_of

Floats = NDArray[np.float64]
_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class Placed:
    """A family through one of its layers.

    Attributes
    ----------
    family : Family
        What is looked at.
    layer : napari layer
        Whose transform holds for all of them.
    """

    family: Family
    layer: Any

    @property
    def _before(self) -> int:
        """Axes of the layer before those of the image: the draws count themselves first."""
        return 1 if role_of(self.layer) == DRAWS else 0

    @property
    def axes(self) -> str:
        """Letters of the axes that have a place in the world: all but the colours."""
        return self.family.result.source.axes.replace("S", "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels along each of them."""
        source = self.family.result.source
        return tuple(
            n for n, axis in zip(source.array.shape, source.axes, strict=True) if axis != "S"
        )

    def pixels(self, world: Any) -> Floats:
        """Return a point of the world in pixels along :attr:`axes`."""
        return np.asarray(self.layer.world_to_data(world), dtype=float)[self._before :]

    def index(self, world: Any) -> tuple[int, ...] | None:
        """Return the index of the pixel at a point of the world, or None outside the image."""
        found = np.floor(self.pixels(world) + 0.5).astype(int)
        if (found < 0).any() or (found >= self.shape).any():
            return None
        return tuple(int(k) for k in found)

    def in_view(self, point: Any) -> tuple[int, ...]:
        """Return the index of the plane at a point of the sliders, the nearest one if outside."""
        found = np.floor(self.pixels(point) + 0.5).astype(int)
        return tuple(int(k) for k in np.clip(found, 0, np.array(self.shape) - 1))

    def matrix(self) -> Floats:
        """Return the affine matrix from pixels to the world, shape (d + 1, d + 1)."""
        return matrix_of(self.layer, len(self.axes), self._before)

    def of_data(self) -> tuple[str, Floats, tuple[Any, ...]]:
        """Return the axes of the data, the matrix from their pixels to the world, and its units.

        The data of a restored image have pixels of their own: those of the layer that they came
        from, while that is there.
        """
        data, layer = self.family.result.data, self.family.roles.get("input")
        if data is None:
            return self.axes, self.matrix(), tuple(self.layer.units[-len(self.axes) :])
        axes, read = data.axes.replace("S", ""), self.family.result.read
        begun = np.eye(len(axes) + 1)
        if read is not None:
            begun[:-1, -1] = read.start[: len(axes)]
        if layer is None or layer.ndim != len(axes):
            scale = [s for s, axis in zip(data.scale, data.axes, strict=True) if axis != "S"]
            return axes, np.diag([*scale, 1.0]) @ begun, tuple(self.layer.units[-len(axes) :])
        return axes, matrix_of(layer, len(axes)) @ begun, tuple(layer.units)

    def flat(self) -> bool:
        """Return whether Y and X are the last axes, and turned by themselves alone."""
        matrix = self.matrix()[:-1, :-1]
        mixed = np.abs(matrix[:-2, -2:]).max(initial=0) + np.abs(matrix[-2:, :-2]).max(initial=0)
        return self.axes.endswith("YX") and bool(mixed < 1e-9)

    def upright(self, viewer: Any) -> bool:
        """Return whether the view shows Y and X, and nothing else."""
        behind = viewer.dims.ndim - len(self.axes)
        shown = {self.axes[k - behind] for k in viewer.dims.displayed if k >= behind}
        return viewer.dims.ndisplay == 2 and shown == {"Y", "X"}

    def rows_and_columns(self, corners: Any, point: Any) -> Floats:
        """Return corners in the world as rows and columns, shape (n, 2).

        Corners with fewer axes than the image lie in the plane of ``point``.
        """
        corners = np.atleast_2d(np.asarray(corners, dtype=float))
        behind = np.asarray(point, dtype=float)[: len(point) - corners.shape[1]]
        found = np.array([self.pixels([*behind, *corner]) for corner in corners])
        # What the transforms round off would give a line of 50 pixels one value more.
        return found.round(_DECIMALS)[:, [self.axes.index("Y"), self.axes.index("X")]]

    def section(self, index: tuple[int, ...], colour: int = 0) -> Section:
        """Return the plane of an index along :attr:`axes`."""
        source = self.family.result.source
        places = {**dict(zip(self.axes, index, strict=True)), "S": colour, "Y": 0, "X": 0}
        return section_of(self.family.result, tuple(places[axis] for axis in source.axes))

    def row_and_column(self, index: tuple[int, ...]) -> tuple[int, int]:
        """Return where an index lies in its plane."""
        return index[self.axes.index("Y")], index[self.axes.index("X")]


def matrix_of(layer: Any, d: int, before: int = 0) -> Floats:
    """Return the affine matrix to the world from the d axes of a layer behind ``before`` others."""
    start = np.zeros(d + before)
    origin = np.asarray(layer.data_to_world(start), dtype=float)[before:]
    matrix = np.eye(d + 1)
    for axis in range(d):
        step = start.copy()
        step[before + axis] = 1
        there = np.asarray(layer.data_to_world(step), dtype=float)[before:]
        matrix[:d, axis] = there - origin
    matrix[:d, d] = origin
    return matrix


def placed(viewer: Any, family: Family | None) -> Placed | None:
    """Return a family through one of its layers; the draws only where no map is left."""
    if family is None:
        return None
    mine = [layer for layer in viewer.layers if family_of(layer) is family]
    mine.sort(key=lambda layer: role_of(layer) == DRAWS)
    return Placed(family, mine[0]) if mine else None
