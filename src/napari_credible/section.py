"""One plane of a posterior beside what was measured there, read no further than it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.answers import Answered, Question, above_of
from napari_credible.posterior import Posterior
from napari_credible.result import Result
from napari_credible.streamed import Streamed

# What is read at once of draws that are not in memory: a chunk's side, unless that is too much.
_SIDE, _LARGEST_BYTES = 256, 2**27


@dataclass(frozen=True, eq=False)
class Section:
    """The plane of Y and X at one place of all other axes; nothing of it is copied.

    Attributes
    ----------
    posterior : Posterior, Streamed or Linearised
        Of the whole image, or of ``origin`` on.
    measured : array_like
        What went in, of the same shape as a draw; may be lazy.
    flags : ndarray of uint8
        Of the same shape.
    axes : str
        Letters of its axes.
    place : tuple of int
        Index along each axis; those of Y and X are not looked at.
    unit : str
        Of the intensities.
    pixel : (float, float)
        Sides of a pixel, along Y and X.
    pixel_unit : str
        Of these.
    where : str
        Which plane it is, in words.
    origin : (int, int)
        Row and column of the first pixel that is here, in the whole image.
    """

    posterior: Any
    measured: Any
    flags: NDArray[np.uint8]
    axes: str
    place: tuple[int, ...]
    unit: str = ""
    pixel: tuple[float, float] = (1.0, 1.0)
    pixel_unit: str = "pixel"
    where: str = ""
    origin: tuple[int, int] = (0, 0)

    @property
    def sides(self) -> tuple[int, int]:
        """Number of rows and columns that are here."""
        shape = self.measured.shape
        return shape[self.axes.index("Y")], shape[self.axes.index("X")]

    @property
    def has_draws(self) -> bool:
        """Whether the draws are at hand, or only their maps."""
        return isinstance(self.posterior, Posterior)

    @property
    def at_hand(self) -> bool:
        """Whether one pixel can be read without reading a file or computing a whole map."""
        if not isinstance(self.measured, np.ndarray):
            return False
        if self.has_draws:
            return isinstance(self.posterior.draws, np.ndarray)
        return isinstance(self.posterior, (Streamed, Answered))

    def holds(self, row: int, column: int) -> bool:
        """Return whether a pixel is here."""
        first, last = self.origin, np.add(self.origin, self.sides)
        return bool(first[0] <= row < last[0] and first[1] <= column < last[1])

    def everything(self) -> tuple[slice, slice]:
        """Return the rows and columns that are here."""
        (top, left), (rows, columns) = self.origin, self.sides
        return slice(top, top + rows), slice(left, left + columns)

    def key(self, rows: slice, columns: slice) -> tuple[slice | int, ...]:
        """Return the index of a part of the plane in an array of the whole image."""
        cut = {"Y": _moved(rows, -self.origin[0]), "X": _moved(columns, -self.origin[1])}
        return tuple(cut.get(a, k) for a, k in zip(self.axes, self.place, strict=True))

    def upright(self, part: NDArray[Any]) -> NDArray[Any]:
        """Return what :meth:`key` has cut with Y before X."""
        turned = self.axes.index("X") < self.axes.index("Y")
        return part.swapaxes(-1, -2) if turned else part

    def draws(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return all draws of a part, shape (n_draws, rows, columns); a view where possible."""
        key = (slice(None), *self.key(rows, columns))
        return self.upright(np.asarray(self.posterior.draws[key]))

    def each_draw(self, rows: slice, columns: slice) -> Iterator[NDArray[np.float32]]:
        """Yield one draw of a part after another."""
        key = self.key(rows, columns)
        for number in range(self.posterior.n_draws):
            yield self.upright(np.asarray(self.posterior.draws[(number, *key)]))

    def input(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Return what was measured in a part."""
        return self.upright(np.asarray(self.measured[self.key(rows, columns)]))

    def doubts(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Return the flags of a part."""
        return self.upright(self.flags[self.key(rows, columns)])

    def lowest(self, rows: slice, columns: slice) -> Any:
        """Return the least possible value in a part: a number, or one for each pixel."""
        lowest = self.posterior.lowest
        if not np.ndim(lowest):
            return lowest
        whole = np.broadcast_to(lowest, self.measured.shape)
        return self.upright(whole[self.key(rows, columns)])

    def part(self, rows: slice, columns: slice) -> Any:
        """Return the posterior of a part of the plane, draws or maps as they are."""
        if self.has_draws:
            lowest = self.lowest(rows, columns)
            return Posterior(self.draws(rows, columns), lowest, self.posterior.widen)
        return self.posterior.mapped(self._cut(rows, columns))

    def estimate(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return the posterior's mean in a part."""
        return self._cut(rows, columns)(self.posterior.mean)

    def _cut(self, rows: slice, columns: slice) -> Callable[[NDArray[Any]], NDArray[Any]]:
        key = (..., *self.key(rows, columns))
        return lambda array: self.upright(array[key])

    def loaded(self, row: int, column: int, question: Question) -> Section:
        """Return the section around one pixel with all that answers a question in memory."""
        rows, columns = self.near(row, column)
        if self.has_draws:
            whole = self.part(rows, columns)
            whole = replace(whole, draws=np.ascontiguousarray(whole.draws))
        elif hasattr(self.posterior, "mapped"):
            whole = self.part(rows, columns)
        else:
            whole = self._answered(question).mapped(self._cut(rows, columns))
        return replace(
            self,
            posterior=whole,
            measured=self.input(rows, columns),
            flags=self.doubts(rows, columns),
            axes="YX",
            place=(0, 0),
            origin=(rows.start, columns.start),
        )

    def _answered(self, question: Question) -> Answered:
        """Return the maps of a posterior that knows no single pixels, each computed once."""
        lower, upper = self.posterior.interval(question.level)
        above, error = above_of(self.posterior, question.threshold)
        return Answered(
            question, self.posterior.mean, self.posterior.std, lower, upper, above, error
        )

    def near(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the block of rows and columns around a pixel that is worth reading at once."""
        if not hasattr(self.posterior, "n_draws"):
            return self.everything()
        side = _SIDE
        while side > 1 and 4 * self.posterior.n_draws * side**2 > _LARGEST_BYTES:
            side //= 2
        (top, left), (rows, columns) = self.origin, self.sides
        first = [top + (row - top) // side * side, left + (column - left) // side * side]
        return (
            slice(first[0], min(first[0] + side, top + rows)),
            slice(first[1], min(first[1] + side, left + columns)),
        )


def section_of(result: Result, place: tuple[int, ...]) -> Section:
    """Return the plane of a result at an index; one place for each axis of its source."""
    source = result.source
    sides = [source.axes.index(axis) for axis in "YX"]
    return Section(
        result.posterior,
        source.array,
        result.flags,
        source.axes,
        tuple(place),
        unit=source.unit,
        pixel=(abs(source.scale[sides[0]]), abs(source.scale[sides[1]])),
        pixel_unit=source.axis_units[sides[1]],
        where=", ".join(
            ["", *(f"{a} {k}" for a, k in zip(source.axes, place, strict=True) if a not in "YX")]
        ),
    )


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
