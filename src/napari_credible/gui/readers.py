"""Readers for napari: FITS, TIFF that tells its scale, OME-Zarr, and our results with flags.

napari 0.9 and npe2 0.10 know no priority among readers. ``viewer.open(path)`` takes napari's own
reader; a dropped file goes to the plugin that the user chose for its ending; without a choice,
and with several plugins for the ending, napari asks. A reader that answers None is skipped where
no plugin was named, and is else reported as having refused the file, with the other readers to
choose from: nothing falls back by itself. A plain TIFF is refused here at once, so that
napari's own reader is the one to remember for it.

A reader that accepts folders is offered every folder, whatever its patterns, and napari then asks
at each one. So OME-Zarr has a command in the File menu instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.errors import ReaderPluginError

from napari_credible.flags import SENTENCES
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.io import Image, read_all, read_result
from napari_credible.io.files import FITS, TIFF
from napari_credible.io.tiff import tells_more
from napari_credible.io.zarr import read_levels

Asked = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
LayerData = tuple[Any, dict[str, Any], str]
_PLUGIN = "napari-credible"
# Outliers and pixels without a value must not decide what is seen.
_SHOWN = (0.005, 0.995)
_LOOKED_AT = 1 << 20
_PLACED = ("scale", "translate", "units", "axis_labels")


def get_reader(path: Asked) -> Callable[[Asked], list[LayerData]] | None:
    """Return a reader where every path is FITS, or TIFF that tells more than pixels; else None."""
    paths = _paths(path)
    return read if paths and all(_is_ours(each) for each in paths) else None


def _paths(asked: Asked) -> list[Path]:
    if isinstance(asked, (str, os.PathLike)):
        return [Path(asked)]
    return [Path(path) for path in asked]


def _is_ours(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(FITS) or (name.endswith(TIFF) and tells_more(path))


def read(path: Asked) -> list[LayerData]:
    """Return the layers of all paths, one after another."""
    return [layer for each in _paths(path) for layer in _layers(each)]


def open_zarr(viewer: napari.Viewer, path: str = "") -> None:
    """Add an OME-Zarr image to the viewer, from a folder that the user chooses."""
    if not path:
        from qtpy.QtWidgets import QFileDialog

        path = QFileDialog.getExistingDirectory(None, "Open OME-Zarr")
    if path:
        for data, attributes, kind in _layers(Path(path)):
            getattr(viewer, f"add_{kind}")(data, **attributes)


def _layers(path: Path) -> list[LayerData]:
    """Return a layer for each image of a file; for a result of ours, its flags too."""
    try:
        image, flags, record = read_result(path)
        images = [image] if record else read_all(path)
        levels = read_levels(path) if path.is_dir() else [[each.array] for each in images]
    except ValueError as error:
        # This is the error with which napari offers its other readers.
        raise ReaderPluginError(str(error), _PLUGIN, [str(path)]) from error
    stem = path.name.split(".")[0]
    several = len(images) > 1
    layers = [
        _layer(each, sizes, f"{stem} · {each.name}" if several else stem)
        for each, sizes in zip(images, levels, strict=True)
    ]
    if record:
        layers[0][1]["metadata"][METADATA_KEY] = record
    return layers if flags is None else [*layers, _doubts(flags, image, layers[0][1])]


def _layer(image: Image, levels: list[Any], name: str) -> LayerData:
    """Return an image layer with everything that the file says of its axes."""
    colours = image.channel_axis == "S"
    kept = [k for k, axis in enumerate(image.axes) if axis != "S"]
    order = [*kept, image.axes.index("S")] if colours else kept
    arrays = [level.transpose(order) for level in levels]
    axes = "".join(image.axes[k] for k in kept)
    attributes: dict[str, Any] = {
        "name": name,
        "scale": tuple(image.scale[k] for k in kept),
        "units": tuple(_known(image.axis_units[k]) for k in kept),
        "axis_labels": tuple(axes.lower()),
        "rgb": colours,
        "multiscale": len(arrays) > 1,
        "metadata": {"header": dict(image.header), "unit": image.unit},
    }
    if "translate" in image.header:
        attributes["translate"] = tuple(image.header["translate"][k] for k in kept)
    if not colours:
        attributes["contrast_limits"] = _limits(arrays[-1], axes)
    return arrays if len(arrays) > 1 else arrays[0], attributes, "image"


def _known(unit: str) -> str:
    """Return a unit that napari accepts: the file's, or pixel where pint does not know it."""
    import pint

    try:
        pint.Unit(unit)
    except Exception:
        return "pixel"
    return unit


def _limits(array: Any, axes: str) -> tuple[float, float]:
    """Return two quantiles of the finite values of the middle plane."""
    middle = tuple(
        slice(None) if axis in "YX" else size // 2
        for axis, size in zip(axes, array.shape, strict=True)
    )
    plane = np.asarray(array[middle], dtype=float)
    values = plane[np.isfinite(plane)]
    values = values[:: max(1, values.size // _LOOKED_AT)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.quantile(values, _SHOWN)
    return float(low), float(high if high > low else low + 1)


def _doubts(flags: Any, image: Image, attributes: dict[str, Any]) -> LayerData:
    """Return the flags as an invisible labels layer; those of a colour image are of any colour."""
    if "S" in image.axes:
        flags = np.bitwise_or.reduce(np.asarray(flags), axis=image.axes.index("S"))
    meanings = {int(flag): sentence for flag, sentence in SENTENCES.items()}
    return (
        flags,
        {
            **{name: attributes[name] for name in _PLACED if name in attributes},
            "name": f"{attributes['name']} · flags",
            "visible": False,
            "opacity": 0.5,
            "metadata": {"flags": meanings},
        },
        "labels",
    )
