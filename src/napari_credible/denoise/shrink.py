"""Soft thresholding, the proximal step of the l1 norm, with a lean gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def shrink(codes: Tensor, threshold: Tensor) -> Tensor:
    """Move ``codes`` towards zero by ``threshold``, and no further.

    Parameters
    ----------
    codes : Tensor
        Of any shape.
    threshold : Tensor
        At least 0, of a shape that broadcasts to that of ``codes``.
    """
    if torch.is_grad_enabled() and (codes.requires_grad or threshold.requires_grad):
        shrunk: Tensor = _Shrink.apply(codes, threshold)  # type: ignore[no-untyped-call]
        return shrunk
    return codes - codes.clamp(min=-threshold, max=threshold)


class _Shrink(torch.autograd.Function):
    """Keeps its outcome alone: an unfolded network holds one tensor a step, not five."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, threshold: Tensor) -> Tensor:
        shrunk = codes - codes.clamp(min=-threshold, max=threshold)
        ctx.save_for_backward(shrunk)
        ctx.shape = threshold.shape
        return shrunk

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        sign = ctx.saved_tensors[0].sign()
        pulled = gradient * sign
        return pulled * sign, -pulled.sum_to_size(ctx.shape)
