"""The data are the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_credible.operators.protocol import Factors, Operator, Shape


@dataclass(frozen=True, eq=False, repr=False)
class Identity(Operator):
    """y = x: plain denoising."""

    kind = "identity"

    def apply(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def transpose(self, y: Tensor) -> Tensor:
        """Return y."""
        return y

    def factors(self, image_shape: Shape, like: Tensor) -> Factors:
        """Return U = S = V = 1."""
        ones = like.new_ones(image_shape).flatten()
        return selection(ones, image_shape)


def selection(values: Tensor, image_shape: Shape) -> Factors:
    """Return the factors of data that are image's pixels times ``values``, shape (n,), >= 0."""

    def flat(x: Tensor) -> Tensor:
        return x.flatten(-len(image_shape))

    def shaped(c: Tensor) -> Tensor:
        return c.reshape(*c.shape[:-1], *image_shape)

    def seen(c: Tensor) -> Tensor:
        # Where nothing is seen the datum may be anything, also not a number.
        return torch.where(values > 0, c, 0)

    return Factors(
        singular_values=values,
        to_spectral=flat,
        from_spectral=shaped,
        data_to_spectral=lambda y: seen(flat(y)),
        data_from_spectral=lambda c: shaped(seen(c)),
        pixelwise=True,
    )
