"""Exact posteriors, and how many standard errors draws are away from them."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from napari_credible.denoise.oracles import GaussianPrior, MixturePrior, PowerLawPrior
from napari_credible.samplers import walk


@dataclass(frozen=True)
class Law:
    """Moments of each clean pixel given the noisy image, shape (1, Y, X)."""

    mean: Tensor
    variance: Tensor
    fourth: Tensor
    # What one draw in a mode that is hardly ever drawn adds to the second moment, times n.
    rare: Tensor | float = 0.0


@dataclass(frozen=True)
class Scene:
    """A prior, a noisy image drawn from it, and the law of what is clean."""

    prior: object
    y: Tensor = field(repr=False)
    sigma: float
    law: Law | None = field(repr=False)


def white(sigma, side=8):
    """Pixels that know nothing of each other."""
    prior = GaussianPrior(0.5, 1.0)
    y = noisy(0.5 + numbers(side, 1), sigma)
    mean = 0.5 + (y[0] - 0.5) / (1 + sigma**2)
    return Scene(prior, y, sigma, normal(mean, torch.full_like(mean, sigma**2 / (1 + sigma**2))))


def power_law(sigma, side=8):
    """Pixels that know of each other; the posterior from the covariance matrix itself."""
    prior = PowerLawPrior()
    y = noisy(prior.draw((side, side), torch.Generator().manual_seed(1)).double(), sigma)
    covariance = covariance_of(prior, side)
    gain = covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(side**2).double())
    variance = (covariance - gain @ covariance).diagonal()
    return Scene(
        prior, y, sigma,
        normal((gain @ y.flatten()).view(1, side, side), variance.view(1, side, side)),
    )  # fmt: skip


def mixture(sigma, side=8, prior=None):
    """Pixels that are dark or bright."""
    prior = prior or MixturePrior()
    y = noisy(drawn(prior, (1, 1, side, side)), sigma)
    return Scene(prior, y, sigma, summed(prior, y, sigma) if side < 32 else None)


def summed(prior, y, sigma):
    """Moments by summing over a fine grid of clean values."""
    grid = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    density = sum(
        w * normal_density(grid, m, s)
        for w, m, s in zip(prior.weights, prior.means, prior.stds, strict=True)
    )
    chance = density * normal_density(y[0, ..., None], grid, sigma)
    chance /= chance.sum(-1, keepdim=True)
    mean = (chance * grid).sum(-1)
    away = grid - mean[..., None]
    variance, fourth = ((chance * away**power).sum(-1) for power in (2, 4))
    middle = (max(prior.means) + min(prior.means)) / 2
    beyond = (chance * ((grid > middle) != (mean[..., None] > middle))).sum(-1)
    apart = max(prior.means) - min(prior.means)
    return Law(mean, variance, fourth, apart**2 * (beyond > 1e-7))


SCENES = {"white": white, "power law": power_law, "mixture": mixture}


def numbers(side, seed):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn((1, 1, side, side), generator=rng, dtype=torch.float64)


def noisy(clean, sigma):
    return clean + sigma * numbers(clean.shape[-1], 2)


def normal(mean, variance):
    return Law(mean, variance, 3 * variance**2)


def normal_density(x, mean, std):
    return torch.exp(-((x - mean) ** 2) / (2 * std**2)) / std


def drawn(prior, shape, seed=1):
    """Clean pixels of a mixture."""
    rng = np.random.default_rng(seed)
    which = rng.choice(len(prior.weights), shape, p=prior.weights)
    values = np.take(prior.means, which) + np.take(prior.stds, which) * rng.normal(size=shape)
    return torch.from_numpy(values)


def covariance_of(prior, side):
    """The covariance matrix of a periodic field, from its spectrum."""
    row = torch.fft.ifft2(prior.power(torch.zeros(side, side, dtype=torch.float64))).real
    place = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    apart = (place[:, None] - place[None]) % side
    return row[apart[..., 0], apart[..., 1]]


def draws(sampler, scene, n_draws, seed=0, start=None):
    """Draws (n, 1, Y, X); a walk of its own from the noisy image."""
    rng = torch.Generator().manual_seed(seed)
    y = scene.y if start is None else start

    def noise():
        return torch.randn((n_draws, *y.shape[1:]), generator=rng, dtype=y.dtype)

    *_, last = walk(sampler, scene.prior, y, scene.sigma, noise, n_draws)
    return last.clean


def errors(found, law):
    """Standard errors by which mean and variance of the draws are off, shape (2, 1, Y, X)."""
    n = len(found)
    off_mean = (found.mean(0) - law.mean).abs() / (law.variance / n).sqrt()
    off = ((found.var(0) - law.variance).abs() - law.rare / n).clamp(min=0)
    return torch.stack([off_mean, off / ((law.fourth - law.variance**2) / n).sqrt()])


def worst(found, law):
    """The largest error over the pixels, in units of the bar: below 1 where the draws pass.

    The bar is 4 standard errors for one number, and for many what they all stay under as often.
    """
    off = errors(found, law)
    return float(off.max() / norm.isf(norm.sf(4) / off.numel()))


def pooled(found, law):
    """Spread of the draws over that of the law, all pixels together, less 1."""
    return math.sqrt(float(found.var(0).mean() / law.variance.mean())) - 1
