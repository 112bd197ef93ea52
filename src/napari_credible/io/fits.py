"""FITS through astropy: header kept, NaN kept, the recipe in HISTORY and an extra HDU."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.io.image import Image

# These describe the old array, and astropy writes them anew.
_STRUCTURE = (
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BZERO",
    "BSCALE", "BLANK", "CHECKSUM", "DATASUM", "DATAMIN", "DATAMAX", "EXTNAME", "EXTVER", "INHERIT",
    "ZIMAGE",
)  # fmt: skip
# Where a pixel lies on the sky, and its unit: as true of a map as of the image.
_PLACE = (
    "WCSAXES", "CRVAL", "CRPIX", "CDELT", "CTYPE", "CUNIT", "CD1_", "CD2_", "PC1_", "PC2_", "PV",
    "LONPOLE", "LATPOLE", "RADESYS", "EQUINOX", "BUNIT",
)  # fmt: skip
_HDUS = {"std": "ERR", "exceedance": "PROB"}
_HISTORY_WIDTH = 68
_LONGEST_HISTORY = 20_000


def read_fits(path: Path) -> list[Image]:
    """Read every image HDU with at least two axes.

    Integers scaled by BZERO and BSCALE become their physical values, and BLANK becomes NaN.

    Raises
    ------
    ValueError
        Where astropy is missing, or the file is damaged or holds no image.
    """
    fits = _astropy()
    try:
        with warnings.catch_warnings():
            # Old headers are often irregular; they are kept as they can be.
            warnings.simplefilter("ignore")
            with fits.open(path, memmap=False) as hdus:
                found = [(hdu, k) for k, hdu in enumerate(hdus) if _is_image(hdu)]
                first = hdus[0].header
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path.name} cannot be read as FITS: {error}; is the file complete?"
        ) from None
    if not found:
        raise ValueError(f"{path.name} holds no image of two or more axes, only tables or headers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_image(hdu, path, k, first) for hdu, k in found]


def _astropy() -> Any:
    try:
        from astropy.io import fits
    except ImportError:
        raise ValueError("FITS files need astropy: pip install 'napari-credible[fits]'") from None
    return fits


def _is_image(hdu: Any) -> bool:
    return bool(getattr(hdu, "is_image", False)) and hdu.data is not None and hdu.data.ndim >= 2


def _image(hdu: Any, path: Path, number: int, first: Any) -> Image:
    hdu.verify("silentfix+ignore")
    if number:  # cameras write what holds for all images into the first header
        hdu.header.extend(first, strip=True, unique=True, bottom=True)
    array = np.asarray(hdu.data)
    array = array.astype(array.dtype.newbyteorder("="))
    header = {k: v for k, v in hdu.header.items() if k not in ("", "COMMENT", "HISTORY")}
    axes, scale, units = _described(header, array.ndim)
    return Image(
        array,
        axes,
        scale,
        units,
        unit=str(header.get("BUNIT", "")).strip(),
        header={**header, "_cards": hdu.header.tostring(sep="\n"), "_hdu": number},
        name=hdu.name.lower() if number and hdu.name else path.name.split(".")[0],
    )


def _described(
    header: Mapping[str, Any], ndim: int
) -> tuple[str, tuple[float, ...], tuple[str, ...]]:
    """Return axes, scale and units as :func:`write_fits` leaves them.

    Sky coordinates are not looked at: they stay in the header.
    """
    numbers = range(ndim, 0, -1)
    axes = "".join(str(header.get(f"CTYPE{n}", "")).strip() for n in numbers)
    if len(axes) != ndim or not {"Y", "X"} <= set(axes):
        return "", (), ()
    scale = tuple(float(header.get(f"CDELT{n}", 1.0)) for n in numbers)
    return axes, scale, tuple(str(header.get(f"CUNIT{n}", "pixel")).strip() for n in numbers)


def write_fits(
    path: Path,
    image: Image,
    flags: Any = None,
    record: Mapping[str, Any] | None = None,
    maps: Mapping[str, Any] | None = None,
) -> None:
    """Write the image with its header, flags and maps as HDUs, its record as HISTORY and JSON.

    The scale of an image that did not come from FITS goes into CDELT and CUNIT. Y and X become
    the last axes, as FITS programs show them.
    """
    fits = _astropy()
    if image.axes[-2:] != "YX":
        flags = None if flags is None else image.with_array(flags).planar().array
        maps = {name: image.with_array(each).planar().array for name, each in (maps or {}).items()}
        image = image.planar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = _header(fits, image)
        text = json.dumps(dict(record or {}))
        if len(text) > _LONGEST_HISTORY:  # maps of a detector: only the table holds them
            header.add_history("napari-credible: see the HDU RECIPE")
        elif record:
            for start in range(0, len(text), _HISTORY_WIDTH):
                header.add_history(text[start : start + _HISTORY_WIDTH])
        hdus = fits.HDUList([fits.PrimaryHDU(np.ascontiguousarray(image.array), header)])
        for name, each in (maps or {}).items():
            named = _HDUS.get(name, name.upper())
            hdus.append(fits.ImageHDU(np.ascontiguousarray(each), _placed(header), name=named))
        if flags is not None:
            hdus.append(fits.ImageHDU(np.ascontiguousarray(flags), name="FLAGS"))
        if record:
            column = fits.Column("JSON", f"{len(text.encode())}A", array=np.array([text]))
            hdus.append(fits.BinTableHDU.from_columns([column], name="RECIPE"))
        hdus.writeto(path, overwrite=True, checksum=True)


def finer(cards: str, factor: int, first: tuple[float, float]) -> str:
    """Return the cards of a picture whose pixels are split, or that is continued at its edges.

    Parameters
    ----------
    cards : str
        Of the header.
    factor : int
        New pixels along the side of an old one.
    first : (float, float), new pixels
        Row and column, from 0, of the middle of the first old pixel.
    """
    header = _astropy().Header.fromstring(cards, sep="\n")
    for number, place in ((1, first[1]), (2, first[0])):
        if f"CRPIX{number}" in header:
            header[f"CRPIX{number}"] = (header[f"CRPIX{number}"] - 1) * factor + place + 1
        for name in (f"CDELT{number}", f"CD1_{number}", f"CD2_{number}"):
            if name in header:
                header[name] = header[name] / factor
    return str(header.tostring(sep="\n", endcard=False, padding=False))


def shifted(cards: str, first: Sequence[int]) -> str:
    """Return the cards of a part of a picture or cube.

    Parameters
    ----------
    cards : str
        Of the header.
    first : sequence of int, pixels
        Where the part begins along each axis of the array, the first axis first.
    """
    header = _astropy().Header.fromstring(cards, sep="\n")
    for number, begin in enumerate(reversed(first), start=1):
        if f"CRPIX{number}" in header:
            header[f"CRPIX{number}"] -= begin
    return str(header.tostring(sep="\n", endcard=False, padding=False))


def _placed(header: Any) -> Any:
    """Return what a header says of place and unit, for the maps beside the image."""
    kept = header.copy()
    for name in list(kept):
        if not name.startswith(_PLACE):
            kept.remove(name, ignore_missing=True, remove_all=True)
    return kept


def _header(fits: Any, image: Image) -> Any:
    """Return the image's old header without its structure, or a new one with its scale."""
    cards = image.header.get("_cards")
    if cards is None:
        header = fits.Header()
        for number, k in enumerate(reversed(range(len(image.axes))), start=1):
            if image.scale[k] != 1 or image.axis_units[k] != "pixel":
                header[f"CDELT{number}"] = image.scale[k]
                header[f"CUNIT{number}"] = _plain(image.axis_units[k])
            header[f"CTYPE{number}"] = image.axes[k]
    else:
        header = fits.Header.fromstring(cards, sep="\n")
        for name in list(header):
            if name in _STRUCTURE or (name.startswith("NAXIS") and name[5:].isdigit()):
                header.remove(name, ignore_missing=True, remove_all=True)
    if image.unit:
        header["BUNIT"] = _plain(image.unit)
    return header


def _plain(unit: str) -> str:
    """Return a unit in the letters that a FITS card may hold."""
    for letter, plain in (("µ", "u"), ("μ", "u"), ("Å", "Angstrom"), ("²", "2"), ("³", "3")):
        unit = unit.replace(letter, plain)
    return unit.encode("ascii", "replace").decode()


def recorded(path: Path) -> dict[str, Any]:
    """Return the record that :func:`write_fits` left in a file; empty where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _astropy().open(path) as hdus:
            columns = getattr(hdus["RECIPE"], "columns", None) if "RECIPE" in hdus else None
            if columns is None or "JSON" not in columns.names:
                return {}
            return dict(json.loads(str(hdus["RECIPE"].data["JSON"][0])))


def read_flags(path: Path, image: Image) -> NDArray[np.uint8] | None:
    """Return the flags that :func:`write_fits` left in a file, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _astropy().open(path) as hdus:
            if "FLAGS" not in hdus or hdus["FLAGS"].shape != image.array.shape:
                return None
            return np.asarray(hdus["FLAGS"].data, dtype=np.uint8)
