"""napari layers to images, and results to layers."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from napari_credible.flags import SENTENCES
from napari_credible.gui.placing import PLACED
from napari_credible.io.image import Image
from napari_credible.result import Result

_ALIASES = {"time": "T", "channel": "C", "channels": "C", "plane": "Z", "depth": "Z"}
_MEANT = ("T", "Z", "C", "Y", "X")
_KEPT = (
    "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "rgb", "colormap",
    "contrast_limits", "gamma", "blending", "projection_mode", "interpolation2d", "interpolation3d",
    "rendering", "opacity",
)  # fmt: skip
METADATA_KEY = "napari-credible"


def image_from_layer(layer: Any, axes: str = "") -> Image:
    """Return the pixels of an image layer with its axes and scale; nothing is computed or copied.

    A multiscale layer gives its finest level. ``axes`` are the letters of the axes; without them
    the labels T, Z, C, time, channel, depth and plane are understood, and the last two axes are
    Y and X unless others are labelled so.
    """
    data = plain_array(layer.data[0] if layer.multiscale else layer.data)
    samples = "S" if layer.rgb else ""
    ndim = data.ndim - len(samples)
    return Image(
        data,
        axes or letters_of(layer.axis_labels) + samples,
        tuple(float(s) for s in layer.scale[-ndim:]) + (1.0,) * len(samples),
        tuple(str(u) for u in layer.units[-ndim:]) + ("pixel",) * len(samples),
        unit=str(layer.metadata.get("unit", "")),
        header=layer.metadata.get("header", {}),
        name=layer.name,
    )


def attributes_of(layer: Any) -> dict[str, Any]:
    """Return the attributes that a result shares with its input layer."""
    state = layer.as_layer_data_tuple()[1]
    return {name: state[name] for name in _KEPT if name in state}


def layer_of(result: Result, attributes: dict[str, Any], names: Container[str]) -> dict[str, Any]:
    """Return the arguments of ``viewer.add_image`` for a result.

    napari shows colours only as integers or within [0, 1]: a colour result is rounded to the
    input's integers. Everything else has the recipe's type, in the input's units.
    """
    colour = attributes.get("rgb") and np.dtype(result.source.array.dtype).kind in "iu"
    data = result.in_input_type() if colour else result.image.array
    return {
        **attributes,
        "data": data,
        "name": unique_name(f"{result.source.name} · denoised", names),
        "metadata": {
            METADATA_KEY: result.record(),
            "header": dict(result.source.header),
            "unit": result.source.unit,
        },
    }


def plain_array(data: Any) -> Any:
    """Return numpy, dask, or a lazy dask view of anything else with a shape (zarr, xarray)."""
    if hasattr(data, "dims") and hasattr(data, "data"):
        data = data.data
    if isinstance(data, np.ndarray) or hasattr(data, "dask"):
        return data
    import dask.array

    return dask.array.from_array(data)


def letters_of(labels: Sequence[Any]) -> str:
    """Return one unique letter for each axis, from its label where that says what it is."""
    names = [_ALIASES.get(str(label).lower(), str(label).upper()) for label in labels]
    if not {"Y", "X"} <= set(names):
        names = ["" if name in ("Y", "X") else name for name in names[:-2]] + ["Y", "X"]
    spare = iter("QROPABDEFGHIJKLMNUVW")
    letters = ""
    for name in names:
        letters += name if name in _MEANT and name not in letters else next(spare)
    return letters


def unique_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken: itself, or with the first free number."""
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


def flags_of(result: Result, attributes: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the arguments of ``viewer.add_labels`` for the flags of a result.

    A colour image's flags are those of any of its colours.
    """
    flags = result.flags
    if attributes.get("rgb"):
        flags = np.bitwise_or.reduce(flags, axis=-1)
    placed = {n: attributes[n] for n in PLACED if n in attributes}
    meanings = {int(flag): sentence for flag, sentence in SENTENCES.items()}
    return {**placed, "data": flags, "name": f"{name} · flags", "metadata": {"flags": meanings}}
