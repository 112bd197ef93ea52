"""Shapes drawn on a plane, and the pixels that they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# How far a line reaches into the image beside its ends, for the interpolation.
_BESIDE = 2
RECTANGLE, ELLIPSE, POLYGON, LINE, PATH = "rectangle", "ellipse", "polygon", "line", "path"
AREAS, LINES = (RECTANGLE, ELLIPSE, POLYGON), (LINE, PATH)


@dataclass(frozen=True, eq=False)
class Shape:
    """A shape in pixel coordinates: pixel (r, c) is the square around the point (r, c).

    Parameters
    ----------
    name : str
        Such as "A".
    kind : "rectangle", "ellipse", "polygon", "line" or "path"
        A rectangle and an ellipse may be rotated or sheared.
    corners : ndarray, shape (n, 2), pixels
        Rows and columns. Those of an ellipse are of the parallelogram around it, in order.

    Raises
    ------
    ValueError
        Where the kind is unknown or has too few corners.
    """

    name: str
    kind: str
    corners: Floats

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners, dtype=np.float64)
        least = 2 if self.kind in LINES else 3
        if self.kind not in AREAS + LINES or corners.ndim != 2 or len(corners) < least:
            raise ValueError(
                f"a {self.kind} with corners of shape {corners.shape}; give a rectangle, ellipse, "
                "polygon, line or path, and its corners as rows and columns"
            )
        object.__setattr__(self, "corners", corners)

    @property
    def is_line(self) -> bool:
        """Whether it has a profile and no area."""
        return self.kind in LINES

    def box(self, sides: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns of an image of these sides that the shape may touch.

        Raises
        ------
        ValueError
            Where the shape lies outside the image.
        """
        beside = _BESIDE if self.is_line else 0
        low = np.maximum(np.ceil(self.corners.min(0)) - beside, 0).astype(int)
        high = np.minimum(np.floor(self.corners.max(0)) + beside + 1, sides).astype(int)
        inside = (self.corners.max(0) >= -0.5) & (self.corners.min(0) < np.array(sides) - 0.5)
        if not inside.all():
            raise ValueError(f"{self.name} lies outside the image; move it onto the image")
        return slice(low[0], max(high[0], low[0])), slice(low[1], max(high[1], low[1]))

    def mask(self, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """Return which pixels of a box have their centre in the shape, border included.

        Raises
        ------
        ValueError
            Where none has.
        """
        sides = rows.stop - rows.start, columns.stop - columns.start
        corners = self.corners - (rows.start, columns.start)
        if self.kind == ELLIPSE:
            inside = _in_ellipse(sides, corners)
        elif min(sides) > 0:
            from skimage.measure import grid_points_in_poly

            inside = np.asarray(grid_points_in_poly(sides, corners), dtype=bool)
        else:
            inside = np.zeros(sides, dtype=bool)
        if not inside.any():
            raise ValueError(f"{self.name} holds the centre of no pixel; draw it larger")
        return inside


def pixel_square(name: str, row: int, column: int) -> Shape:
    """Return the rectangle around one pixel."""
    around = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
    return Shape(name, RECTANGLE, around + np.array([row, column]))


def _in_ellipse(sides: tuple[int, int], corners: Floats) -> NDArray[np.bool_]:
    """Return what lies in the ellipse that touches the middles of a parallelogram's sides."""
    centre = corners.mean(0)
    halves = np.stack([corners[1] - corners[0], corners[3] - corners[0]], 1) / 2
    if abs(np.linalg.det(halves)) < 1e-12:
        return np.zeros(sides, dtype=bool)
    away = np.moveaxis(np.indices(sides), 0, -1) - centre
    return np.asarray(np.square(away @ np.linalg.inv(halves).T).sum(-1) <= 1 + 1e-12)
