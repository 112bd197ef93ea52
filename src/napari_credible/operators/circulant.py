"""Filters on the torus: products in frequency, and their decomposition in real numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_credible.operators.hartley import hartley
from napari_credible.operators.protocol import Factors, Shape


def circulant_factors(response: Tensor, image_shape: Shape, like: Tensor) -> Factors:
    """Return the factors of a filter on the torus, given its rfft2 response in float64.

    Its size s is the same at k and -k, so that Hartley's basis diagonalises the filter of
    response s; the phase that is left is an orthogonal map P, H = (P V) S Vᵀ.
    """
    size = response.abs()
    count = image_shape[0] * image_shape[1]
    sharp = size > count * torch.finfo(torch.float64).eps * size.max()
    phase = torch.where(sharp, response / torch.where(sharp, size, 1), 1)
    kind = torch.complex128 if like.dtype == torch.float64 else torch.complex64
    phase = phase.to(device=like.device, dtype=kind)
    values = _whole(torch.where(sharp, size, 0), image_shape).flatten().to(like)
    seen = values > 0

    def to_spectral(x: Tensor) -> Tensor:
        return hartley(x, 2).flatten(-2)

    def from_spectral(c: Tensor) -> Tensor:
        return hartley(c.reshape(*c.shape[:-1], *image_shape), 2)

    return Factors(
        singular_values=values,
        to_spectral=to_spectral,
        from_spectral=from_spectral,
        data_to_spectral=lambda y: torch.where(seen, to_spectral(filtered(y, phase.conj())), 0),
        data_from_spectral=lambda c: filtered(from_spectral(torch.where(seen, c, 0)), phase),
    )


def _whole(half: Tensor, shape: Shape) -> Tensor:
    """Return all frequencies of a real, even spectrum given those of rfft2."""
    mirrored = torch.roll(half.flip(0), 1, 0)[:, 1 : (shape[1] + 1) // 2].flip(1)
    return torch.cat([half, mirrored], 1)


def filtered(x: Tensor, response: Tensor) -> Tensor:
    """Return images on the torus times a response (rfft2) in frequency."""
    found: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * response, s=x.shape[-2:])
    return found
