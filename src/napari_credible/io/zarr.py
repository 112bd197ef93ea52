"""OME-Zarr read lazily: the finest level for a run, all levels for a look."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_credible.io.image import Image

RECORD = "napari-credible"
# The order that OME-Zarr prescribes: time, then channels and others, then space.
_ORDER = "T*CZYX"


def read_zarr(path: Path) -> list[Image]:
    """Read the finest level of each OME-Zarr image (0.4 or 0.5) of a folder as a dask array.

    A folder of series, as bioformats2raw makes it, gives one image a series.

    Raises
    ------
    ValueError
        Where zarr is missing, or the folder is damaged or holds no image.
    """
    found = _open(path, lambda at, attributes: _image(at, *_described(attributes)))
    return [image for image in found if isinstance(image, Image)]


def read_levels(path: Path) -> list[list[Any]]:
    """Return all levels of each image of :func:`read_zarr`, the finest first."""
    return _open(path, lambda at, attributes: _levels(at, *_described(attributes)))


def read_flags(path: Path, image: Image) -> Any:
    """Return the flags that :func:`write_zarr` left, in the order of ``image``, or None."""
    import dask.array

    stored = path / "labels" / "flags" / "0"
    if not stored.is_dir():
        return None
    flags = dask.array.from_zarr(str(stored)).transpose(places(image.axes))
    return flags if flags.shape == image.shape else None


def holds_image(path: Path) -> bool:
    """Return whether a folder says that it is an OME-Zarr image; its pixels are not looked at."""
    for name in ("zarr.json", ".zattrs"):
        try:
            found = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        attributes = found.get("attributes", {}) if name == "zarr.json" else found
        return "multiscales" in attributes.get("ome", attributes)
    return False


def _open(path: Path, read: Callable[[Path, dict[str, Any]], Any]) -> list[Any]:
    """Read each image of a folder; whatever is wrong with it becomes one sentence."""
    zarr, _ = libraries()
    try:
        group = zarr.open_group(path, mode="r")
        return [read(path / name, dict(group[name].attrs)) for name in _series(group)]
    except Exception as error:
        raise ValueError(
            f"{path.name} cannot be read as an OME-Zarr image of version 0.4 or 0.5: "
            f"{reason(error)}"
        ) from None


def _series(group: Any) -> list[str]:
    """Return where the images of a folder are: itself, or the series of bioformats2raw."""
    ome = dict(group.attrs).get("ome", group.attrs)
    if "plate" in ome:
        raise ValueError("it is a plate; name one of its images, such as PLATE.zarr/A/1/0")
    if "bioformats2raw.layout" not in ome:
        return [""]
    return sorted((name for name in group.group_keys() if name.isdigit()), key=int)


def _described(attributes: dict[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Return the first multiscale image, checked, and what this package added to it."""
    _, yaozarrs = libraries()
    kind = yaozarrs.v05.Image if "ome" in attributes else yaozarrs.v04.Image
    with warnings.catch_warnings():
        # Units that the specification does not list are kept.
        warnings.simplefilter("ignore")
        checked = kind.model_validate(attributes.get("ome", attributes))
    return checked.multiscales[0], attributes.get(RECORD, {})


def _image(path: Path, described: Any, ours: Mapping[str, Any]) -> Image:
    array = _levels(path, described, ours)[0]
    whole = getattr(described, "coordinateTransformations", None) or []
    scale, shift = np.ones(array.ndim), np.zeros(array.ndim)
    for step in [*described.datasets[0].coordinateTransformations, *whole]:
        factor = np.asarray(getattr(step, "scale", np.ones(array.ndim)))
        scale, shift = scale * factor, shift * factor + np.asarray(getattr(step, "translation", 0))
    units = [getattr(axis, "unit", None) or "pixel" for axis in described.axes]
    axes, order = _letters(described, ours)
    header: dict[str, Any] = {}
    if shift.any():
        header["translate"] = tuple(float(shift[k]) for k in order)
    if "record" in ours:
        header[RECORD] = ours["record"]
    return Image(
        array,
        axes,
        tuple(float(scale[k]) for k in order),
        tuple(units[k] for k in order),
        str(ours.get("unit", "")),
        header,
        path.name.removesuffix(".zarr").removesuffix(".ome"),
    )


def _levels(path: Path, described: Any, ours: Mapping[str, Any]) -> list[Any]:
    import dask.array

    _, order = _letters(described, ours)
    stored = [dask.array.from_zarr(str(path / each.path)) for each in described.datasets]
    return [array.transpose(order) for array in stored]


def _letters(described: Any, ours: Mapping[str, Any]) -> tuple[str, list[int]]:
    """Return one letter an axis and the order of axes: those that were written, or the file's."""
    axes = str(ours.get("axes", ""))
    if len(axes) == len(described.axes):
        return axes, places(axes)
    names = {"time": "T", "channel": "C"}
    spare = iter("QROPABDEFGHIJKLMNUVW")
    letters: list[str] = []
    for axis in described.axes:
        letter = names.get(axis.type or "", axis.name.upper())
        letters.append(letter if letter in set("TCZYX") - set(letters) else next(spare))
    return "".join(letters), list(range(len(letters)))


def reason(error: Exception) -> str:
    """Return the first thing that is wrong in one line, also from pydantic's lists."""
    if hasattr(error, "errors"):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg'].splitlines()[0]}"
    return (str(error) or type(error).__name__).splitlines()[0]


def libraries() -> tuple[Any, Any]:
    """Return zarr and yaozarrs.

    Raises
    ------
    ValueError
        One sentence, where they are missing.
    """
    try:
        import dask.array  # noqa: F401
        import yaozarrs
        import zarr
    except ImportError:
        raise ValueError("OME-Zarr needs zarr: pip install 'napari-credible[zarr]'") from None
    return zarr, yaozarrs


def written(axes: str) -> str:
    """Return the axes in the order in which they are written; colours are channels there."""
    return "".join(sorted(axes, key=_rank))


def _rank(axis: str) -> tuple[int, str]:
    known = "C" if axis == "S" else axis
    return (_ORDER.index(known if known in _ORDER else "*"), axis)


def places(axes: str) -> list[int]:
    """Return where each axis is found in the written order."""
    return [written(axes).index(axis) for axis in axes]
