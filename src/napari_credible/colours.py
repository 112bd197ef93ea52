"""A denoiser of single planes for images of three colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Denoise = Callable[..., Any]

# Rows: brightness, red against blue, green against both. Orthonormal, so white noise stays white.
_OPPONENT = (
    (1 / math.sqrt(3),) * 3,
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)


def opponent_ranges(low: float, high: float) -> list[tuple[float, float]]:
    """Return between which values each opponent colour lies, for colours from low to high."""
    return [
        tuple(sorted((sum(w * (low if w > 0 else high) for w in row),
                      sum(w * (high if w > 0 else low) for w in row))))  # type: ignore[misc]
        for row in _OPPONENT
    ]  # fmt: skip


class Opponent:
    """D of red, green and blue, by one D for each of three opponent colours.

    Brightness and two differences of colours depend on each other far less than the colours do,
    and a difference is a picture like any other, with less in it.

    Parameters
    ----------
    denoisers : sequence of 3 callables
        D(x, sigma) on (B, 1, Y, X), each for the range of its colour.
    """

    def __init__(self, denoisers: Sequence[Denoise]) -> None:
        self.denoisers = tuple(denoisers)

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise ``x`` (B, 3, Y, X) at one level for all colours."""
        turn = x.new_tensor(_OPPONENT)
        opponent = torch.einsum("ij,bjyx->biyx", turn, x)
        planes = [d(opponent[:, k : k + 1], sigma) for k, d in enumerate(self.denoisers)]
        return torch.einsum("ij,biyx->bjyx", turn, torch.cat(planes, 1))
