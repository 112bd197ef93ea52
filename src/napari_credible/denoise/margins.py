"""Margins of images: reflected, repeated, cut off."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def mirrored(x: Tensor, margin: int) -> Tensor:
    """Surround ``x`` by its mirror image, or by its edge where it is smaller than ``margin``."""
    mode = "reflect" if margin < min(x.shape[-2:]) else "replicate"
    return F.pad(x, (margin,) * 4, mode=mode)


def reflected(x: Tensor, margin: int) -> Tensor:
    """Surround ``x`` by its reflections, its outermost pixels twice.

    Were they there once, a patch centred on one would be its own mirror image, other patches and
    their mirror images equally near, and rounding would choose among them.
    """
    for axis in (-1, -2):
        n = x.shape[axis]
        places = torch.arange(-margin, n + margin, device=x.device) % (2 * n)
        x = x.index_select(axis, torch.minimum(places, 2 * n - 1 - places))
    return x


def enlarged(x: Tensor, side: int) -> Tensor:
    """Repeat the last row and column of ``x`` (B, 1, Y, X) until a patch fits."""
    below, right = (max(0, side - n) for n in x.shape[-2:])
    return F.pad(x, (0, right, 0, below), mode="replicate")


def inner(x: Tensor, margin: int) -> Tensor:
    """Return ``x`` (..., Y, X) without a margin."""
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]
