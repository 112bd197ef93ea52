"""Some pixels are not seen: dead, hit by a cosmic ray, outside the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators.identity import selection
from napari_credible.operators.protocol import Factors, Operator, Shape, kept


@dataclass(frozen=True, eq=False, repr=False)
class Mask(Operator):
    """y = x where the mask is True, and 0 elsewhere.

    Parameters
    ----------
    mask : array of bool, shape (Y, X)
        True where a pixel is seen. Values of the data where it is False are never looked at;
        they may be NaN.

    Raises
    ------
    ValueError
        For a mask that is not boolean, not (Y, X), or False everywhere.
    """

    mask: Any

    kind = "mask"

    def __post_init__(self) -> None:
        mask = self.mask.cpu().numpy() if isinstance(self.mask, Tensor) else np.asarray(self.mask)
        if mask.dtype.kind != "b":
            raise ValueError(
                f"the mask holds {mask.dtype} values; give booleans, True where a pixel is seen, "
                "such as weights > 0"
            )
        if mask.ndim != 2:
            raise ValueError(f"the mask has shape {mask.shape}; give (Y, X)")
        if not mask.any():
            raise ValueError("the mask is False everywhere: nothing is seen; is it inverted?")
        object.__setattr__(self, "mask", kept(mask, bool))

    def apply(self, x: Tensor) -> Tensor:
        """Return x with 0 where nothing is seen."""
        return torch.where(self._on(x), x, 0)

    def transpose(self, y: Tensor) -> Tensor:
        """Return the same of y: H is a projection."""
        return self.apply(y)

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the image, which must be the mask's."""
        if tuple(image_shape) != self.mask.shape:
            raise ValueError(
                f"the mask has shape {self.mask.shape} and the image {tuple(image_shape)}; "
                "give a mask of the image's shape"
            )
        return tuple(image_shape)

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the same shape."""
        return self.data_shape(data_shape)

    def fixed_shape(self) -> Shape:
        """Return the shape of the mask."""
        shape: Shape = self.mask.shape
        return shape

    def observed(self, data_shape: Shape) -> np.ndarray:
        """Return the mask."""
        self.data_shape(data_shape)
        return np.array(self.mask)

    def factors(self, image_shape: Shape, like: Tensor) -> Factors:
        """Return U = V = 1 and S the mask."""
        self.data_shape(image_shape)
        return selection(self._on(like).to(like.dtype).flatten(), tuple(image_shape))

    def _on(self, like: Tensor) -> Tensor:
        return torch.tensor(self.mask, device=like.device)
