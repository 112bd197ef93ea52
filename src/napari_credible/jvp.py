"""The derivative of a denoiser along a direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Of the noise level: small against it, large against what float32 rounds off.
_STRIDE = 0.02


def with_slope(
    denoise: Callable[..., Any], x: Tensor, sigma: float | Tensor, direction: Tensor
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
    sigma : float or Tensor, shape (1, 1, Y, X)
        Noise level.
    """
    try:
        with torch.inference_mode(False):
            here, along = x.clone(), direction.clone()
            found = torch.func.jvp(lambda at: denoise(at, sigma), (here,), (along,))
        # A callable that leaves torch's sight, by detach(), seems not to move at all.
        if bool(found[1].any()):
            return found[0], found[1]
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError):
        pass
    here = denoise(x, sigma)
    stride = _STRIDE * (float(sigma.mean()) if isinstance(sigma, Tensor) else sigma)
    return here, (denoise(x + stride * direction, sigma) - here) / stride
