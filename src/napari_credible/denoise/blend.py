"""What a network of few parameters leaves of its correction where there is hardly any noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# A grey level of 255: about what a small dictionary cannot represent of an image.
_START = 1 / 255


class LevelBlend(nn.Module):
    """Scale a correction by sigma^2 / (sigma^2 + e^2), with e learned.

    A sparse model represents an image only up to an error e. Where the noise is smaller than
    that, the image itself is the better estimate; these are the weights of least variance for
    two estimates with errors sigma and e.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_error = nn.Parameter(torch.tensor(math.log(_START)))

    def forward(self, correction: Tensor, sigma: Tensor) -> Tensor:
        """Scale ``correction`` (B, ...) at levels ``sigma`` (B,)."""
        power = sigma.square()
        share = power / (power + (2 * self.log_error).exp())
        return correction * share.view(-1, 1, 1, 1)
