"""Clean images on disk: found, checked and decoded once, the rest when they are drawn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.io import read

Pixels = NDArray[Any]

_SUFFIXES = {".png", ".tif", ".tiff", ".fits", ".fit", ".fts"}
LEAST_SIDE = 128
# Measured images have a few stray values; the rest spans [0, 1], and the stray ones are cut to it.
_LOW, _HIGH = 0.0001, 0.9999


class Folder:
    """Images of one kind.

    Parameters
    ----------
    path : Path
        Single-channel 8- or 16-bit PNG, TIFF or FITS files, also in folders below it. The planes
        of a stack are images of their own.
    share : float
        How often it is drawn from.
    stars : bool
        Whether point sources are added.
    memory : float, bytes
        Of decoded images that are kept; the others are read again when they are drawn.

    Attributes
    ----------
    checksum : str
        SHA-256 of the bytes of all its files, in the order of their names.

    Raises
    ------
    ValueError
        Where no file holds a single-channel image of at least 128 pixels a side.
    """

    def __init__(
        self, path: Path, share: float = 1.0, *, stars: bool = False, memory: float = 4e9
    ) -> None:
        self.share, self.stars = share, stars
        self._memory, self._kept = memory, OrderedDict[Path, list[Pixels]]()
        sums, self._planes = hashlib.sha256(), list[tuple[Path, int]]()
        for file in sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES):
            sums.update(file.read_bytes())
            self._planes += [(file, k) for k in range(len(self._images(file)))]
        if not self._planes:
            raise ValueError(
                f"{path} holds no single-channel image of at least {LEAST_SIDE} pixels a side; "
                "give a folder of PNG, TIFF or FITS images"
            )
        self.checksum = sums.hexdigest()

    def __len__(self) -> int:
        return len(self._planes)

    def __getitem__(self, number: int) -> Pixels:
        """Return one plane as it is kept: 8-bit integers, or float32 in [0, 1]."""
        file, plane = self._planes[number]
        return self._images(file)[plane]

    def _images(self, file: Path) -> list[Pixels]:
        if file not in self._kept:
            self._kept[file] = decoded(file)
            self._forget()
        self._kept.move_to_end(file)
        return self._kept[file]

    def _forget(self) -> None:
        sizes = [sum(p.nbytes for p in planes) for planes in self._kept.values()]
        while len(self._kept) > 1 and sum(sizes) > self._memory:
            self._kept.popitem(last=False)
            sizes.pop(0)


def decoded(file: Path) -> list[Pixels]:
    """Return the usable planes of a file, or nothing where it holds none."""
    try:
        image = read(file)
        if image.channel_axis:
            return []
        array = np.asarray(image.ordered())
    except (ValueError, OSError):
        return []
    if min(array.shape[-2:]) < LEAST_SIDE:
        return []
    planes = array.reshape(-1, *array.shape[-2:])
    return [p if p.dtype == np.uint8 else _spanning(p) for p in planes if _varies(p)]


def _varies(plane: Pixels) -> bool:
    return bool(np.isfinite(plane).all() and plane.min() < plane.max())


def _spanning(plane: Pixels) -> NDArray[np.float32]:
    """Return a measured plane with its usual range at [0, 1]: 16 bits are rarely filled."""
    values = plane.astype(np.float32)
    low, high = np.quantile(values, [_LOW, _HIGH])
    if not high > low:
        low, high = values.min(), values.max()
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)


def unit(crop: Pixels) -> NDArray[np.float32]:
    """Return a crop as float32, the range of its integers at [0, 1]."""
    if crop.dtype.kind == "f":
        return crop.astype(np.float32)
    return np.asarray(crop.astype(np.float32) / np.iinfo(crop.dtype).max)
