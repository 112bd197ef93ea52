"""The one call on which the project stands."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Denoiser(Protocol):
    """D(x, sigma), an estimate of E[clean | clean + sigma z = x].

    ``x`` has shape ``(B, C, Y, X)``, ``sigma`` is a number or has shape ``(B,)``, in the units
    of ``x``; the result has the shape, dtype and device of ``x``.

    A denoiser may also say how it can be run in tiles: ``reach``, the pixels beyond which an
    input pixel cannot change an output pixel; ``stride``, the multiple of pixels at which tiles
    must start; ``bytes_per_pixel``, the memory of a call; and ``fitted(low, high)``, which
    returns the denoiser for an image whose values lie mostly between these two. One that must
    see a plane as a whole says so: ``whole = True``. One that also takes noise whose level
    differs from pixel to pixel, ``sigma`` of shape ``(1, 1, Y, X)``, says ``takes_maps = True``.
    """

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise ``x`` at level ``sigma``."""
        ...


def level_map(x: Tensor, sigma: float | Tensor) -> Tensor:
    """Return ``sigma``, a number, ``(B,)`` or ``(1 or B, 1, Y, X)``, with four dimensions.

    Raises
    ------
    ValueError
        Where it fits ``x`` in none of these ways, is negative or not finite.
    """
    if not isinstance(sigma, Tensor) or sigma.ndim != 4:
        return levels(x, sigma).view(-1, 1, 1, 1)
    if sigma.shape[-2:] != x.shape[-2:] or sigma.shape[1] != 1 or len(sigma) not in (1, len(x)):
        raise ValueError(
            f"the map of sigma has shape {tuple(sigma.shape)} for x of {tuple(x.shape)}; "
            "give (1, 1, Y, X)"
        )
    if not bool(torch.isfinite(sigma).all()) or bool((sigma < 0).any()):
        raise ValueError("the map of sigma holds values below 0 or not finite; give noise levels")
    return sigma


def levels(x: Tensor, sigma: float | Tensor) -> Tensor:
    """Return ``sigma`` as a tensor ``(B,)`` like ``x``.

    Raises
    ------
    ValueError
        Where ``x`` is not (B, C, Y, X), or sigma is negative, not finite, or of another length.
    """
    if x.ndim != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; a denoiser takes (B, C, Y, X)")
    level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if level.ndim > 1 or (level.ndim == 1 and len(level) not in (1, len(x))):
        raise ValueError(
            f"sigma has shape {tuple(level.shape)} for {len(x)} images; "
            "give one number, or one each"
        )
    if not bool(torch.isfinite(level).all()) or bool((level < 0).any()):
        raise ValueError(f"sigma is {sigma}; give a finite number of at least 0")
    return level.expand(len(x))
