"""Arrays of operators in files and in JSON: read, pinned by their checksum, written inline."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Read = Callable[[str], Any]
_PIN = "#sha256:"
_PIN_DIGITS = 16
# Up to so many numbers are written as numbers; more are packed.
_READABLE = 128
_TABLES = (".txt", ".csv", ".tsv", ".dat")


def array_of(place: str, read: Read | None = None) -> Any:
    """Return what a file holds: an array, or what ``read`` makes of an image file.

    Parameters
    ----------
    place : str
        A path, with ``#sha256:DIGITS`` behind it where the file must be the same as before.
    read : callable, optional
        Reads an image file with its pixel size, as ``napari_credible.io.read`` does; None reads
        TIFF and FITS without.

    Raises
    ------
    ValueError
        One sentence, where the file is missing, damaged, of an unknown kind or another than before.
    """
    name, _, pin = place.partition(_PIN)
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"there is no file {name}; give the path of the operator's array")
    if pin and not _checksum(path).startswith(pin):
        raise ValueError(
            f"{name} is not the file that the recipe was made with (its checksum is "
            f"{_checksum(path)[:_PIN_DIGITS]}, not {pin}); put that file back, or leave out {_PIN}"
        )
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix.lower() in _TABLES:
            separator = "," if path.suffix.lower() == ".csv" else None
            return np.loadtxt(path, delimiter=separator, ndmin=1)
        return _picture(path) if read is None else read(name)
    except ImportError:
        raise ValueError(
            f"{name} needs astropy to be read: pip install 'napari-credible[fits]'"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{name} cannot be read: {str(error).splitlines()[0]}") from None


def pinned(place: str) -> str:
    """Return a path with the checksum of its file behind it."""
    name = place.partition(_PIN)[0]
    return f"{name}{_PIN}{_checksum(Path(name))[:_PIN_DIGITS]}"


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _picture(path: Path) -> Any:
    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        return tifffile.imread(path)
    if path.name.lower().endswith((".fits", ".fit", ".fts", ".fits.gz", ".fits.fz")):
        from astropy.io import fits

        with fits.open(path, memmap=False) as hdus:
            return next(
                np.asarray(hdu.data) for hdu in hdus if getattr(hdu, "data", None) is not None
            )
    if path.suffix.lower() == ".png":
        import imageio.v3

        return imageio.v3.imread(path)
    raise ValueError("its kind is not known; give TIFF, FITS, PNG, NPY or a table of numbers")


def to_json(array: np.ndarray) -> Any:
    """Return an array as plain JSON values: nested lists, or packed where it is large."""
    if array.size <= _READABLE:
        return array.tolist()
    kind = "bool" if array.dtype.kind == "b" else "<f8"
    raw = np.packbits(array).tobytes() if kind == "bool" else array.astype(kind).tobytes()
    text = base64.b64encode(zlib.compress(raw, 9)).decode()
    return {"shape": list(array.shape), "dtype": kind, "zlib": text}


def from_json(value: Any, read: Read | None = None) -> Any:
    """Return the array of :func:`to_json`, of a path in ``{"file": PATH}``, or the value itself.

    Raises
    ------
    ValueError
        One sentence, where a packed array is damaged.
    """
    if not isinstance(value, dict):
        return value
    if set(value) == {"file"}:
        return array_of(str(value["file"]), read)
    try:
        raw = zlib.decompress(base64.b64decode(value["zlib"], validate=True))
        shape = tuple(int(n) for n in value["shape"])
        if value["dtype"] == "bool":
            bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=int(np.prod(shape)))
            return bits.astype(bool).reshape(shape)
        return np.frombuffer(raw, "<f8").reshape(shape)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(
            f'an array of the operator is damaged ({error}); give nested lists, or {{"file": PATH}}'
        ) from None
