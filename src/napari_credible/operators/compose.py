"""One operator after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators.identity import Identity
from napari_credible.operators.mask import Mask
from napari_credible.operators.protocol import Factors, Operator, Shape


@dataclass(frozen=True, eq=False, repr=False)
class Compose(Operator):
    """y = H1 (H2 x), written ``H1 @ H2``.

    Parameters
    ----------
    last, first : Operator
        H1 and H2. What H2 gives must have the dimensions that H1 takes.
    """

    last: Operator
    first: Operator

    kind = "compose"

    def __post_init__(self) -> None:
        if self.last.image_ndim != self.first.data_ndim:
            raise ValueError(
                f"{self.last} takes {self.last.image_ndim} dimensions and {self.first} gives "
                f"{self.first.data_ndim}; write the one that acts on the image last"
            )

    @property
    def image_ndim(self) -> int:  # type: ignore[override]
        """Dimensions of one image."""
        return self.first.image_ndim

    @property
    def data_ndim(self) -> int:  # type: ignore[override]
        """Dimensions of its data."""
        return self.last.data_ndim

    @property
    def coarser(self) -> int:  # type: ignore[override]
        """Side of the data's pixels in the image's."""
        return self.first.coarser * self.last.coarser

    def apply(self, x: Tensor) -> Tensor:
        """Return H1 H2 x."""
        return self.last.apply(self.first.apply(x))

    def transpose(self, y: Tensor) -> Tensor:
        """Return H2ᵀ H1ᵀ y."""
        return self.first.transpose(self.last.transpose(y))

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the data, through both."""
        return self.last.data_shape(self.first.data_shape(image_shape))

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the image, through both."""
        return self.first.image_shape(self.last.image_shape(data_shape))

    def fixed_shape(self) -> Shape | None:
        """Return the only shape that fits both, if there is one."""
        fixed = self.first.fixed_shape()
        between = self.last.fixed_shape() if fixed is None else None
        return fixed if between is None else self.first.image_shape(between)

    def observed(self, data_shape: Shape) -> np.ndarray:
        """Return which data H1 looks at, and H2 too where they are the same pixels."""
        seen = self.last.observed(data_shape)
        if isinstance(self.last, (Identity, Mask)):
            seen = seen & self.first.observed(data_shape)
        return seen

    def for_pixels(self, pixel: tuple[float, float], unit: str) -> Compose:
        """Return both for the pixels that they see."""
        between = pixel[0] * self.first.coarser, pixel[1] * self.first.coarser
        return Compose(self.last.for_pixels(between, unit), self.first.for_pixels(pixel, unit))

    def factors(self, image_shape: Shape, like: Tensor) -> Factors | None:
        """Return factors where one of both is the identity, or H1 a mask of H2's coordinates.

        None otherwise.
        """
        if isinstance(self.first, Identity):
            return self.last.factors(image_shape, like)
        found = self.first.factors(image_shape, like)
        if isinstance(self.last, Identity) or found is None:
            return found
        if not (found.pixelwise and isinstance(self.last, Mask)):
            return None
        seen = torch.tensor(self.last.observed(self.data_shape(image_shape)), device=like.device)
        return found.times(found.data_to_spectral(seen.to(like.dtype)))
