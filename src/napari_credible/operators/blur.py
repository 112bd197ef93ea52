"""Each point of the image becomes a point-spread function (PSF)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators.circulant import circulant_factors, filtered
from napari_credible.operators.protocol import Factors, Operator, Shape, kept
from napari_credible.operators.psf import check_psf, gaussian, uniform
from napari_credible.operators.words import BOUNDARY

# Pixels whose sizes differ so little that the PSF's edge moves less than this are the same.
_SAME = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class Blur(Operator):
    r"""y = h * x, the convolution with a point-spread function h.

    .. math:: y_i = \sum_j h_j \, x_{i - j + c}, \qquad c = \lfloor k / 2 \rfloor

    The pixel c of the PSF is its centre: the middle one of an odd number k of pixels, the
    one after the middle of an even number, as :func:`scipy.ndimage.convolve` and
    :func:`numpy.fft.fftshift` have it.

    Parameters
    ----------
    psf : array, shape (y, x)
        Of any unit; smaller than the image.
    boundary : "circular", "zero" or "valid"
        What is outside the image. "circular" has a singular value decomposition in Hartley's
        basis. With "valid" the data are smaller than the image by (y - 1, x - 1) pixels.
    normalise : bool
        Whether the PSF is divided by its sum, so that flux is kept.
    pixel : (float, float), optional
        Height and width of the PSF's pixels, in ``unit``; None: those of the image.
    unit : str
        Such as "micrometer" or "arcsec".

    Raises
    ------
    ValueError
        For a PSF that is not finite, all zero, of negative sum, or larger than the image.
    """

    psf: Any
    boundary: Annotated[str, BOUNDARY] = "circular"
    normalise: bool = True
    pixel: tuple[float, float] | None = None
    unit: str = ""

    kind = "blur"

    def __post_init__(self) -> None:
        BOUNDARY.check("boundary", self.boundary)
        object.__setattr__(self, "psf", kept(check_psf(self.psf, self.normalise), np.float64))
        if self.pixel is not None:
            object.__setattr__(self, "pixel", _pixel(self.pixel))

    @classmethod
    def uniform(cls, size: int, boundary: str = "circular") -> Blur:
        """Return a box of ``size`` x ``size`` pixels, size odd."""
        return cls(uniform(size), boundary)

    @classmethod
    def gaussian(cls, std: float, boundary: str = "circular") -> Blur:
        """Return a Gaussian of ``std`` pixels, cut where it is below 1e-4 of its peak."""
        return cls(gaussian(std), boundary)

    def apply(self, x: Tensor) -> Tensor:
        """Return the blurred images."""
        shape = tuple(x.shape[-2:])
        if self.boundary == "circular":
            return filtered(x, self.response(shape, x))
        padded = self._padded(shape)
        placed = torch.nn.functional.pad(x, _room(shape, padded))
        full = filtered(placed, self._spectrum(padded, x))

        first, size = self._window(shape)
        return full[..., first[0] : first[0] + size[0], first[1] : first[1] + size[1]]

    def transpose(self, y: Tensor) -> Tensor:
        """Return the correlation of the data with the PSF."""
        if self.boundary == "circular":
            return filtered(y, self.response(tuple(y.shape[-2:]), y).conj())
        shape = self.image_shape(tuple(y.shape[-2:]))
        padded = self._padded(shape)
        first, size = self._window(shape)
        placed = torch.nn.functional.pad(y, _room(size, padded, first))
        return filtered(placed, self._spectrum(padded, y).conj())[..., : shape[0], : shape[1]]

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the image, less the PSF's margin where the boundary is "valid"."""
        self._check_fits(image_shape)
        return self._window((image_shape[0], image_shape[1]))[1]

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the data, with the PSF's margin where the boundary is "valid"."""
        if self.boundary == "valid":
            data_shape = tuple(n + k - 1 for n, k in zip(data_shape, self.psf.shape, strict=True))
        self._check_fits(data_shape)
        return tuple(data_shape)

    def factors(self, image_shape: Shape, like: Tensor) -> Factors | None:
        """Return V, Hartley's basis; S, the size of the PSF's spectrum; U = P V, P its phase.

        Values below n times the float's precision are rounding, and become 0.
        """
        if self.boundary != "circular":
            return None
        self._check_fits(image_shape)
        # In float64 on the processor: some graphics cards have no such numbers.
        response = self.response(tuple(image_shape), torch.zeros((), dtype=torch.float64))
        return circulant_factors(response, tuple(image_shape), like)

    def for_pixels(self, pixel: tuple[float, float], unit: str) -> Blur:
        """Return the blur with its PSF resampled to the image's pixels, flux kept.

        Itself where the size of the PSF's pixels is not known.
        """
        from napari_credible.operators.psf_image import ratio, resampled

        if self.pixel is None:
            return self
        size = ratio(self.pixel, self.unit, pixel, unit)
        same = all(abs(s - 1) * max(self.psf.shape) < _SAME for s in size)
        psf = self.psf if same else resampled(self.psf, size)
        return replace(self, psf=psf, pixel=pixel, unit=unit)

    def response(self, image_shape: Shape, like: Tensor) -> Tensor:
        """Return the Fourier transform (rfft2) of the PSF about its centre."""
        kernel = self._kernel(like)
        rows, columns = kernel.shape
        placed = torch.nn.functional.pad(kernel, _room((rows, columns), image_shape))
        turned = torch.roll(placed, (-(rows // 2), -(columns // 2)), (-2, -1))
        found: Tensor = torch.fft.rfft2(turned)
        return found

    def _spectrum(self, padded: Shape, like: Tensor) -> Tensor:
        found: Tensor = torch.fft.rfft2(self._kernel(like), s=padded)
        return found

    def _kernel(self, like: Tensor) -> Tensor:
        return torch.tensor(self.psf, dtype=like.dtype, device=like.device)

    def _padded(self, shape: Shape) -> Shape:
        """Return the size of a torus on which nothing comes round."""
        from scipy.fft import next_fast_len

        return tuple(
            next_fast_len(n + k - 1, real=True) for n, k in zip(shape, self.psf.shape, strict=True)
        )

    def _window(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return where the data begin in the full convolution, and their size."""
        rows, columns = self.psf.shape
        if self.boundary == "valid":
            return (rows - 1, columns - 1), (shape[0] - rows + 1, shape[1] - columns + 1)
        return (rows // 2, columns // 2), (shape[0], shape[1])

    def _check_fits(self, image_shape: Shape) -> None:
        if any(k > n for k, n in zip(self.psf.shape, image_shape, strict=True)):
            raise ValueError(
                f"the PSF has {self.psf.shape} pixels and the image {tuple(image_shape)}; "
                "cut the PSF's dark margin, or give a larger image"
            )


def _pixel(size: Any) -> tuple[float, float]:
    sides = tuple(float(n) for n in size)
    if len(sides) != 2 or not all(0 < n < np.inf for n in sides):
        raise ValueError(f"the PSF's pixels are {sides}; give (height, width) above 0")
    return sides[0], sides[1]


def _room(size: Shape, padded: Shape, first: Shape = (0, 0)) -> list[int]:
    """Return torch's padding, last dimension first, of a block placed at ``first``."""
    return [
        margin
        for axis in (1, 0)
        for margin in (first[axis], padded[axis] - size[axis] - first[axis])
    ]
