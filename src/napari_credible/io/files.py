"""Read and write by suffix, and leave nothing half-written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_credible.io.image import Image, as_image

TIFF = (".tif", ".tiff")
FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fz")
ZARR = (".zarr",)
PICTURE = (".png",)
_KNOWN = (*TIFF, *FITS, *ZARR, *PICTURE)


def read(path: str | os.PathLike[str]) -> Image:
    """Read the first image of a TIFF, FITS, OME-Zarr or PNG file.

    Raises
    ------
    ValueError
        One sentence: the file is missing, of an unknown kind, damaged, or without an image.
    """
    return read_all(path)[0]


def read_all(path: str | os.PathLike[str]) -> list[Image]:
    """Read every image of a file.

    These are each image HDU of a FITS file, each series of bioformats2raw in an OME-Zarr, and
    the first series of other files.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"there is no file {path}")
    kind = _kind(path)
    if path.is_dir() != (kind == ZARR):
        found = "a folder, not a file" if path.is_dir() else "a file; an OME-Zarr image is a folder"
        raise ValueError(f"{path.name} is {found}")
    if kind == ZARR:
        from napari_credible.io.zarr import read_zarr

        return read_zarr(path)
    if kind == TIFF:
        from napari_credible.io.tiff import read_tiff

        return [read_tiff(path)]
    if kind == FITS:
        from napari_credible.io.fits import read_fits

        return read_fits(path)
    return [_read_picture(path)]


def read_result(
    path: str | os.PathLike[str],
) -> tuple[Image, Any, dict[str, Any] | None]:
    """Read a file with the flags and the record that :func:`write` left in it.

    Returns
    -------
    image : Image
        As :func:`read` gives it.
    flags : ndarray of uint8 or None
        In the order of the image; None where the file has none.
    record : dict or None
        None where the file is not one of ours.
    """
    path = Path(path)
    image = read(path)
    kind = _kind(path)
    if kind == TIFF:
        from napari_credible.io.tiff import read_flags
    elif kind == FITS:
        from napari_credible.io.fits import read_flags
    elif kind == ZARR:
        from napari_credible.io.zarr import read_flags
    else:
        return image, None, None
    record = recorded(path, image)
    return image, read_flags(path, image) if record else None, record or None


def recorded(path: Path, image: Image) -> dict[str, Any]:
    """Return the record of a file of ours; empty for other files."""
    if _kind(path) == FITS:
        from napari_credible.io.fits import recorded as from_fits

        return from_fits(path)
    return dict(image.header.get("napari-credible", {}))


def write(
    path: str | os.PathLike[str],
    image: Image,
    *,
    flags: Any = None,
    record: Mapping[str, Any] | None = None,
    maps: Mapping[str, Any] | None = None,
) -> None:
    """Write an image by the suffix of ``path``: OME-TIFF, FITS or OME-Zarr.

    The file is written beside its place and then renamed, so that a failure leaves none behind.

    Parameters
    ----------
    path : path-like
        Ends in ``.tif``, ``.tiff``, ``.fits``, ``.fit``, ``.fts``, ``.fits.gz`` or ``.zarr``.
    image : Image
        Scale, units and, between FITS files, the header are kept.
    flags : ndarray of uint8, optional
        Written as a second series or HDU.
    record : mapping, optional
        Provenance: see :meth:`napari_credible.result.Result.record`.
    maps : mapping of str to ndarray, optional
        Of the image's shape, such as "std", "lower" and "upper". In OME-TIFF further series of
        these names, in FITS HDUs (ERR, LOWER, UPPER, PROB), in OME-Zarr further channels.

    Raises
    ------
    ValueError
        Where the kind of file is not known, or cannot keep the image.
    """
    path, image = Path(path), as_image(image)
    kind = check_writable(path, image)
    if kind == ZARR:
        named = {"channels": ["estimate", *maps]} if maps else {}
        _write_folder(path, *_as_channels(image, flags, maps), {**(record or {}), **named})
        return
    if kind == TIFF:
        from napari_credible.io.tiff import write_tiff as writer
    else:
        from napari_credible.io.fits import write_fits as writer
    suffix = "".join(path.suffixes[-2:]) if path.name.lower().endswith(".gz") else path.suffix
    handle, beside = tempfile.mkstemp(suffix=suffix, prefix=".part-", dir=path.parent)
    os.close(handle)
    try:
        writer(Path(beside), image, flags, record, maps)
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _as_channels(image: Image, flags: Any, maps: Mapping[str, Any] | None) -> tuple[Image, Any]:
    """Return an image whose first channel is the image and whose others are its maps."""
    if not maps:
        return image, flags
    if image.channel_axis:
        raise ValueError(
            f"OME-Zarr has one channel axis, and that of the image (axes {image.axes}) is in use; "
            "write its maps as .ome.tif or .fits"
        )
    stacked = np.stack([np.asarray(image.array, dtype=np.float32), *maps.values()])
    whole = Image(
        stacked, f"C{image.axes}", (1.0, *image.scale), ("pixel", *image.axis_units), image.unit,
        image.header, image.name,
    )  # fmt: skip
    marked = None if flags is None else np.stack([flags] * len(stacked))
    return whole, marked


