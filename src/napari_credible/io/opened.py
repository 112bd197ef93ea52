"""The image of a file that the command line's options choose."""

from __future__ import annotations

from pathlib import Path

from napari_credible.io.files import read_all
from napari_credible.io.image import Image


def opened(source: Path, axes: str = "", hdu: str = "") -> Image:
    """Return the image of a file that the options choose."""
    images = read_all(source)
    image = images[0]
    if hdu:
        named = {str(i.header.get("_hdu", k)): i for k, i in enumerate(images)}
        named |= {i.name.lower(): i for i in images}
        if hdu.lower() not in named:
            raise ValueError(f"{source.name} has no image HDU {hdu}; it has {', '.join(named)}")
        image = named[hdu.lower()]
    if axes:
        image = Image(
            image.array,
            axes.upper(),
            image.scale,
            image.axis_units,
            image.unit,
            image.header,
            image.name,
        )
    return image
