"""Batch normalisation and rectification of matrices, in few passes over memory.

torch's own batch normalisation wants the values of a matrix together, and so a copy of the whole;
written as sums and products, its gradient takes a dozen passes over tensors that no cache holds.
Here every pass goes in pieces that a cache does hold.

References
----------
.. [1] S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
   internal covariate shift", ICML (2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.02
_EPSILON = 1e-5
# Values in a piece: 1 MiB of float32.
_PIECE = 1 << 18


class NormRelu(nn.Module):
    """relu(scale (z - mean) / sqrt(variance) + shift), each of m n values over all places.

    Parameters
    ----------
    m, n : int
        Sides of the matrices ``z`` (m, places, n).

    Notes
    -----
    In training mode the mean and the variance are those of ``z``, and a running average of them
    is kept, which serves in evaluation mode. Where no gradient is kept, ``z`` is overwritten.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, m: int, n: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(m, 1, n))
        self.shift = nn.Parameter(torch.zeros(m, 1, n))
        self.register_buffer("mean", torch.zeros(m, 1, n))
        self.register_buffer("variance", torch.ones(m, 1, n))

    def forward(self, z: Tensor) -> Tensor:
        """Return the normalised and rectified ``z``, of its shape."""
        mean, variance = self.mean, self.variance
        if self.training:
            mean, variance = _moments(z.detach())
            self.mean.lerp_(mean, _MOMENTUM)
            self.variance.lerp_(variance, _MOMENTUM)
        inverse = torch.rsqrt(variance + _EPSILON)
        if not torch.is_grad_enabled():
            return _rectified(z, self.scale * inverse, self.shift - mean * self.scale * inverse, z)
        found: Tensor = _NormRelu.apply(  # type: ignore[no-untyped-call]
            z, self.scale, self.shift, mean, inverse, self.training
        )
        return found


class _NormRelu(torch.autograd.Function):
    """The pass with a gradient; keeps ``z`` and the outcome, and recomputes the rest."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, inverse: Tensor, own: bool
    ) -> Tensor:
        gain = scale * inverse
        out = _rectified(z, gain, shift - mean * gain, torch.empty_like(z))
        ctx.save_for_backward(z, out, scale, mean, inverse)
        ctx.own = own  # whether mean and inverse are those of z itself
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        z, out, scale, mean, inverse = ctx.saved_tensors
        passed = torch.empty_like(z)
        total, product = torch.zeros_like(scale), torch.zeros_like(scale)
        for i, places in _pieces(z):
            piece = passed[i, places]
            torch.mul(gradient[i, places], out[i, places].sign(), out=piece)
            total[i] += piece.sum(0)
            product[i] += (piece * z[i, places]).sum(0)
        along = (product - mean * total) * inverse  # gradient of the scale
        # d z = scale / std (g - mean(g) - z' mean(g z')), z' the normalised z
        gain = scale * inverse
        slope = -gain * inverse * along / z.shape[1] * ctx.own
        level = -gain * total / z.shape[1] * ctx.own - slope * mean
        for i, places in _pieces(z):
            passed[i, places].mul_(gain[i]).addcmul_(z[i, places], slope[i]).add_(level[i])
        return passed, along, total, None, None, None


def _moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance over the places, both (m, 1, n)."""
    total, squares = z.new_zeros(2, len(z), 1, z.shape[-1])
    for i, places in _pieces(z):
        piece = z[i, places]
        total[i] += piece.sum(0)
        squares[i] += (piece * piece).sum(0)
    mean = total / z.shape[1]
    return mean, (squares / z.shape[1] - mean.square()).clamp_min_(0)


def _rectified(z: Tensor, gain: Tensor, offset: Tensor, out: Tensor) -> Tensor:
    """Write relu(gain z + offset) into ``out``, which may be ``z``."""
    for i, places in _pieces(z):
        torch.addcmul(offset[i], z[i, places], gain[i], out=out[i, places])
        out[i, places].clamp_min_(0)
    return out


def _pieces(z: Tensor) -> Iterator[tuple[int, slice]]:
    """Yield the row and the places of each piece of ``z`` (m, places, n)."""
    step = max(1, _PIECE // z.shape[-1])
    for i in range(len(z)):
        for start in range(0, z.shape[1], step):
            yield i, slice(start, start + step)
