"""Few random projections instead of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from napari_credible.knob import Checked
from napari_credible.operators.hartley import hartley
from napari_credible.operators.protocol import Factors, Operator, Shape
from napari_credible.operators.words import RATIO, SEED


@dataclass(frozen=True, eq=False, repr=False)
class CompressedSensing(Checked, Operator):
    """y = some rows, drawn at random, of the Walsh-Hadamard transform of the image.

    The pixels' signs are first flipped at random, so that no row is the mean and all see as much.
    The rows are orthonormal: H Hᵀ = 1. Where the number of pixels is no power of two, its
    odd part goes through Hartley's transform instead: 48 x 40 = 2^7 x 15.

    Parameters
    ----------
    ratio : float, above 0 to 1
        Measurements per pixel. The data are (rows, X), rows = ratio Y rounded, at least 1.
    seed : int, 0 to 2^63 - 1
        Of signs and rows; the same on every machine.
    shape : (int, int), optional
        Y and X of the image; needed where the data do not tell them: images that are not square
        and whose ``ratio`` Y is no whole number.

    References
    ----------
    .. [1] T. T. Do, L. Gan, N. H. Nguyen, T. D. Tran, "Fast and efficient compressive sensing
       using structurally random matrices", IEEE Trans. Signal Process. 60 (2012) 139-154.
    """

    ratio: Annotated[float, RATIO] = 0.125
    seed: Annotated[int, SEED] = 0
    shape: tuple[int, int] | None = None

    kind = "cs"

    def __post_init__(self) -> None:
        super().__post_init__()
        if int(self.seed) != self.seed:
            raise ValueError(f"seed is {self.seed}; give a whole number")
        object.__setattr__(self, "seed", int(self.seed))
        if self.shape is not None:
            object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def apply(self, x: Tensor) -> Tensor:
        """Return the measurements, (..., rows, X)."""
        shape = tuple(x.shape[-2:])
        signs, chosen = self._drawn(shape, x)
        return _walsh(x.flatten(-2) * signs)[..., chosen].reshape(
            *x.shape[:-2], *self.data_shape(shape)
        )

    def transpose(self, y: Tensor) -> Tensor:
        """Return the images whose other coordinates are 0."""
        shape = self.image_shape(tuple(y.shape[-2:]))
        signs, chosen = self._drawn(shape, y)
        whole = _placed(y.flatten(-2), chosen, len(signs))
        return (_walsh(whole) * signs).reshape(*y.shape[:-2], *shape)

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return (rows, X)."""
        found = (self._rows(image_shape[0]), image_shape[1])
        if self.image_shape(found) != tuple(image_shape):
            raise ValueError(
                f"the measurements of an image of {tuple(image_shape)} do not tell its shape; "
                f"say it: CompressedSensing({self.ratio}, {self.seed}, "
                f"shape={tuple(image_shape)})"
            )
        return found

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape that was said, or the square, or the one that ``ratio`` tells."""
        rows, columns = data_shape
        likely = [(columns, columns), (round(rows / self.ratio), columns)]
        for shape in likely if self.shape is None else [self.shape]:
            if (self._rows(shape[0]), shape[1]) == tuple(data_shape):
                return shape
        raise ValueError(
            f"measurements of shape {tuple(data_shape)} fit no image of "
            f"{self.shape or 'square shape'} at ratio {self.ratio}; say its shape=(Y, X)"
        )

    def fixed_shape(self) -> Shape | None:
        """Return the shape that was said."""
        return self.shape

    def factors(self, image_shape: Shape, like: Tensor) -> Factors:
        """Return V, the transform; S, 1 for the rows that are measured, 0 for the others."""
        data_shape = self.data_shape(image_shape)
        signs, chosen = self._drawn(image_shape, like)
        values = torch.zeros_like(signs)
        values[chosen] = 1
        return Factors(
            singular_values=values,
            to_spectral=lambda x: _walsh(x.flatten(-2) * signs),
            from_spectral=lambda c: (_walsh(c) * signs).reshape(*c.shape[:-1], *image_shape),
            data_to_spectral=lambda y: _placed(y.flatten(-2), chosen, len(signs)),
            data_from_spectral=lambda c: c[..., chosen].reshape(*c.shape[:-1], *data_shape),
            pixelwise=True,
        )

    def _rows(self, height: int) -> int:
        return max(1, round(self.ratio * height))

    def _drawn(self, image_shape: Shape, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs of the pixels and the numbers of the rows."""
        data = math.prod(self.data_shape(image_shape))
        signs, chosen = _draw(self.seed, math.prod(image_shape), data)
        return torch.tensor(signs).to(like), torch.tensor(chosen, device=like.device)


@lru_cache(maxsize=4)
def _draw(seed: int, count: int, measured: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw from the raw stream of PCG64, which numpy promises not to change."""
    raw = np.random.PCG64(seed).random_raw(2 * count)
    signs = np.where(raw[:count] >> np.uint64(63), 1.0, -1.0)
    order = np.argsort(raw[count:], kind="stable")
    return signs, np.sort(order[:measured])


def _walsh(x: Tensor) -> Tensor:
    """Return the transform of the last dimension: orthonormal, symmetric, its own inverse."""
    count = x.shape[-1]
    power = count & -count
    found = x.reshape(*x.shape[:-1], power, count // power)
    if power < count:
        found = hartley(found)
    step = 1
    while step < power:
        first, second = found.reshape(*x.shape[:-1], -1, 2, step * count // power).unbind(-2)
        found = torch.stack([first + second, first - second], -2)
        step *= 2
    return found.reshape(x.shape) / math.sqrt(power)


def _placed(y: Tensor, chosen: Tensor, count: int) -> Tensor:
    """Return the measurements at their places among ``count`` coordinates."""
    whole = y.new_zeros((*y.shape[:-1], count))
    return whole.index_copy(-1, chosen, y)
