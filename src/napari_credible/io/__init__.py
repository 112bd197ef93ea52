"""Images in and out of files, with their axes, scale, units and header."""

from __future__ import annotations

from napari_credible.io.files import read, read_all, read_result, write
from napari_credible.io.image import Image, as_image

__all__ = ["Image", "as_image", "read", "read_all", "read_result", "write"]
