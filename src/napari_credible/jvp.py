"""The derivative of a denoiser: along a direction, and its transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Of the noise level: small against it, large against what float32 rounds off.
_STRIDE = 0.02


def with_slope(
    denoise: Callable[..., Any], x: Tensor, sigma: float, direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Return D(x) and its derivative along ``direction``, exactly where torch can.

    A callable that torch cannot differentiate forwards is differenced between x and
    x + 0.02 sigma direction, which must then be of the order of 1 a pixel.

    Parameters
    ----------
    denoise : callable
        D(x, sigma) on torch (B, 1, Y, X).
    x, direction : Tensor, shape (B, 1, Y, X)
        Place and direction.
    sigma : float
        Noise level.
    """
    try:
        with torch.inference_mode(False):
            here, along = x.clone(), direction.clone()
            found = torch.func.jvp(lambda at: denoise(at, sigma), (here,), (along,))
        return found[0], found[1]
    except (RuntimeError, NotImplementedError):
        here = denoise(x, sigma)
        stride = _STRIDE * sigma
        return here, (denoise(x + stride * direction, sigma) - here) / stride


def with_pull(
    denoise: Callable[..., Any], x: Tensor, sigma: float
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return D(x) and the map v -> J' v, J the derivative of D at x, by reverse mode.

    D is evaluated once, and each product costs one pass back through it. A callable that torch
    cannot differentiate is differenced: that gives J v, the same where D is a posterior mean,
    whose J is a covariance and so symmetric.

    Parameters
    ----------
    denoise : callable
        D(x, sigma) on torch (B, C, Y, X).
    x : Tensor, shape (B, C, Y, X)
        Place.
    sigma : float
        Noise level.
    """
    with torch.inference_mode(False), torch.enable_grad():
        here = x.clone().requires_grad_()
        try:
            found = denoise(here, sigma)
        except (RuntimeError, TypeError) as error:
            if "requires grad" not in str(error) and "requires_grad" not in str(error):
                raise
            found = None
    if found is not None and found.requires_grad:

        def pull(v: Tensor) -> Tensor:
            with torch.inference_mode(False):
                back: Tensor = torch.autograd.grad(found, here, v.clone(), retain_graph=True)[0]
            return back

        return found.detach(), pull
    clean = denoise(x, sigma)

    def differenced(v: Tensor) -> Tensor:
        size = v.flatten(1).square().mean(1).sqrt().view(-1, 1, 1, 1).clamp(min=1e-30)
        stride = _STRIDE * sigma
        slope: Tensor = (denoise(x + stride / size * v, sigma) - clean) * (size / stride)
        return slope

    return clean, differenced
