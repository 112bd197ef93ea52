"""The derivative of a denoiser: along a direction, and its transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    import torch

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
    stride = _STRIDE * (float(sigma.mean()) if isinstance(sigma, torch.Tensor) else sigma)
    return here, (denoise(x + stride * direction, sigma) - here) / stride


def with_both_slopes(
    denoise: Callable[..., Any], x: Tensor, sigma: float
) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor | None]]]:
    """Return D(x) and the map v -> (J v, J' v), J the derivative of D at x.

    Where D is a posterior mean J is a covariance (over sigma^2), so both are the same; of a
    learned D they are not quite. J' v is a pass back through D, J v a difference between x and
    x + 0.02 sigma v / rms(v), one evaluation. J' v is None for a callable through which torch
    cannot pass back.

    Parameters
    ----------
    denoise : callable
        D(x, sigma) on torch (B, C, Y, X).
    x : Tensor, shape (B, C, Y, X)
        Place.
    sigma : float
        Noise level.
    """
    found, here = _recorded(denoise, x, sigma)
    clean = denoise(x, sigma) if found is None else found.detach()

    def products(v: Tensor) -> tuple[Tensor, Tensor | None]:
        size = v.flatten(1).square().mean(1).sqrt().view(-1, 1, 1, 1).clamp(min=1e-30)
        stride = _STRIDE * sigma
        forward: Tensor = (denoise(x + stride / size * v, sigma) - clean) * (size / stride)
        if found is None:
            return forward, None
        import torch

        with torch.inference_mode(False):
            (back,) = torch.autograd.grad(found, here, v.clone(), retain_graph=True)
        return forward, back

    return clean, products


def _recorded(denoise: Callable[..., Any], x: Tensor, sigma: float) -> tuple[Tensor | None, Tensor]:
    """Return D(x), with what it takes to pass back through it, and x; None where torch cannot."""
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        here = x.clone().requires_grad_()
        try:
            found = denoise(here, sigma)
        except RuntimeError as error:
            # What numpy is called by a tensor that is being recorded.
            if "requires grad" not in str(error):
                raise
            return None, here
    return (found if found.requires_grad else None), here
