"""Denoisers that are exactly E[x | y], for priors whose answer is known: the tests' truth.

Both act on each pixel alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_credible.denoise.protocol import levels


@dataclass(frozen=True)
class GaussianPrior:
    """Pixels drawn from N(mean, std^2): the posterior is Gaussian.

    Parameters
    ----------
    mean, std : float
        Of the prior; units of the image.
    """

    mean: float = 0.0
    std: float = 1.0

    reach = 0
    stride = 1

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return mean + (x - mean) std^2 / (std^2 + sigma^2)."""
        level = levels(x, sigma).view(-1, 1, 1, 1)
        return self.mean + (x - self.mean) * self.std**2 / (self.std**2 + level**2)

    def posterior_std(self, sigma: float) -> float:
        """Return the standard deviation of a clean pixel given its noisy value."""
        return self.std * sigma / math.hypot(self.std, sigma)


@dataclass(frozen=True)
class MixturePrior:
    """Pixels drawn from a mixture of Gaussians.

    Parameters
    ----------
    weights, means, stds : tuple of float, equal lengths
        Of the components; the weights add to 1.
    """

    weights: tuple[float, ...] = (0.5, 0.5)
    means: tuple[float, ...] = (-1.0, 1.0)
    stds: tuple[float, ...] = (0.3, 0.3)

    reach = 0
    stride = 1

    def __post_init__(self) -> None:
        lengths = {len(self.weights), len(self.means), len(self.stds)}
        if len(lengths) != 1 or abs(sum(self.weights) - 1) > 1e-9 or min(self.stds) < 0:
            raise ValueError(
                f"a mixture takes as many weights as means and stds, adding to 1; found {self}"
            )

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Average the components' posterior means by their probabilities given ``x``."""
        share, centre, _ = self._posterior(x, sigma)
        return (share * centre).sum(-1)

    def posterior_variance(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return the variance of a clean pixel given its noisy value, shape of ``x``."""
        share, centre, variance = self._posterior(x, sigma)
        second = (share * (variance + centre.square())).sum(-1)
        return second - (share * centre).sum(-1).square()

    def _posterior(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        level = levels(x, sigma).view(-1, 1, 1, 1, 1)
        weights, means, stds = (
            torch.tensor(v, dtype=x.dtype, device=x.device)
            for v in (self.weights, self.means, self.stds)
        )
        total = stds**2 + level**2
        away = x[..., None] - means
        share = torch.softmax(weights.log() - total.log() / 2 - away.square() / (2 * total), -1)
        return share, means + away * stds**2 / total, stds**2 * level**2 / total