def _write_folder(path: Path, image: Image, flags: Any, record: Mapping[str, Any] | None) -> None:
    """Write a folder beside its place, and change places with an old one at the very end."""
    from napari_credible.io.zarr_write import write_zarr

    with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as beside:
        fresh, old = Path(beside) / path.name, Path(beside) / "old"
        write_zarr(fresh, image, flags, record)
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(fresh, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise


def check_writable(path: Path, image: Image | None = None) -> tuple[str, ...]:
    """Return the kind of file that ``path`` asks for, before any work is done.

    Parameters
    ----------
    path : Path
        Need not exist.
    image : Image, optional
        What is to be written, or an image of its axes and numbers.

    Raises
    ------
    ValueError
        Where the kind cannot keep such images, or the folder is missing.
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
    if kind == ZARR:
        _check_folder(path)
    if kind == TIFF and image is not None:
        from napari_credible.io.tiff import check_tiff

        check_tiff(image, path.name)
    if kind == FITS and image is not None and image.array.dtype == "float16":
        raise ValueError(f"{path.name}: FITS keeps no float16 numbers; write float32")
    return kind


def _check_folder(path: Path) -> None:
    """Refuse to put an OME-Zarr image in the place of anything but an older one."""
    from napari_credible.io.zarr import holds_image, libraries

    libraries()
    if path.is_symlink() or path.is_file():
        raise ValueError(f"{path.name} is a file or a link, not a folder; choose another name")
    if path.is_dir() and any(path.iterdir()) and not holds_image(path):
        raise ValueError(
            f"{path.name} is a folder with other things than one OME-Zarr image; "
            "choose another name"
        )


def readable(path: Path) -> bool:
    """Return whether the name of ``path`` is that of a file which can be read."""
    return path.name.lower().endswith(_KNOWN) and not path.name.startswith(".")


def _kind(path: Path) -> tuple[str, ...]:
    for kind in (TIFF, FITS, ZARR, PICTURE):
        if path.name.lower().endswith(kind):
            return kind
    if path.is_dir() and any(parent.name.lower().endswith(ZARR) for parent in path.parents):
        # One image of a plate or of a folder of series.
        return ZARR
    raise ValueError(
        f"{path.name} is of an unknown kind; use {', '.join([*TIFF, *FITS[:4], *ZARR, *PICTURE])}"
    )


def _read_picture(path: Path) -> Image:
    from imageio.v3 import imread

    try:
        # Left to choose, imageio would try every plugin, and leave files open.
        array = imread(path, plugin="pillow")
    except Exception as error:  # each decoder has errors of its own
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path.name} cannot be read as PNG: {reason}; is the file complete?"
        ) from None
    return Image(array, "YXS" if array.ndim == 3 else "YX", name=path.stem)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
