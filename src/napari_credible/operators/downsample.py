"""Pixels are binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_credible.knob import Checked
from napari_credible.operators.hartley import hartley
from napari_credible.operators.protocol import Factors, Operator, Shape
from napari_credible.operators.words import FACTOR


@dataclass(frozen=True, eq=False, repr=False)
class Downsample(Checked, Operator):
    """y = the means of blocks of ``factor`` x ``factor`` pixels: what a larger pixel sees.

    Parameters
    ----------
    factor : int, 1 to 64
        Must divide the image's height and width.
    """

    factor: Annotated[int, FACTOR] = 2

    kind = "downsample"

    def __post_init__(self) -> None:
        super().__post_init__()
        if int(self.factor) != self.factor:
            raise ValueError(f"factor is {self.factor}; give a whole number")
        object.__setattr__(self, "factor", int(self.factor))

    @property
    def coarser(self) -> int:  # type: ignore[override]
        """The factor."""
        return self.factor

    def apply(self, x: Tensor) -> Tensor:
        """Return the means of the blocks."""
        return self._blocks(x).mean(-1)

    def transpose(self, y: Tensor) -> Tensor:
        """Return each datum, divided by the pixels of its block, in all of them."""
        spread = y / self.factor**2
        return spread.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1)

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the image divided by the factor."""
        fitting = tuple(n // self.factor * self.factor for n in image_shape)
        if fitting != tuple(image_shape) or 0 in fitting:
            cure = "give a larger image" if 0 in fitting else f"crop it to {fitting}"
            raise ValueError(
                f"a factor of {self.factor} does not divide the image's shape "
                f"{tuple(image_shape)}; {cure}"
            )
        return tuple(n // self.factor for n in image_shape)

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the data times the factor."""
        return tuple(n * self.factor for n in data_shape)

    def factors(self, image_shape: Shape, like: Tensor) -> Factors:
        """Return V, Hartley's basis in each block; S, 1 / factor for its mean, else 0."""
        shape = self.data_shape(image_shape)
        pixels = self.factor**2
        values = like.new_zeros((*shape, pixels))
        values[..., 0] = 1 / self.factor

        def mean_only(c: Tensor) -> Tensor:
            rest = c.new_zeros((*c.shape, pixels - 1))
            return torch.cat([c[..., None], rest], -1).flatten(-3)

        def blocks(c: Tensor) -> Tensor:
            return c.reshape(*c.shape[:-1], *shape, pixels)

        return Factors(
            singular_values=values.flatten(),
            to_spectral=lambda x: hartley(self._blocks(x)).flatten(-3),
            from_spectral=lambda c: self._image(hartley(blocks(c))),
            data_to_spectral=mean_only,
            data_from_spectral=lambda c: blocks(c)[..., 0],
            pixelwise=True,
        )

    def _blocks(self, x: Tensor) -> Tensor:
        """Return (..., Y / factor, X / factor, pixels of the block)."""
        f = self.factor
        rows, columns = self.data_shape(tuple(x.shape[-2:]))
        return x.reshape(*x.shape[:-2], rows, f, columns, f).movedim(-3, -2).flatten(-2)

    def _image(self, blocks: Tensor) -> Tensor:
        f = self.factor
        rows, columns = blocks.shape[-3:-1]
        apart = blocks.reshape(*blocks.shape[:-1], f, f).movedim(-2, -3)
        return apart.reshape(*blocks.shape[:-3], rows * f, columns * f)
