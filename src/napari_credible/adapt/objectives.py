"""What is minimised: the squared error, where it is known, or an unbiased estimate of it.

An objective is called with ``predict(x, sigma)``, the network that learns, and a generator; images
have the units of the network. All estimates share one fact: for a target whose noise is zero on
average given what the network sees, the expected squared distance is the expected squared error
plus a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional as F

from napari_credible.adapt.scene import Crops
from napari_credible.learning.descent import weight_of

Predict = Callable[[Tensor, Tensor], Tensor]
# Lowest of the lower levels, as a share of the image's.
_LOWEST = 1 / 30
# The exact mean of 2 sqrt(k + 3/8), squared, lies this far from 4 times the photons (Makitalo,
# Foi 2011: the asymptotic inverse).
_ASYMPTOTE = 1 / 8
# Photoelectrons that a pixel is taken to have at least where its error is weighted.
_LEAST = 0.5


class Objective(Protocol):
    """A loss on crops drawn from ``rng``."""

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return the loss of ``predict``."""
        ...


@dataclass(frozen=True, eq=False)
class Clean:
    """|D(x + sigma z) - x|^2 on clean crops x.

    Attributes
    ----------
    crops : Crops
        Of layers (3, Y, X): clean image, noise level and weight.
    lower : float
        Share of the crops at lower levels.
    """

    crops: Crops
    lower: float = 0.0

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return the error of fresh noise."""
        clean, sigma, weight = self.crops.draw(rng)
        sigma = sigma * _levels(rng, len(clean), self.lower)
        noisy = clean + sigma * _normal(rng, clean)
        return _mean((predict(noisy, sigma) - clean).square(), weight, sigma)


@dataclass(frozen=True, eq=False)
class Stein:
    """|D(y) - y|^2 + 2 sigma^2 div D, the error up to a constant.

    Attributes
    ----------
    crops : Crops
        Of layers (3, Y, X): noisy image, noise level and weight.
    stride : float
        Of the difference, in noise levels.
    """

    crops: Crops
    stride: float

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return Stein's estimate, the divergence from one probe of signs."""
        noisy, sigma, weight = self.crops.draw(rng)
        signs = torch.from_numpy(2 * rng.integers(0, 2, noisy.shape).astype(np.float32) - 1)
        step = self.stride * sigma
        # One call, so that whatever rounds the two rounds them alike.
        both = predict(torch.cat([noisy, noisy + step * signs]), torch.cat([sigma, sigma]))
        here, there = both.chunk(2)
        slope = signs * (there - here) / step
        return _mean((here - noisy).square() + 2 * sigma.square() * slope, weight, sigma)


@dataclass(frozen=True, eq=False)
class Recorrupted:
    """|D(y + a sigma z) - (y - sigma z / a)|^2: the noises of the two are independent.

    Attributes
    ----------
    crops : Crops
        Of layers (3, Y, X): noisy image, noise level and weight.
    strength : float
        a.
    """

    crops: Crops
    strength: float

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return the distance of the two."""
        noisy, sigma, weight = self.crops.draw(rng)
        seen, target = recorrupted(noisy, sigma, self.strength, rng)
        found = predict(seen, sigma * math.hypot(1, self.strength))
        return _mean((found - target).square(), weight, sigma)


@dataclass(frozen=True, eq=False)
class Hidden:
    """|D(y without some pixels) - y|^2 at these pixels.

    Attributes
    ----------
    crops : Crops
        Of layers (3, Y, X): noisy image, noise level and weight.
    spacing : int
        Between hidden pixels.
    """

    crops: Crops
    spacing: int

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return the error of hidden pixels on a lattice at a random place."""
        noisy, sigma, weight = self.crops.draw(rng)
        hidden = lattice(noisy.shape, self.spacing, rng)
        found = predict(without(noisy, hidden), sigma)
        return _mean((found - noisy).square(), weight * hidden, sigma)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """|D(y) - y'|^2 for two noisy images of one scene.

    Attributes
    ----------
    crops : Crops
        Of layers (4, Y, X): the two, their noise level and weight.
    """

    crops: Crops

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return the distance of one, denoised, from the other."""
        seen, target, sigma, weight = self.crops.draw(rng)
        if rng.random() < 0.5:
            seen, target = target, seen
        return _mean((predict(seen, sigma) - target).square(), weight, sigma)


@dataclass(frozen=True, eq=False)
class Thinned:
    """|photons of D(part of the photons) - the other part|^2 / photons.

    Attributes
    ----------
    crops : Crops
        Of layers (5, Y, X): photon counts, low and span of the stabilised image, noise level of
        the stabilised part, and weight.
    share : float
        Of the photons that D sees.
    """

    crops: Crops
    share: float

    def __call__(self, predict: Predict, rng: Generator) -> Tensor:
        """Return the distance of the expected from the other photons."""
        counts, low, span, level, weight = self.crops.draw(rng)
        seen, rest = thinned(counts, self.share, rng)
        stabilised = 2 * (seen + 3 / 8).sqrt()
        found = low + span * predict((stabilised - low) / span, level / span)
        expected = (found.square() / 4 - _ASYMPTOTE) * (1 - self.share) / self.share
        error = (expected - rest).square() / (expected.detach() + _LEAST).clamp_min(_LEAST)
        return (weight * error).sum() / weight.sum().clamp_min(1)


def recorrupted(
    noisy: Tensor, sigma: Tensor | float, strength: float, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Return y + a sigma z and y - sigma z / a, whose noises are uncorrelated, z fresh."""
    fresh = sigma * _normal(rng, noisy)
    return noisy + strength * fresh, noisy - fresh / strength


def thinned(counts: Tensor, share: float, rng: Generator) -> tuple[Tensor, Tensor]:
    """Deal photons at random into two parts: Poisson counts give independent Poisson counts."""
    whole = counts.round().clamp_min(0)
    seen = torch.from_numpy(rng.binomial(whole.numpy().astype(np.int64), share)).to(counts.dtype)
    return seen, whole - seen


def lattice(shape: tuple[int, ...], spacing: int, rng: Generator) -> Tensor:
    """Return 1 at every ``spacing``-th pixel of every ``spacing``-th row from a random place on."""
    hidden = torch.zeros(shape[-2:])
    y, x = rng.integers(spacing, size=2)
    hidden[int(y) :: spacing, int(x) :: spacing] = 1
    return hidden


def without(noisy: Tensor, hidden: Tensor) -> Tensor:
    """Put the mean of its four neighbours in place of each hidden pixel."""
    padded = F.pad(noisy, (1, 1, 1, 1), mode="reflect")
    up, down = padded[..., :-2, 1:-1], padded[..., 2:, 1:-1]
    left, right = padded[..., 1:-1, :-2], padded[..., 1:-1, 2:]
    return torch.where(hidden > 0, (up + down + left + right) / 4, noisy)


def _mean(error: Tensor, weight: Tensor, sigma: Tensor) -> Tensor:
    usual = sigma.square().mean((1, 2, 3), keepdim=True).sqrt()
    scaled = weight_of(usual) * error * weight
    return scaled.sum() / weight.expand_as(error).sum().clamp_min(1)


def _levels(rng: Generator, count: int, lower: float) -> Tensor:
    """Return factors on the noise level: 1, and lower ones, log-uniform, for a share."""
    factors = np.exp(rng.uniform(np.log(_LOWEST), 0, count))
    chosen = np.where(rng.random(count) < lower, factors, 1).astype(np.float32)
    return torch.from_numpy(chosen).view(-1, 1, 1, 1)


def _normal(rng: Generator, like: Tensor) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(like.shape), dtype=np.float32))
