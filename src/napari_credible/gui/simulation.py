"""What the instrument would see of a layer: H applied to it, in a temporary layer beside it."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.beside import Beside
from napari_credible.gui.job import Work
from napari_credible.gui.placing import coarsened, flattened
from napari_credible.gui.region import whole_plane
from napari_credible.gui.restoring import RestoreAsked
from napari_credible.io.image import Image
from napari_credible.planes import Progress
from napari_credible.region import Region

# What the axes of data are that are no picture.
_AXES = {"radon": ("detector", "angle"), "cs": ("row", "column")}
_UNIT = "pixel"


class Simulation(Beside):
    """A temporary layer with H of the plane in view, its channels side by side."""

    def events(self) -> list[Any]:
        """Return the events of the sliders."""
        return [self.viewer.dims.events.current_step]

    def region(self, asked: Asked) -> Region:
        """Return the plane in view, with all its channels."""
        plane = whole_plane(self.viewer, asked.layer, asked.image)
        sides = zip(plane.start, plane.stop, asked.image.axes, asked.image.shape, strict=True)
        spans = [(0, n) if axis == "C" else (a, b) for a, b, axis, n in sides]
        return Region(tuple(a for a, _ in spans), tuple(b for _, b in spans))

    def work(self, asked: Asked, region: Region) -> Work:
        """Return what applies H."""
        assert isinstance(asked, RestoreAsked)
        return partial(simulated, asked, region)

    def found(self, found: Any, asked: Asked, region: Region) -> None:
        """Show the data in a layer of their own: their shape may be another than before."""
        data, attributes = found
        self.remove()
        self.put(asked.layer, data, attributes, f"{asked.layer.name} · simulated")
        self.say(f"Simulated: data of {' × '.join(str(n) for n in data.shape[-2:])}, no noise.")


def simulated(
    asked: RestoreAsked, region: Region, _: Stop
) -> Generator[Progress, None, tuple[NDArray[Any], dict[str, Any]]]:
    """Return H of a region of the layer, and the attributes of its layer.

    Raises
    ------
    ValueError
        One sentence, where the operator cannot be or does not fit the image.
    """
    from napari_credible import geometry

    yield Progress(0, 1, "simulating the data")
    assert asked.physics is not None
    whole = asked.image
    operator = geometry.fitted(asked.physics.answer(whole).operator, whole)
    image = whole.with_array(np.asarray(whole.array[region.slices], dtype=np.float32)).opaque()
    coloured = operator.image_ndim == 3
    data = _colours(operator, image) if coloured else image.back(operator(image.ordered()))
    first = geometry.first_pixel(operator)
    attributes = coarsened(asked.attributes, whole, region.start, first, operator.coarser)
    if coloured:
        attributes = flattened(attributes, whole)
    if geometry.pictured(operator):
        return data, attributes
    attributes.pop("contrast_limits", None)
    return data, {**attributes, **_named(attributes, whole, asked.physics.kind)}


def _colours(operator: Any, image: Image) -> NDArray[Any]:
    """Return H of three colours; their axis goes."""
    colours = image.ordered()
    if not image.channel_axis or len(colours) != 3:
        raise ValueError(
            f"a Bayer filter sees red, green and blue, and the image has axes {image.axes} of "
            f"{image.shape}; choose a layer in colour, or with a channel axis of three"
        )
    data: NDArray[Any] = operator(np.moveaxis(colours, 0, -3))
    return data


def _named(attributes: dict[str, Any], image: Image, kind: str) -> dict[str, Any]:
    """Return labels, scale and units of data that are no picture."""
    axes = image.axes.replace("S", "")
    labels, scale = list(attributes["axis_labels"]), list(attributes["scale"])
    units = list(attributes.get("units", [_UNIT] * len(axes)))
    for axis, label in zip("YX", _AXES[kind], strict=True):
        labels[axes.index(axis)] = label
    counted = "X" if kind == "radon" else "Y"
    scale[axes.index(counted)], units[axes.index(counted)] = 1.0, _UNIT
    return {"axis_labels": tuple(labels), "scale": tuple(scale), "units": tuple(units)}
