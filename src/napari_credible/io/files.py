"""Read and write by suffix, and leave nothing half-written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_credible.io.image import Image

TIFF = (".tif", ".tiff")
FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fz")
PICTURE = (".png",)


def read(path: str | os.PathLike[str]) -> Image:
    """Read the first image of a TIFF, FITS or PNG file.

    Raises
    ------
    ValueError
        One sentence: the file is missing, of an unknown kind, damaged, or without an image.
    """
    return read_all(path)[0]


def read_all(path: str | os.PathLike[str]) -> list[Image]:
    """Read every image of a file: each image HDU of a FITS file, the first series of others."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    kind = _kind(path)
    if kind == TIFF:
        from napari_credible.io.tiff import read_tiff

        return [read_tiff(path)]
    if kind == FITS:
        from napari_credible.io.fits import read_fits

        return read_fits(path)
    return [_read_picture(path)]


def write(
    path: str | os.PathLike[str],
    image: Image,
    *,
    flags: Any = None,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write an image by the suffix of ``path``: OME-TIFF or FITS.

    The file is written beside its place and then renamed, so that a failure leaves none behind.

    Parameters
    ----------
    path : path-like
        Ends in ``.tif``, ``.tiff``, ``.fits``, ``.fit``, ``.fts`` or ``.fits.gz``.
    image : Image
        Scale, units and, between FITS files, the header are kept.
    flags : ndarray of uint8, optional
        Written as a second series or HDU.
    record : mapping, optional
        Provenance: see :meth:`napari_credible.result.Result.record`.

    Raises
    ------
    ValueError
        Where the kind of file is not known, or cannot keep the image.
    """
    path = Path(path)
    kind = check_writable(path)
    if kind == TIFF:
        from napari_credible.io.tiff import write_tiff as writer
    else:
        from napari_credible.io.fits import write_fits as writer
    suffix = "".join(path.suffixes[-2:]) if path.name.lower().endswith(".gz") else path.suffix
    handle, beside = tempfile.mkstemp(suffix=suffix, prefix=".part-", dir=path.parent)
    os.close(handle)
    try:
        writer(Path(beside), image, flags, record)
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> tuple[str, ...]:
    """Return the kind of file that ``path`` asks for, before any work is done.

    Raises
    ------
    ValueError
        Where the kind cannot keep float32 images, or the folder is missing.
    """
    kind = _kind(path)
    if kind == PICTURE:
        raise ValueError(
            f"{path.name}: a PNG cannot keep 32-bit numbers; write .tif or .fits instead"
        )
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}; make it first")
    if path.name.lower().endswith(".fz"):
        raise ValueError(f"{path.name}: tile-compressed FITS is read, not written; write .fits.gz")
    return kind


def readable(path: Path) -> bool:
    """Return whether the name of ``path`` is that of a file which can be read."""
    return path.name.lower().endswith((*TIFF, *FITS, *PICTURE)) and not path.name.startswith(".")


def _kind(path: Path) -> tuple[str, ...]:
    for kind in (TIFF, FITS, PICTURE):
        if path.name.lower().endswith(kind):
            return kind
    raise ValueError(
        f"{path.name} is of an unknown kind; use {', '.join([*TIFF, *FITS[:4], *PICTURE])}"
    )


def _read_picture(path: Path) -> Image:
    from skimage.io import imread

    array = imread(path)
    return Image(array, "YXS" if array.ndim == 3 else "YX", name=path.stem)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
