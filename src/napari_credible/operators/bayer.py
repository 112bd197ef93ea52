"""One-chip colour cameras: each pixel sees one colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_credible.knob import Checked
from napari_credible.operators.protocol import Factors, Operator, Shape
from napari_credible.operators.words import PATTERN


@dataclass(frozen=True, eq=False, repr=False)
class Bayer(Checked, Operator):
    """y = at each pixel the one colour that its filter lets through.

    Parameters
    ----------
    pattern : "RGGB", "BGGR", "GRBG" or "GBRG"
        Colours of the first 2 x 2 pixels, row by row, as FITS headers (BAYERPAT) name them for
        images whose first row is row 0.

    Notes
    -----
    Images are (..., 3, Y, X), red, green, blue, and data (..., Y, X), of any height and width.
    """

    pattern: Annotated[str, PATTERN] = "RGGB"

    kind = "bayer"
    image_ndim = 3

    def apply(self, x: Tensor) -> Tensor:
        """Return one colour a pixel."""
        seen = self._colour(tuple(x.shape[-2:]), x)
        return torch.take_along_dim(x, seen.expand(*x.shape[:-3], 1, *seen.shape), -3).squeeze(-3)

    def transpose(self, y: Tensor) -> Tensor:
        """Return the data in their colours, 0 elsewhere."""
        return torch.where(self._filters(tuple(y.shape[-2:]), y), y.unsqueeze(-3), 0)

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return (Y, X) of (3, Y, X)."""
        if len(image_shape) != 3 or image_shape[0] != 3:
            raise ValueError(
                f"the image has shape {tuple(image_shape)}; a Bayer filter takes (3, Y, X): "
                "red, green, blue"
            )
        return tuple(image_shape[1:])

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return (3, Y, X) of (Y, X)."""
        return (3, *data_shape)

    def factors(self, image_shape: Shape, like: Tensor) -> Factors:
        """Return V = 1, and S = 1 for colours that are seen, 0 for the others."""
        filters = self._filters(self.data_shape(image_shape), like)

        def shaped(c: Tensor) -> Tensor:
            return c.reshape(*c.shape[:-1], *image_shape)

        return Factors(
            singular_values=filters.to(like.dtype).flatten(),
            to_spectral=lambda x: x.flatten(-3),
            from_spectral=shaped,
            data_to_spectral=lambda y: self.transpose(y).flatten(-3),
            data_from_spectral=lambda c: self.apply(shaped(c)),
            pixelwise=True,
        )

    def _colour(self, shape: Shape, like: Tensor) -> Tensor:
        """Return which of the three colours each pixel sees, (Y, X)."""
        tile = torch.tensor(["RGB".index(c) for c in self.pattern], device=like.device)
        rows, columns = (torch.arange(n, device=like.device) % 2 for n in shape)
        return tile[2 * rows[:, None] + columns]

    def _filters(self, shape: Shape, like: Tensor) -> Tensor:
        """Return where each colour is seen, (3, Y, X)."""
        colours = torch.arange(3, device=like.device)[:, None, None]
        return self._colour(shape, like) == colours
