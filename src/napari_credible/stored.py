"""Draws on disk: written one by one, read where they are looked at, deleted when let go of."""

from __future__ import annotations

import shutil
import tempfile
from math import prod
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from napari_credible.posterior import Posterior

# A quarter of a mebibyte: a view of 1000 pixels reads a few, a pixel of 100 draws reads 100.
_CHUNK = 256
_BEGINS = "napari-credible-draws-"


class Stored:
    """The first draws of a store, as an array (n_draws, ..., Y, X) of float32 that is read late.

    The files live as long as somebody refers to this array, or to another one of the same store.

    Parameters
    ----------
    store : Store
        Where the draws are.
    n_draws : int
        How many of them.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, store: Store, n_draws: int) -> None:
        self.store = store
        self.shape = (n_draws, *store.array.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sides of what is read at once."""
        return tuple(self.store.array.chunks)

    def __len__(self) -> int:
        """Return the number of draws."""
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Read a part, indexed like an array."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            count = self.ndim - len(rest)
            first, rest = slice(None), [*[slice(None)] * (count - 1), *rest]
        if isinstance(first, slice):
            first = slice(*first.indices(len(self)))
        elif np.ndim(first) == 0:
            if not -len(self) <= first < len(self):
                raise IndexError(f"draw {first} of {len(self)}")
            first = int(first) % len(self)
        else:
            first = np.arange(len(self))[first]
        return np.asarray(self.store.array[(first, *rest)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything."""
        return np.asarray(self[:], dtype=dtype)


class Store:
    """A zarr array in a folder of its own, deleted with the last reference to this object.

    Parameters
    ----------
    shape : tuple of int
        Of one draw (..., Y, X).
    n_draws : int
        Planned.
    lowest, widen
        As for :class:`napari_credible.posterior.Posterior`.
    folder : path, optional
        In which the store's own folder is made; the system's folder for temporary files where
        not given.

    Raises
    ------
    ValueError
        One sentence, where zarr is missing or the draws do not fit onto the disk.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        n_draws: int,
        lowest: Any = -np.inf,
        widen: float = 1.0,
        folder: str | Path | None = None,
    ) -> None:
        try:
            import zarr
        except ImportError:
            raise ValueError(
                "draws on disk need zarr; install napari-credible[zarr], or keep the maps alone"
            ) from None
        _check_room(4 * n_draws * prod(shape), folder)
        self.path = Path(tempfile.mkdtemp(prefix=_BEGINS, dir=folder))
        finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        sides = (1,) * (len(shape) - 2) + tuple(min(_CHUNK, side) for side in shape[-2:])
        # Noise does not compress.
        self.array: Any = zarr.create_array(
            self.path / "draws.zarr",
            shape=(n_draws, *shape),
            chunks=(1, *sides),
            dtype="float32",
            compressors=None,
        )
        self._about = {"lowest": lowest, "widen": widen}
        self.n_draws = 0

    def add(self, draw: NDArray[np.floating[Any]]) -> None:
        """Write one more draw."""
        self.array[self.n_draws] = np.asarray(draw, dtype=np.float32)
        self.n_draws += 1

    def posterior(self) -> Posterior:
        """Return those so far; they stay on disk."""
        return Posterior(Stored(self, self.n_draws), **self._about)  # type: ignore[arg-type]


def _check_room(needed: int, folder: str | Path | None) -> None:
    place = Path(folder or tempfile.gettempdir())
    if not place.is_dir():
        raise ValueError(f"there is no folder {place} for the draws; make it, or choose another")
    free = shutil.disk_usage(place).free
    if needed > free:
        raise ValueError(
            f"the draws need {needed / 2**30:.1f} GiB and {place} has {free / 2**30:.1f} GiB free; "
            "draw fewer, keep the maps alone, or choose another folder"
        )
