"""napari layers to images, and results to layers."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np

from napari_credible.io.image import Image
from napari_credible.result import Result

_ALIASES = {"time": "T", "channel": "C", "channels": "C", "plane": "Z", "depth": "Z"}
_KEPT = (
    "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "rgb", "colormap",
    "contrast_limits", "gamma", "blending", "projection_mode", "interpolation2d", "interpolation3d",
    "rendering", "opacity",
)  # fmt: skip
METADATA_KEY = "napari-credible"


def image_from_layer(layer: Any) -> Image:
    """Return the pixels of an image layer with its axes and scale; nothing is computed or copied.

    A multiscale layer gives its finest level. Axis labels T, Z, C, time, channel and plane are
    understood; the last two axes are Y and X.
    """
    data = _transposable(layer.data[0] if layer.multiscale else layer.data)
    samples = "S" if layer.rgb else ""
    ndim = data.ndim - len(samples)
    return Image(
        data,
        _letters([str(label) for label in layer.axis_labels], ndim) + samples,
        tuple(float(s) for s in layer.scale[-ndim:]) + (1.0,) * len(samples),
        tuple(str(u) for u in layer.units[-ndim:]) + ("pixel",) * len(samples),
        header=layer.metadata.get("header", {}) if isinstance(layer.metadata, dict) else {},
        name=layer.name,
    )


def attributes_of(layer: Any) -> dict[str, Any]:
    """Return the attributes that a result shares with its input layer."""
    state = layer.as_layer_data_tuple()[1]
    return {name: state[name] for name in _KEPT if name in state}


def layer_of(result: Result, attributes: dict[str, Any], names: Container[str]) -> dict[str, Any]:
    """Return the arguments of ``viewer.add_image`` for a result.

    napari shows colours only as integers or within [0, 1]: a colour result is rounded to the
    input's integers. Everything else stays float32 in the input's units.
    """
    data: Any = result.estimate
    kind = np.dtype(result.source.array.dtype)
    if attributes.get("rgb") and kind.kind in "iu":
        limits = np.iinfo(kind)
        data = np.clip(np.round(data), limits.min, limits.max).astype(kind.newbyteorder("="))
    return {
        **attributes,
        "data": data,
        "name": _unique(f"{result.source.name} · denoised", names),
        "metadata": {METADATA_KEY: result.record()},
    }


def _transposable(data: Any) -> Any:
    """Return numpy, dask, or a lazy dask view of anything else with a shape (zarr, xarray)."""
    if hasattr(data, "dims") and hasattr(data, "data"):
        data = data.data
    if isinstance(data, np.ndarray) or hasattr(data, "dask"):
        return data
    import dask.array

    return dask.array.from_array(data)


def _letters(labels: list[str], ndim: int) -> str:
    """Return one unique letter for each axis, from its label where that says what it is."""
    letters = ""
    spare = iter("QROPABDEFGHIJKLMNUVW")
    for label in labels[-ndim:-2]:
        letter = _ALIASES.get(label.lower(), label.upper())
        if letter not in ("T", "Z", "C") or letter in letters:
            letter = next(spare)
        letters += letter
    return letters + "YX"


def _unique(name: str, taken: Container[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"
