"""Cut a plane into tiles with a halo, denoise each, and join them again.

Where the halo is at least the denoiser's reach, tiled and untiled results agree to float
rounding. Tiles also overlap by a feather over which they are blended, so that a callable of
unknown reach leaves no seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """How a plane is cut.

    Attributes
    ----------
    shape : (int, int)
        Of the plane, pixels.
    core : (int, int)
        Largest part of the plane that one tile answers for.
    halo : int
        Pixels read around it.
    feather : int
        Pixels over which neighbouring tiles are blended, each side of their border.
    stride : int
        Tiles start at multiples of this.
    """

    shape: tuple[int, int]
    core: tuple[int, int]
    halo: int = 0
    feather: int = 0
    stride: int = 1

    def tiles(self) -> list[Tile]:
        """Return the tiles, row by row; each pixel is written by at least one."""
        rows, columns = (
            _spans(length, core, self) for length, core in zip(self.shape, self.core, strict=True)
        )
        return [Tile(row, column) for row in rows for column in columns]

    def largest(self) -> int:
        """Return the number of pixels that the largest tile reads."""
        return max(tile.rows.read_length * tile.columns.read_length for tile in self.tiles())

    def pixels(self) -> int:
        """Return the number of pixels that all tiles read together."""
        return sum(tile.rows.read_length * tile.columns.read_length for tile in self.tiles())

    def halved(self) -> Grid:
        """Return a grid with half the core along its longer side.

        Raises
        ------
        MemoryError
            Where the core is already as small as is of use.
        """
        longer = 0 if self.core[0] >= self.core[1] else 1
        core = list(self.core)
        core[longer] = _up(core[longer] // 2, self.stride)
        if max(self.core) <= max(64, 2 * self.stride):
            raise MemoryError(
                f"a tile of {self.core[0]} x {self.core[1]} pixels does not fit into memory; "
                "close other programs, or choose device='cpu'"
            )
        return Grid(self.shape, (core[0], core[1]), self.halo, self.feather, self.stride)


@dataclass(frozen=True)
class Span:
    """One axis of a tile: what it answers for, what it writes (feathered), what it reads."""

    start: int
    stop: int
    write_start: int
    write_stop: int
    read_start: int
    read_stop: int

    @property
    def read_length(self) -> int:
        """Number of pixels read."""
        return self.read_stop - self.read_start

    @property
    def write(self) -> slice:
        """Where in the plane the tile writes."""
        return slice(self.write_start, self.write_stop)

    @property
    def read(self) -> slice:
        """Where in the plane the tile reads."""
        return slice(self.read_start, self.read_stop)

    @property
    def inside(self) -> slice:
        """Where in what was read the written part lies."""
        return slice(self.write_start - self.read_start, self.write_stop - self.read_start)

    def weight(self, like: Tensor) -> Tensor:
        """Return the weight of each written pixel: 1, and a ramp over each shared border."""
        place = like.new_tensor(range(self.write_start, self.write_stop))
        weight = like.new_ones(len(place))
        for border, edge, sign in (
            (self.start, self.write_start, 1),
            (self.stop, self.write_stop, -1),
        ):
            width = 2 * abs(border - edge)
            if width:
                weight = weight.minimum(sign * (place - edge + 0.5) / width)
        return weight


@dataclass(frozen=True)
class Tile:
    """A rectangle of a plane."""

    rows: Span
    columns: Span


class Joined:
    """A plane that tiles are added to."""

    def __init__(self, plane: Tensor) -> None:
        self._sum = plane.new_zeros(plane.shape)
        self._weight = plane.new_zeros(plane.shape)

    def add(self, tile: Tile, found: Tensor) -> None:
        """Add what was found for the tile's read region, weighted."""
        part = found[tile.rows.inside, tile.columns.inside]
        weight = tile.rows.weight(part)[:, None] * tile.columns.weight(part)[None]
        place = (tile.rows.write, tile.columns.write)
        self._sum[place] += weight * part
        self._weight[place] += weight

    def plane(self) -> Tensor:
        """Return the joined plane."""
        return self._sum / self._weight


def read(plane: Tensor, tile: Tile) -> Tensor:
    """Return what the tile reads, shape (1, 1, rows, columns)."""
    return plane[tile.rows.read, tile.columns.read][None, None]


def _spans(length: int, core: int, grid: Grid) -> list[Span]:
    """Split an axis into nearly equal parts of at most ``core``, at multiples of the stride."""
    count = max(1, ceil(length / max(core, grid.stride)))
    step = _up(ceil(length / count), grid.stride)
    spans = []
    for start in range(0, length, step):
        stop = min(start + step, length)
        write_start = max(0, start - grid.feather)
        write_stop = min(length, stop + grid.feather)
        read_start = max(0, write_start - grid.halo) // grid.stride * grid.stride
        read_stop = min(length, _up(write_stop + grid.halo, grid.stride))
        spans.append(Span(start, stop, write_start, write_stop, read_start, read_stop))
    return spans


def _up(value: int, stride: int) -> int:
    return -(-value // stride) * stride
