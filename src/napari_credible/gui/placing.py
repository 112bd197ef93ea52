"""Where a layer stands that shows a part of another one, or has an axis more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.utils.transforms import Affine

from napari_credible.gui.family import SAMPLE_AXIS

# What tells where a layer stands, and how it is shown.
PLACED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
# An axis that is counted, not measured. napari mixes it with the others' lengths and times.
_NO_UNIT = "pixel"


def moved(attributes: dict[str, Any], start: Sequence[int]) -> dict[str, Any]:
    """Return a layer's attributes for the part of it that begins at pixel ``start``."""
    factors = {name: attributes[name] for name in ("scale", "translate", "rotate", "shear")}
    ndim = len(factors["scale"])
    return {**attributes, "translate": Affine(**factors)(np.asarray(start[:ndim], dtype=float))}


def with_samples(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's attributes for data with one more axis in front, which counts draws."""
    ndim = len(attributes["scale"])
    found = {
        **attributes,
        "scale": (1.0, *attributes["scale"]),
        "translate": (0.0, *attributes["translate"]),
        "rotate": _with_axis(np.asarray(attributes["rotate"], dtype=float)),
        "shear": _sheared(np.asarray(attributes["shear"], dtype=float), ndim),
        "affine": _with_axis(np.asarray(attributes["affine"], dtype=float)),
        "axis_labels": (SAMPLE_AXIS, *attributes["axis_labels"]),
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
