r"""A network behind a learned curve of intensities, monotone, and before its inverse.

A denoiser of Gaussian noise serves any noise whose variance depends on the intensity alone, once
an increasing curve f makes the variance constant: the estimate is
:math:`a f^{-1}(D(f(x))) + b`. The curve is a chain of straight pieces, so its inverse is exact; a
and b undo what bias the inverse of a mean brings [1]_.

References
----------
.. [1] S. Herbreteau, M. Unser, "Noise2VST: self-supervised image denoising by learning a
   variance-stabilizing transformation", ICCV (2025).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

# Of the image's range: the curve bends only between these, and is straight outside.
_FROM, _TO = -0.1, 1.1


@dataclass(frozen=True)
class StabilisedShape:
    """A network's shape, and the number of knots before it.

    Parameters
    ----------
    inner : dict
        Shape of the network, as plain values with its ``kind``.
    knots : int
        Of the curve.
    kind : str
        The architecture's name.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    inner: dict[str, Any] = field(default_factory=dict)
    knots: int = 64
    kind: Literal["stabilised"] = "stabilised"

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as plain JSON values."""
        return {"kind": self.kind, "inner": dict(self.inner), "knots": self.knots}


class Curve(nn.Module):
    """An increasing chain of straight pieces; the identity at first.

    Parameters
    ----------
    knots : int
        At least 3, equally spaced from -0.1 to 1.1.
    """

    def __init__(self, knots: int) -> None:
        super().__init__()
        step = (_TO - _FROM) / (knots - 1)
        self.start = nn.Parameter(torch.zeros(1))  # above the identity, at the first knot
        # Slopes as powers of e are above 0 whatever is learned.
        self.slopes = nn.Parameter(torch.zeros(knots - 1))
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        place = ((x - _FROM) / self.step).floor().clamp(0, len(self.slopes) - 1).long()
        left = _FROM + place.to(x.dtype) * self.step
        return self._heights()[place] + self._slope(place) * (x - left)

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x at which f is y."""
        heights = self._heights()
        place = torch.searchsorted(heights.detach(), y.detach().contiguous(), right=True) - 1
        place = place.clamp(0, len(self.slopes) - 1)
        left = _FROM + place.to(y.dtype) * self.step
        return left + (y - heights[place]) / self._slope(place)

    def _slope(self, place: Tensor) -> Tensor:
        return self.slopes.exp()[place]

    def _heights(self) -> Tensor:
        """Return f at the left end of each piece."""
        rises = self.slopes.exp() * self.step
        return self.start + _FROM + torch.cat([rises.new_zeros(1), rises.cumsum(0)[:-1]])


class StabilisedNet(nn.Module):
    """Predicts x - a f^-1(D(f(x))) - b; only f, a and b learn.

    Parameters
    ----------
    inner : nn.Module
        Predicts noise, as D(x, sigma) = x - inner(x, sigma); it stays as it is.
    knots : int
        Of the curve.
    """

    takes_maps = False

    def __init__(self, inner: Any, knots: int = 64) -> None:
        super().__init__()
        self.inner, self.curve = inner, Curve(knots)
        self.scale, self.shift = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
        plain = {"kind": getattr(inner.shape, "kind", "unet"), **inner.shape.to_dict()}
        self.shape = StabilisedShape(plain, knots)
        self.inner.requires_grad_(False)

    @property
    def stride(self) -> int:
        """That of the network."""
        return int(self.inner.stride)

    @property
    def reach(self) -> int:
        """That of the network: the curve acts pixel by pixel."""
        return int(self.inner.reach)

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel; the curve's share is small."""
        return int(self.inner.bytes_per_pixel) + 40

    def requires_grad_(self, requires_grad: bool = True) -> StabilisedNet:
        """Let the curve learn, never the network."""
        super().requires_grad_(requires_grad)
        self.inner.requires_grad_(False)
        return self

    def train(self, mode: bool = True) -> StabilisedNet:
        """Leave the network in evaluation mode."""
        super().train(mode)
        self.inner.eval()
        return self

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Predict what the estimate takes from ``x`` (B, 1, Y, X) at levels ``sigma`` (B,)."""
        stable = self.curve(x)
        clean = stable - self.inner(stable, sigma).float()
        return x - self.scale * self.curve.inverse(clean) - self.shift
