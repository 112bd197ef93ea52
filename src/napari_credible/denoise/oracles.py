"""Denoisers that are exactly E[x | y], for priors whose answer is known: the tests' truth.

The first and the last act on each pixel alone, the second on each frequency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_credible.denoise.protocol import level_map, levels


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
    takes_maps = True

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return mean + (x - mean) std^2 / (std^2 + sigma^2)."""
        level = level_map(x, sigma)
        return self.mean + (x - self.mean) * self.std**2 / (self.std**2 + level**2)

    def posterior_std(self, sigma: float) -> float:
        """Return the standard deviation of a clean pixel given its noisy value."""
        return self.std * sigma / math.hypot(self.std, sigma)


@dataclass(frozen=True)
class PowerLawPrior:
    """Periodic Gaussian fields whose power falls with frequency: pixels depend on each other.

    Parameters
    ----------
    std : float
        Of a pixel; units of the image.
    exponent : float
        Power is proportional to 1 / (1 + (f / f0)^exponent), f0 one cycle in 16 pixels.
    """

    std: float = 1.0
    exponent: float = 3.0

    whole = True

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return Wiener's filter of ``x``."""
        level = levels(x, sigma).view(-1, 1, 1, 1)
        power = self.power(x)
        found: Tensor = torch.fft.ifft2(torch.fft.fft2(x) * (power / (power + level**2))).real
        return found

    def power(self, like: Tensor) -> Tensor:
        """Return the variance of each frequency (orthonormal transform), shape (Y, X)."""
        rows, columns = (
            torch.fft.fftfreq(n, dtype=like.dtype, device=like.device) for n in like.shape[-2:]
        )
        frequency = torch.sqrt(rows[:, None].square() + columns.square())
        power = 1 / (1 + (16 * frequency) ** self.exponent)
        return self.std**2 * power / power.mean()

    def draw(self, shape: tuple[int, int], rng: torch.Generator) -> Tensor:
        """Return a clean image, shape (1, 1, Y, X)."""
        white = torch.randn((1, 1, *shape), generator=rng)
        drawn: Tensor = torch.fft.ifft2(torch.fft.fft2(white) * self.power(white).sqrt()).real
        return drawn

    def posterior_std(self, like: Tensor, sigma: float) -> float:
        """Return the standard deviation of a clean pixel given the noisy image."""
        power = self.power(like)
        return float((power * sigma**2 / (power + sigma**2)).mean().sqrt())


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
    takes_maps = True

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
        level = level_map(x, sigma)[..., None]
        weights, means, stds = (
            torch.tensor(v, dtype=x.dtype, device=x.device)
            for v in (self.weights, self.means, self.stds)
        )
        total = stds**2 + level**2
        away = x[..., None] - means
        share = torch.softmax(weights.log() - total.log() / 2 - away.square() / (2 * total), -1)
        return share, means + away * stds**2 / total, stds**2 * level**2 / total
