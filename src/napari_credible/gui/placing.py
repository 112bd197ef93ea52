"""Where a layer stands that shows a part of another one, or has an axis more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.utils.transforms import Affine

from napari_credible.gui.family import SAMPLE_AXIS
from napari_credible.io.image import Image

# What tells where a layer stands, and how it is shown.
PLACED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
# An axis that is counted, not measured. napari mixes it with the others' lengths and times.
_NO_UNIT = "pixel"


def moved(attributes: dict[str, Any], start: Sequence[float]) -> dict[str, Any]:
    """Return a layer's attributes for the part of it that begins at pixel ``start``."""
    factors = {name: attributes[name] for name in ("scale", "translate", "rotate", "shear")}
    ndim = len(factors["scale"])
    return {**attributes, "translate": Affine(**factors)(np.asarray(start[:ndim], dtype=float))}


def regridded(
    attributes: dict[str, Any], image: Image, made: Image, first: tuple[float, float], coarser: int
) -> dict[str, Any]:
    """Return a layer's attributes for an image on other pixels than the layer's.

    Parameters
    ----------
    attributes : dict
        Of the layer.
    image, made : Image
        The layer's axes, and those of the image: the same, or one more in front.
    first : (float, float)
        Where in the image, in its pixels, the middle of the layer's first pixel lies.
    coarser : int
        Side of the layer's pixels in the image's.
    """
    axes = image.axes.replace("S", "")
    place = dict(zip("YX", first, strict=True))
    found = moved(attributes, [-place.get(axis, 0.0) / coarser for axis in axes])
    scale = dict(zip(made.axes, made.scale, strict=True))
    found["scale"] = tuple(scale[axis] for axis in axes)
    if "units" in found:
        units = dict(zip(made.axes, made.axis_units, strict=True))
        found["units"] = tuple(units[axis] for axis in axes)
    extra = len(made.axes) - len(image.axes)
    return with_axis(found, made.axes[0].lower()) if extra else found


def coarsened(
    attributes: dict[str, Any],
    image: Image,
    start: Sequence[int],
    first: tuple[float, float],
    coarser: int,
) -> dict[str, Any]:
    """Return a layer's attributes for data of a part of it, as :func:`regridded` the other way."""
    place = dict(zip("YX", first, strict=True))
    axes = image.axes.replace("S", "")
    corner = [begin + place.get(axis, 0.0) for axis, begin in zip(axes, start, strict=False)]
    factors = [coarser if axis in "YX" else 1 for axis in axes]
    scale = zip(attributes["scale"], factors, strict=True)
    return {**moved(attributes, corner), "scale": tuple(size * factor for size, factor in scale)}


def flattened(attributes: dict[str, Any], image: Image) -> dict[str, Any]:
    """Return a colour layer's attributes for grey data; how its axes are turned is left out."""
    left = ("rotate", "shear", "affine", "colormap", "contrast_limits")
    found = {name: value for name, value in attributes.items() if name not in left}
    axes = image.axes.replace("S", "")
    keep = [k for k, axis in enumerate(axes) if axis != "C"]
    for name in ("scale", "translate", "units", "axis_labels"):
        if name in found:
            found[name] = tuple(found[name][k] for k in keep)
    return {**found, "rgb": False}


def with_samples(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's attributes for data with one more axis in front, which counts draws."""
    return with_axis(attributes, SAMPLE_AXIS)


def with_axis(attributes: dict[str, Any], label: str) -> dict[str, Any]:
    """Return a layer's attributes for data with one more axis in front, which is counted."""
    ndim = len(attributes["scale"])
    found = {
        **attributes,
        "scale": (1.0, *attributes["scale"]),
        "translate": (0.0, *attributes["translate"]),
        "rotate": _with_axis(np.asarray(attributes["rotate"], dtype=float)),
        "shear": _sheared(np.asarray(attributes["shear"], dtype=float), ndim),
        "affine": _with_axis(np.asarray(attributes["affine"], dtype=float)),
        "axis_labels": (label, *attributes["axis_labels"]),
    }
    if "units" in attributes:
        found["units"] = (_NO_UNIT, *attributes["units"])
    return found


def _with_axis(matrix: Any) -> Any:
    """Return a matrix that leaves one more axis, the first, as it is."""
    whole = np.eye(len(matrix) + 1)
    whole[1:, 1:] = matrix
    return whole


def _sheared(shear: Any, ndim: int) -> Any:
    """Return the shear with an axis more; napari writes an upper triangular one as its numbers."""
    if shear.ndim == 2:
        return _with_axis(shear)
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, 1)] = shear
    return _with_axis(matrix)[np.triu_indices(ndim + 1, 1)]
