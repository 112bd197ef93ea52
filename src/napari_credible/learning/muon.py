"""Muon: momentum whose singular values are all made alike, for the filters of convolutions.

The gradient of a layer, as a matrix (outputs, inputs x places), has few large and many small
singular values. Setting all of them to one lets rare directions move as far as frequent ones.

References
----------
.. [1] K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
.. [2] J. Liu et al., "Muon is scalable for LLM training" (2025): weight decay, and steps as large
   as those of AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
# Without it filters grow throughout a long training, at the cost of the high noise levels.
_WEIGHT_DECAY = 0.1
# Root mean square of AdamW's steps as a share of the rate, so that one rate serves both.
_USUAL_STEP = 0.2
# The quintic that brings singular values in (0, 1] near one when applied again and again, of [1].
_QUINTIC, _TIMES = (3.4445, -4.7750, 2.0315), 5


class Muon(torch.optim.Optimizer):
    """Descend along the momentum of each filter bank, with all its singular values near one.

    Parameters
    ----------
    filters : iterable of Parameter, shape (outputs, inputs, ...)
        Of layers between the first and the last.
    rate : float
        Of learning, on the scale of AdamW's.
    """

    def __init__(self, filters: Iterable[nn.Parameter], rate: float) -> None:
        super().__init__(filters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; ``closure``, where given, computes the loss anew and returns it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for filters in group["params"]:
                self._descend(filters, group["lr"])
        return loss

    def _descend(self, filters: Tensor, rate: float) -> None:
        gradient, state = filters.grad, self.state[filters]
        if gradient is None:
            return
        momentum = state.setdefault("momentum", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        ahead = gradient.lerp(momentum, _MOMENTUM).flatten(1)
        step = _USUAL_STEP * math.sqrt(max(ahead.shape)) * orthogonal(ahead)
        filters.mul_(1 - rate * _WEIGHT_DECAY).sub_(rate * step.view_as(gradient))


def orthogonal(matrix: Tensor) -> Tensor:
    """Return U V' of a matrix U S V', nearly: singular values between 0.65 and 1.25.

    Parameters
    ----------
    matrix : Tensor, shape (rows, columns)
        Of any scale. Singular values below 0.002 of its Frobenius norm end lower.
    """
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    # Rough singular values will do, so eight bits will.
    x = (wide / wide.norm().clamp_min(1e-7)).bfloat16()
    a, b, c = _QUINTIC
    for _ in range(_TIMES):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = (x if wide is matrix else x.T).to(matrix.dtype)
    return found
