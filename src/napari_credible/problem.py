"""What is solved: y = H x + n, with its numbers on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from napari_credible.operators import Factors, Operator

# Data without noise are taken to have this share of the image's content where a method divides by
# it.
_LEAST = 1e-3
_POWER_STEPS = 20
# Data with more noise than so many ranges are as good as none.
_TELLING = 10.0


@dataclass(frozen=True, eq=False)
class Problem:
    """Data, how they came from the image, and their noise: independent, normal.

    Parameters
    ----------
    operator : Operator
        H.
    data : Tensor, shape (*data)
        y, in image units; whatever where it is not observed.
    deviation : Tensor, shape () or (*data)
        Standard deviation of the noise, at least 0.
    image_shape : tuple of int
        Of H's image: (Y, X), or (3, Y, X) where it has colours.
    low, high : float
        Between which most of the image lies: the scale of first guesses and of noise levels.
    bounds : (float, float)
        Beyond which no pixel of the image can lie.
    content : float, optional
        The scale of what is to be seen beside the brightest: below a share of it noise counts as
        none. A few stars widen the range, and faint nebulae stay faint. The range where not given.

    Notes
    -----
    States are (B, C, Y, X), C = 1 for an image without colours; data are (B, *data).
    """

    operator: Operator
    data: Tensor
    deviation: Tensor
    image_shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0
    bounds: tuple[float, float] = (-math.inf, math.inf)
    content: float | None = None

    @classmethod
    def of(
        cls,
        operator: Operator,
        data: Tensor,
        sigma: float | Tensor,
        low: float = 0.0,
        high: float = 1.0,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        content: float | None = None,
    ) -> Problem:
        """Return the problem of data (*data) with noise of a level or a map of levels."""
        level = torch.as_tensor(sigma, dtype=data.dtype, device=data.device)
        shape = operator.image_shape(tuple(data.shape))
        return cls(operator, data, level, tuple(shape), low, high, bounds, content)

    @property
    def span(self) -> float:
        """Range of the image."""
        return self.high - self.low

    @property
    def scale(self) -> float:
        """The scale of what is to be seen."""
        return self.span if self.content is None else self.content

    @cached_property
    def state_shape(self) -> tuple[int, ...]:
        """Shape (C, Y, X) of an image of the batch."""
        return (1, *self.image_shape) if len(self.image_shape) == 2 else self.image_shape

    @cached_property
    def observed(self) -> Tensor:
        """Which data count, boolean (*data)."""
        seen = self.operator.observed(tuple(self.data.shape))
        return torch.as_tensor(seen, device=self.data.device)

    @cached_property
    def y(self) -> Tensor:
        """The data with 0 where they do not count, shape (1, *data)."""
        return torch.where(self.observed, self.data, 0)[None]

    @cached_property
    def weight(self) -> Tensor:
        """Inverse variance of the noise, 0 where data do not count, shape (1, *data)."""
        least = _LEAST * self.scale * max(self.norm, 1e-30)
        inverse = self.deviation.clamp(min=least).square().reciprocal()
        return torch.where(self.observed, inverse, 0).expand(self.data.shape)[None]

    @cached_property
    def sigma(self) -> float | None:
        """The noise level where it is one for all data that count, else None."""
        seen = self.deviation.expand(self.data.shape)[self.observed]
        low, high = float(seen.min()), float(seen.max())
        return high if high - low <= 1e-6 * high else None

    @cached_property
    def level(self) -> float:
        """Root of the mean variance of the noise, of data that tell the image from its range."""
        seen = self.deviation.expand(self.data.shape)[self.observed].double()
        telling = seen[seen <= _TELLING * self.span * self.norm]
        return float((telling if telling.numel() else seen).square().mean().sqrt())

    @cached_property
    def norm(self) -> float:
        """Largest singular value of H, to a few percent: by power iterations."""
        rng = torch.Generator().manual_seed(0)
        x = torch.rand((1, *self.state_shape), generator=rng).to(self.data)
        size = torch.ones(())
        for _ in range(_POWER_STEPS):
            x = x / x.norm()
            x = self.adjoint(torch.where(self.observed, self.forward(x), 0))
            size = x.norm()
        return float(size.sqrt())

    @cached_property
    def factors(self) -> Factors | None:
        """U, S and V of H, where they are fast."""
        return self.operator.factors(self.image_shape, self.data)

    def forward(self, x: Tensor) -> Tensor:
        """Return H x, shape (B, *data)."""
        found: Tensor = self.operator(x if len(self.image_shape) == 3 else x[:, 0])
        return found

    def adjoint(self, y: Tensor) -> Tensor:
        """Return H' y, shape (B, C, Y, X)."""
        found: Tensor = self.operator.adjoint(y)
        return found if len(self.image_shape) == 3 else found[:, None]

    def gradient(self, x: Tensor) -> Tensor:
        """Return H' W (H x - y), W the inverse variances: of half the weighted misfit."""
        return self.adjoint(self.weight * (self.forward(x) - self.y))

    def misfit(self, x: Tensor) -> Tensor:
        """Return the mean of (y - H x)^2 / variance over the data that count, shape (B,)."""
        squares = (self.weight * (self.forward(x) - self.y).square()).flatten(1).sum(1)
        return squares / self.observed.sum()

    def to_spectral(self, x: Tensor) -> Tensor:
        """Return V' x, shape (B, n), of states (B, C, Y, X)."""
        assert self.factors is not None
        return self.factors.to_spectral(x if len(self.image_shape) == 3 else x[:, 0])

    def from_spectral(self, c: Tensor) -> Tensor:
        """Return V c, shape (B, C, Y, X)."""
        assert self.factors is not None
        return self.factors.from_spectral(c).reshape(len(c), *self.state_shape)

    def flat(self) -> Tensor:
        """Return an image of the middle of the range, shape (1, C, Y, X)."""
        middle = (self.low + self.high) / 2
        return self.data.new_full((1, *self.state_shape), middle)


def spectral(problem: Problem, method: str) -> tuple[Tensor, Tensor, float]:
    """Return singular values (n,), U' y (1, n) and the noise level, which some methods need.

    Raises
    ------
    ValueError
        Where H has no fast factors, or the noise differs between data.
    """
    factors = problem.factors
    if factors is None:
        raise ValueError(
            f"{method} needs the singular values of the operator, and {problem.operator} has no "
            "fast ones; use mmps"
        )
    if problem.sigma is None:
        raise ValueError(
            f"{method} takes one noise level for all data, and here it differs between them; "
            "use mmps, or give Gaussian(sigma)"
        )
    return factors.singular_values, factors.data_to_spectral(problem.y), problem.sigma
