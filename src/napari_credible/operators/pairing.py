"""Derivatives of a linear map that comes with its adjoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def paired(x: Tensor, forward: Map, backward: Map) -> Tensor:
    """Return ``forward(x)``, differentiable in x by ``backward``, its adjoint, and so on.

    For maps that automatic differentiation cannot see into: code of numpy, of a camera's
    maker, or kernels without second derivatives. Batches lead in both.
    """
    found: Tensor = _Paired.apply(x, forward, backward)  # type: ignore[no-untyped-call]
    return found


class _Paired(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, there: Map, back: Map) -> Tensor:
        return there(x.detach())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.maps = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        there, back = ctx.maps
        return paired(grads[0], back, there), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return paired(tangents[0], *ctx.maps)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, there: Map, back: Map) -> tuple[Tensor, int]:
        if in_dims[0] is not None:
            x = x.movedim(in_dims[0], 0)
        return paired(x, there, back), 0 if in_dims[0] is not None else None  # type: ignore[return-value]
