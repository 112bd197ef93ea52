"""Writer for napari: an image layer to OME-TIFF, FITS or OME-Zarr, with scale, units and record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning

from napari_credible.gui.layers import METADATA_KEY, letters_of, plain_array
from napari_credible.io import Image, write
from napari_credible.io.files import ZARR, check_writable


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer; the suffix of ``path`` says as what.

    Raises
    ------
    RuntimeError
        One sentence: what the file cannot keep, and what to do. napari 0.9 takes a ValueError for
        "no plugin can write this", and its sentence is lost.
    """
    try:
        kind = check_writable(Path(path))
        _refuse_turned(path, attributes)
        image = image_of(data, attributes)
        write(path, image, record=_metadata(attributes).get(METADATA_KEY))
    except ValueError as error:
        raise RuntimeError(str(error)) from error
    if "translate" in image.header and kind != ZARR:
        show_warning(f"{Path(path).name} does not keep the layer's translate; OME-Zarr does")
    return [path]


def image_of(data: Any, attributes: dict[str, Any]) -> Image:
    """Return an image of a layer's data and attributes, as npe2 hands them to a writer."""
    array = plain_array(data[0] if attributes.get("multiscale") else data)
    samples = "S" if attributes.get("rgb") else ""
    ndim = array.ndim - len(samples)
    labels = attributes.get("axis_labels", range(-ndim, 0))
    scale = [float(s) for s in attributes.get("scale", ())][-ndim:]
    units = [str(unit) for unit in attributes.get("units", ())][-ndim:]
    metadata = _metadata(attributes)
    header = dict(metadata.get("header", {}))
    header.pop("translate", None)
    shift = [float(x) for x in attributes.get("translate", ())][-ndim:]
    if any(shift):
        header["translate"] = tuple(shift) + (0.0,) * len(samples)
    return Image(
        array,
        letters_of(labels) + samples,
        (*(scale or [1.0] * ndim), *([1.0] * len(samples))),
        (*(units or ["pixel"] * ndim), *(["pixel"] * len(samples))),
        str(metadata.get("unit", "")),
        header,
        str(attributes.get("name", "")),
    )


def _metadata(attributes: dict[str, Any]) -> dict[str, Any]:
    metadata = attributes.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _refuse_turned(path: str, attributes: dict[str, Any]) -> None:
    """Refuse a layer that is turned, sheared or mapped: no file here could say so."""
    turned = [name for name in ("rotate", "shear", "affine") if not _plain(attributes.get(name))]
    if turned:
        raise ValueError(
            f"{' and '.join(turned)} cannot be kept in {Path(path).name}; set the layer's "
            f"{' and '.join(turned)} back, or save it with napari's own writer, without its scale"
        )


def _plain(value: Any) -> bool:
    """Return whether a transform, as a matrix or as factors, changes nothing."""
    if value is None:
        return True
    array = np.asarray(getattr(value, "affine_matrix", value), dtype=float)
    return bool(np.allclose(array, np.eye(len(array)) if array.ndim == 2 else 0.0))
