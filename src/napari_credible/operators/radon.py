"""Parallel-beam tomography: line integrals of the image at many angles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators.pairing import paired
from napari_credible.operators.protocol import Operator, Shape, kept
from napari_credible.operators.radon_matrix import fits, matrices

# Interpolations at once: bounds the memory to some 100 MB in float64.
_AT_ONCE = 2**22
_BILINEAR, _ZEROS, _ALIGNED = 0, 0, True


@dataclass(frozen=True, eq=False, repr=False)
class Radon(Operator):
    """y = the sums of the image, turned about its centre by each angle, along its columns.

    The numbers are those of :func:`skimage.transform.radon`: bilinear interpolation, the axis in
    pixel (N // 2, N // 2), data (detector, angle). The adjoint is that of exactly this map. It is
    made once as a sparse matrix, and kept, where that has less than 3e7 entries.

    Parameters
    ----------
    angles : array of float, degrees
        Sparse and limited ones too.
    circle : bool
        Whether the detector is as wide as the image, which should then be dark outside the
        inscribed circle; else it is as wide as the image's diagonal.
    shape : (int, int), optional
        Y and X of an image that is not square, with ``circle=False``.

    Raises
    ------
    ValueError
        For angles that are not finite numbers, or that do not match the sinogram.
    """

    angles: Any
    circle: bool = True
    shape: tuple[int, int] | None = None

    kind = "radon"

    def __post_init__(self) -> None:
        angles = np.asarray(
            self.angles.cpu() if isinstance(self.angles, Tensor) else self.angles, dtype=np.float64
        )
        if angles.ndim != 1 or not angles.size or not np.isfinite(angles).all():
            raise ValueError(
                f"the angles have shape {angles.shape}, {int(np.isfinite(angles).sum())} of "
                "them finite; give a list of degrees, such as range(0, 180, 3)"
            )
        object.__setattr__(self, "angles", kept(angles, np.float64))
        if self.shape is not None:
            object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def apply(self, x: Tensor) -> Tensor:
        """Return the sinograms, (..., detector, angle)."""
        shape = tuple(x.shape[-2:])
        return paired(x, self._project, lambda y: self._smear(y, shape))

    def transpose(self, y: Tensor) -> Tensor:
        """Return the sinograms smeared back, with the weights of :meth:`apply`."""
        shape = self.image_shape(tuple(y.shape[-2:]))
        return paired(y, lambda y: self._smear(y, shape), self._project)

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return (detector, angle)."""
        rows, columns = image_shape
        if self.shape is not None and tuple(image_shape) != self.shape:
            raise ValueError(
                f"the image has shape {tuple(image_shape)}; Radon was told {self.shape}"
            )
        if rows != columns and (self.circle or self.shape is None):
            raise ValueError(
                f"the image has shape {tuple(image_shape)}; pad or crop it to a square, or say "
                f"Radon(angles, circle=False, shape={tuple(image_shape)})"
            )
        return self._width(image_shape), len(self.angles)

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the image."""
        width, count = data_shape
        if count != len(self.angles):
            raise ValueError(
                f"the sinogram has shape {tuple(data_shape)} and there are {len(self.angles)} "
                "angles; give (detector, angle), one angle a column"
            )
        side = width if self.circle else math.floor(width / math.sqrt(2))
        shape = self.shape or (side, side)
        if self._width(shape) != width:
            raise ValueError(
                f"a detector of {width} pixels sees no image of {shape}; give its shape=(Y, X)"
            )
        return shape

    def fixed_shape(self) -> Shape | None:
        """Return the shape that was said."""
        return self.shape

    def _width(self, shape: Shape) -> int:
        return shape[0] if self.circle else math.ceil(math.sqrt(2) * max(shape))

    def _margins(self, shape: Shape) -> list[int]:
        """Return torch's padding to a square of the detector's width, centres kept."""
        width = self._width(shape)
        before = [width // 2 - n // 2 for n in shape]
        return [before[1], width - shape[1] - before[1], before[0], width - shape[0] - before[0]]

    def _project(self, x: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(x, self._margins(tuple(x.shape[-2:])))
        width = padded.shape[-1]
        if fits(self.angles, width, x.device):
            forward, _ = matrices(self.angles, width, x)
            found = (forward @ padded.reshape(-1, width**2).T).T
            return found.reshape(*x.shape[:-2], len(self.angles), width).mT
        flat = padded.reshape(1, -1, width, width)
        turned = [_turned(flat, grid).sum(-2) for grid in self._grids(flat)]
        # (angle, batch, detector) to (batch, detector, angle).
        return torch.cat(turned).permute(1, 2, 0).reshape(*x.shape[:-2], width, len(self.angles))

    def _smear(self, y: Tensor, shape: Shape) -> Tensor:
        width = y.shape[-2]
        if fits(self.angles, width, y.device):
            _, backward = matrices(self.angles, width, y)
            image = (backward @ y.mT.reshape(-1, width * len(self.angles)).T).T
            image = image.reshape(-1, width, width)
        else:
            image = self._smeared(y.reshape(-1, width, len(self.angles)).permute(2, 0, 1))
        left, _, top, _ = self._margins(shape)
        cut = image[..., top : top + shape[0], left : left + shape[1]]
        return cut.reshape(*y.shape[:-2], *shape)

    def _smeared(self, lines: Tensor) -> Tensor:
        """Return the images of projections (angle, batch, detector), without a matrix."""
        width = lines.shape[-1]
        image = lines.new_zeros((1, lines.shape[1], width, width))
        first = 0
        for grid in self._grids(image):
            some = lines[first : first + len(grid), :, None, :].expand(-1, -1, width, -1)
            image = image + _turned_back(some, grid)
            first += len(grid)
        return image

    def _grids(self, images: Tensor) -> list[Tensor]:
        """Return where each pixel of the turned images comes from, some angles at a time."""
        width = images.shape[-1]
        at_once = max(1, _AT_ONCE // images.numel())
        angles = torch.split(torch.deg2rad(torch.tensor(self.angles)), at_once)
        return [_grid(some, width).to(images) for some in angles]


def _grid(angles: Tensor, width: int) -> Tensor:
    """Return (angle, Y, X, 2), x first, from -1, the first pixel's centre, to 1, the last's."""
    place = torch.arange(width).to(angles) - width // 2
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    across = cos * place + sin * place[:, None]
    along = cos * place[:, None] - sin * place
    return (torch.stack([across, along], -1) + width // 2) * (2 / max(1, width - 1)) - 1


def _turned(images: Tensor, grid: Tensor) -> Tensor:
    """Return (angle, batch, Y, X) of images (1, batch, Y, X), by bilinear interpolation."""
    many = images.expand(len(grid), -1, -1, -1)
    found: Tensor = torch.grid_sampler_2d(many, grid, _BILINEAR, _ZEROS, _ALIGNED)
    return found


def _turned_back(turned: Tensor, grid: Tensor) -> Tensor:
    """Return the adjoint of :func:`_turned`, (1, batch, Y, X)."""
    found: Tensor = torch.ops.aten.grid_sampler_2d_backward(
        turned, turned, grid, _BILINEAR, _ZEROS, _ALIGNED, [True, False]
    )[0]
    return found.sum(0, keepdim=True)
