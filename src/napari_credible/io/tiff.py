"""TIFF, OME-TIFF and ImageJ TIFF through tifffile, with axes, voxel size and units."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_credible.io.image import Image

_AXES = "TZCYX"
_DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
_RESOLUTION_UNITS = {2: "inch", 3: "centimeter"}
_NAMES = {
    "": "pixel", "pixels": "pixel", "reference frame": "pixel", "inch": "inch", "å": "angstrom",
    "um": "micrometer", "µm": "micrometer", "μm": "micrometer", "\\u00b5m": "micrometer",
    "micron": "micrometer", "microns": "micrometer", "pm": "picometer", "nm": "nanometer",
    "mm": "millimeter", "cm": "centimeter", "m": "meter", "s": "second", "sec": "second",
    "ms": "millisecond", "min": "minute",
}  # fmt: skip
_OME_SHORT = {
    "micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m",
    "picometer": "pm", "angstrom": "Å", "second": "s", "millisecond": "ms", "minute": "min",
    "inch": "in", "pixel": "pixel",
}  # fmt: skip
RECORD = "napari-credible"


def read_tiff(path: Path) -> Image:
    """Read the first series of a TIFF file.

    Raises
    ------
    ValueError
        Where the file is no TIFF or is damaged.
    """
    try:
        with tifffile.TiffFile(path) as file:
            _refuse_cut(file)
            series = file.series[0]
            found = series.asarray(), series.axes.upper(), *_described(file)
    except Exception as error:  # each codec has errors of its own
        raise ValueError(
            f"{path.name} cannot be read as TIFF: {error}; is the file complete?"
        ) from None
    return _image(path, *found)


def _refuse_cut(file: tifffile.TiffFile) -> None:
    """Refuse a file that ends before its pages do: tifffile reads what is left without a word."""
    kind, handle = file.tiff, file.filehandle
    start = file.pages[-1].offset
    handle.seek(start)
    (tags,) = struct.unpack(kind.tagnoformat, handle.read(kind.tagnosize))
    handle.seek(start + kind.tagnosize + tags * kind.tagsize)
    (following,) = struct.unpack(kind.offsetformat, handle.read(kind.offsetsize))
    if following >= handle.size:
        raise ValueError(f"it ends after page {len(file.pages)}, and says that more follow")


def read_flags(path: Path, image: Image) -> NDArray[np.uint8] | None:
    """Return the flags that :func:`write_tiff` left as a second series, or None."""
    with tifffile.TiffFile(path) as file:
        if len(file.series) < 2 or file.series[1].shape != image.array.shape:
            return None
        return np.asarray(file.series[1].asarray(), dtype=np.uint8)


def _image(
    path: Path,
    array: Any,
    axes: str,
    sizes: Mapping[str, tuple[float, str]],
    header: dict[str, Any],
) -> Image:
    axes = _distinct(axes) if array.ndim == len(axes) else ""
    named = axes or "Q" * array.ndim
    return Image(
        array,
        axes,
        tuple(sizes.get(a, (1.0, ""))[0] for a in named),
        tuple(sizes.get(a, (1.0, "pixel"))[1] for a in named),
        unit=str(header.pop("intensity_unit", "")),
        header=header,
        name=path.name.split(".")[0],
    )


def _distinct(axes: str) -> str:
    """Return axes with a letter of its own for each; a plain stack is 'QQYX' to tifffile."""
    spare = iter("QROPABDEFGHJKLMNUVW")
    letters = ""
    for axis in axes:
        letters += axis if axis in _AXES + "S" and axis not in letters else next(spare)
    return letters


def _described(file: tifffile.TiffFile) -> tuple[dict[str, tuple[float, str]], dict[str, Any]]:
    """Return pixel sizes and the header, from OME, ImageJ or plain tags."""
    if file.is_ome and file.ome_metadata:
        return _from_ome(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        header = {k: v for k, v in file.imagej_metadata.items() if isinstance(v, (str, int, float))}
        return _from_imagej(file, header), header
    return _from_tags(file), {}


def tells_more(path: Path) -> bool:
    """Return whether a TIFF file tells a scale, a unit or our record; its pixels are not read.

    True for a damaged file too, so that reading it says what is wrong.
    """
    try:
        with tifffile.TiffFile(path) as file:
            _refuse_cut(file)
            sizes, header = _described(file)
    except OSError:
        return False
    except (tifffile.TiffFileError, ValueError, LookupError, struct.error):
        return True
    return RECORD in header or any(size != (1.0, "pixel") for size in sizes.values())


def _from_ome(text: str) -> tuple[dict[str, tuple[float, str]], dict[str, Any]]:
    """Return pixel sizes and what this package recorded in an OME-TIFF."""
    found = tifffile.xml2dict(text).get("OME", {})
    image = found.get("Image", {})
    image = image[0] if isinstance(image, list) else image
    pixels = image.get("Pixels", {})
    sizes = {}
    keys = {a: (f"PhysicalSize{a}", f"PhysicalSize{a}Unit", "µm") for a in "XYZ"}
    keys["T"] = ("TimeIncrement", "TimeIncrementUnit", "s")
    for axis, (size, unit, usual) in keys.items():
        if size in pixels:
            sizes[axis] = (float(pixels[size]), _unit(pixels.get(unit, usual)))
    header: dict[str, Any] = {}
    description = image.get("Description")
    if isinstance(description, str) and description.startswith("{"):
        try:
            header = json.loads(description)
        except json.JSONDecodeError:
            header = {"Description": description}
    return sizes, header


def _from_imagej(
    file: tifffile.TiffFile, header: Mapping[str, Any]
) -> dict[str, tuple[float, str]]:
    unit = _unit(header.get("unit", ""))
    sizes = {axis: (size, unit) for axis, size in _resolution(file).items()}
    if "spacing" in header:
        sizes["Z"] = (float(header["spacing"]), unit)
    if header.get("finterval"):
        sizes["T"] = (float(header["finterval"]), _unit(header.get("tunit", "s")))
    return sizes


def _from_tags(file: tifffile.TiffFile) -> dict[str, tuple[float, str]]:
    """Return the resolution of a plain TIFF where it is a length, not dots for a printer."""
    tag = file.pages[0].tags.get("ResolutionUnit")  # type: ignore[union-attr]
    unit = _RESOLUTION_UNITS.get(int(tag.value)) if tag else None
    if unit is None:
        return {}
    return {axis: (size, unit) for axis, size in _resolution(file).items() if size != 1 / 72}


def _resolution(file: tifffile.TiffFile) -> dict[str, float]:
    sizes = {}
    for axis, name in (("X", "XResolution"), ("Y", "YResolution")):
        tag = file.pages[0].tags.get(name)  # type: ignore[union-attr]
        if tag is not None and tag.value[0]:
            sizes[axis] = tag.value[1] / tag.value[0]
    return sizes


def _unit(name: str) -> str:
    name = str(name).strip()
    return _NAMES.get(name.lower(), name.lower())


def write_tiff(
    path: Path,
    image: Image,
    flags: Any = None,
    record: Mapping[str, Any] | None = None,
    maps: Mapping[str, Any] | None = None,
) -> None:
    """Write an OME-TIFF: the image, its flags as a second series, its maps as further ones.

    The record goes into the image's OME description as JSON.

    Raises
    ------
    ValueError
        Where an axis or a header cannot be kept.
    """
    turned = {name: _for_ome(image, each)[1] for name, each in (maps or {}).items()}
    image, flags = _for_ome(image, flags)
    axes = check_tiff(image, path.name)
    description = json.dumps({RECORD: dict(record or {}), "intensity_unit": image.unit})
    with tifffile.TiffWriter(path, ome=True, bigtiff=image.array.nbytes > 3 * 2**30) as file:
        options: dict[str, Any] = {"photometric": "rgb" if "S" in axes else "minisblack"}
        metadata = {"axes": axes, "Name": image.name or "estimate", **_ome_sizes(image, axes)}
        file.write(
            np.ascontiguousarray(image.array),
            metadata={**metadata, "Description": description},
            **options,
        )
        for name, series in {**({} if flags is None else {"flags": flags}), **turned}.items():
            file.write(np.ascontiguousarray(series), metadata={**metadata, "Name": name}, **options)


def _for_ome(image: Image, flags: Any) -> tuple[Image, Any]:
    """Return image and flags with Y and X last, and colours after them, as OME-TIFF wants it."""
    order = [a for a in image.axes if a not in "YXS"] + [a for a in "YXS" if a in image.axes]
    places = [image.axes.index(a) for a in order]
    turned = Image(
        image.array.transpose(places),
        "".join(order),
        tuple(image.scale[k] for k in places),
        tuple(image.axis_units[k] for k in places),
        image.unit,
        image.header,
        image.name,
    )
    return turned, None if flags is None else flags.transpose(places)


def check_tiff(image: Image, name: str) -> str:
    """Return the axes under which an image can be kept as OME-TIFF.

    Raises
    ------
    ValueError
        One sentence, where it has too many axes, or numbers that OME-TIFF does not know.
    """
    if np.dtype(image.array.dtype).name not in _DTYPES:
        raise ValueError(
            f"{name}: OME-TIFF keeps no {image.array.dtype} numbers; write .fits or .ome.zarr, or "
            "float32"
        )
    axes, foreign = image.axes, set(image.axes) - set(_AXES + "S")
    free = [a for a in "TZ" if a not in axes]
    if len(foreign) > len(free):
        raise ValueError(
            f"{name}: OME-TIFF keeps the axes T, Z, C, Y, X, not {axes}; name them: "
            "Image(array, axes='TZYX')"
        )
    for letter, name in zip(sorted(foreign), free, strict=False):
        axes = axes.replace(letter, name)
    return axes


def _ome_sizes(image: Image, axes: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for axis, size, unit in zip(axes, image.scale, image.axis_units, strict=True):
        if axis in "XYZ" and (size != 1 or unit != "pixel"):
            fields[f"PhysicalSize{axis}"] = size
            fields[f"PhysicalSize{axis}Unit"] = _OME_SHORT.get(unit, unit)
        elif axis == "T" and unit in ("second", "millisecond", "minute"):
            fields["TimeIncrement"] = size
            fields["TimeIncrementUnit"] = _OME_SHORT[unit]
    return fields
