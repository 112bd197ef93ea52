"""The embedded real images as napari sample data."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_credible.samples import SAMPLES

# A few bright pixels would leave the rest of a raw frame black.
_SHOWN = (0.005, 0.998)


def photons() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the photon-count stack."""
    return _layer("photons")


def cells() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the noisy confocal frame."""
    return _layer("cells")


def stars() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the raw CCD frame."""
    return _layer("stars")


def _layer(name: str) -> list[tuple[Any, dict[str, Any], str]]:
    sample = SAMPLES[name]
    image = sample.read()
    low, high = np.quantile(image.array, _SHOWN)
    attributes = {
        "name": name,
        "contrast_limits": (float(low), float(max(high, low + 1))),
        "scale": image.scale,
        "units": image.axis_units,
        "axis_labels": tuple(image.axes.lower()),
        "metadata": {
            "title": sample.title,
            "source": sample.source,
            "licence": sample.licence,
            "header": dict(image.header),
        },
    }
    return [(image.array, attributes, "image")]
