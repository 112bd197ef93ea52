"""Find the levels and weights of the corrected sampler: ``python scripts/steps.py 12``.

A step goes from level s to s' with r = (s'/s)^2. The predictor has the exact mean of the
transition, (1 - r) d + r x, and the noise a z, a = s' sqrt(1 - r), that any prior needs. What is
missing is the posterior covariance of the clean image, (1 - r)^2 s^2 J. The next evaluation
d' = D(x_p, s') answers the noise with d' - d = J' a z, of mean zero for every prior (the
denoised image is a martingale of the diffusion), so g (d' - d) adds the covariance without an
evaluation of its own, and h (d' - d) moves d' along.

Levels, g and h are chosen so that the spread of the draws is right on every Gaussian prior
between 1/20 and 20 noise levels wide (exact, by recursion) and as right as can be on mixtures
of two Gaussians (by simulation, fresh noise in each step). The mean is right in any case.
"""

import math
import sys
from collections.abc import Callable

import torch
from torch import Tensor

from napari_credible.denoise.oracles import MixturePrior

WIDTHS = torch.logspace(math.log10(0.05), math.log10(20), 60, dtype=torch.float64)
# Apart, overlapping, unequal, and two widths in one place.
MIXTURES = (
    MixturePrior((0.5, 0.5), (-1.0, 1.0), (0.2, 0.2)),
    MixturePrior((0.5, 0.5), (-1.0, 1.0), (0.5, 0.5)),
    MixturePrior((0.25, 0.75), (-1.2, 0.4), (0.15, 0.35)),
    MixturePrior((0.7, 0.3), (0.0, 0.0), (0.15, 1.2)),
)
NOISES = (0.15, 0.35, 0.6, 1.0, 2.0)
PLACES, DRAWS = 24, 1000


def unpacked(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return levels (first 1), g and h from 3 (count - 1) free numbers."""
    falls, g, h = numbers.view(3, -1)
    levels = torch.exp(-torch.cat([falls.new_zeros(1), falls.exp().cumsum(0)]))
    return levels, g, h


def gaussian_spread(levels: Tensor, g: Tensor, h: Tensor) -> Tensor:
    """Return std of the draws / true posterior std, for each prior width: exact."""
    x = d = torch.zeros(len(WIDTHS), len(g), dtype=torch.float64)
    basis = torch.eye(len(g), dtype=torch.float64)
    for k in range(len(g)):
        answer = WIDTHS**2 / (WIDTHS**2 + levels[k + 1] ** 2)
        x, d = stepped(x, d, basis[k], lambda p, j=answer: j[:, None] * p, (levels, g, h), k)
    return (d.square().sum(1) * (1 + 1 / WIDTHS**2)).sqrt()


def stepped(
    x: Tensor, d: Tensor, noise: Tensor, denoise: Callable[[Tensor], Tensor],
    weights: tuple[Tensor, Tensor, Tensor], k: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the state after step ``k``."""
    levels, g, h = weights
    r = (levels[k + 1] / levels[k]) ** 2
    predicted = (1 - r) * d + r * x + levels[k + 1] * (1 - r).sqrt() * noise
    answer = denoise(predicted)
    return predicted + g[k] * (answer - d), answer + h[k] * (answer - d)


def mixture_error(
    prior: MixturePrior, sigma: float, numbers: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return spread error and mean error, pooled over noisy values drawn from the prior."""
    levels, g, h = unpacked(numbers)
    y, weight = noisy_values(prior, sigma)
    x = y.expand(DRAWS, 1, 1, PLACES)
    d = prior(x, sigma)
    for k in range(len(g)):
        noise = sigma * torch.randn(x.shape, generator=rng, dtype=x.dtype)
        x, d = stepped(x, d, noise, lambda p, s=sigma * levels[k + 1]: prior(p, s), levels, g, h, k)
    truth = prior.posterior_variance(y, sigma)
    pooled = (weight * truth).sum()
    spread = ((weight * d.var(0)).sum() / pooled).sqrt() - 1
    return spread, (weight * (d.mean(0) - prior(y, sigma)).square()).sum() / pooled


def noisy_values(prior: MixturePrior, sigma: float) -> tuple[Tensor, Tensor]:
    """Return places y over the noisy density, shape (1, 1, 1, PLACES), and their weights."""
    y = torch.linspace(-3, 3, PLACES, dtype=torch.float64).view(1, 1, 1, -1)
    density = torch.zeros_like(y)
    for w, m, s in zip(prior.weights, prior.means, prior.stds, strict=True):
        variance = s**2 + sigma**2
        density += w / math.sqrt(variance) * torch.exp(-((y - m) ** 2) / (2 * variance))
    return y, density / density.sum()


def loss(numbers: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the errors to be made small: Gaussian spreads, and mixture spreads and means."""
    importance = (WIDTHS / 0.3).clamp(max=1) ** 2  # of narrow priors little is left to see
    gaussian = (gaussian_spread(*unpacked(numbers)) - 1) * importance
    mixed = [mixture_error(p, s, numbers, rng) for p in MIXTURES for s in NOISES]
    spreads = torch.stack([spread for spread, _ in mixed])
    means = torch.stack([mean for _, mean in mixed])
    return gaussian, torch.cat([spreads, 0.5 * means.sqrt()])


def first(count: int) -> Tensor:
    """Return the start: geometric levels, and g and h of the lowest order."""
    falls = torch.full((count - 1,), math.log(math.log(1 / 0.035) / (count - 1)))
    r = torch.exp(-2 * falls.exp())
    return torch.cat([falls, (1 - r) / 2, (1 - r) / 4]).double()


def main() -> None:
    """Search, and print the best of the last numbers."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 600
    numbers = first(count).requires_grad_()
    mean = numbers.detach().clone()
    optimiser = torch.optim.Adam([numbers], lr=2e-2, betas=(0.9, 0.99))
    decay = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=rounds)
    rng = torch.Generator().manual_seed(0)
    for number in range(rounds):
        gaussian, mixed = loss(numbers, rng)
        total = gaussian.abs().pow(4).mean().sqrt() + mixed.pow(4).mean().sqrt()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        decay.step()
        mean.lerp_(numbers.detach(), 0.05)
        if number % 50 == 0 or number == rounds - 1:
            worst = [float(100 * e.detach().abs().max()) for e in (gaussian, mixed)]
            print(f"{number:4} largest error: Gaussian {worst[0]:.2f} %, mixtures {worst[1]:.2f} %")
    for name, values in zip(("levels", "g", "h"), unpacked(mean), strict=True):
        print(f"{name} = ({', '.join(f'{float(v):.4f}' for v in values)})")


if __name__ == "__main__":
    main()
