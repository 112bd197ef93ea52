"""Stein's estimate knows the error of any denoiser, and how well it knows it."""

import numpy as np
import pytest
import torch

from napari_credible.denoise.oracles import GaussianPrior, MixturePrior, PowerLawPrior
from napari_credible.sure import sure

SIDE, SIGMA, RUNS = 40, 0.8, 60


def shrinks(x, sigma):
    """Far from a posterior mean, and measured all the same."""
    return 0.3 * x


def untouched(x, sigma):
    """Leave the noise."""
    return x


def through_numpy(x, sigma):
    """Torch cannot differentiate this one."""
    return torch.from_numpy(np.tanh(x.detach().numpy()))


def power_law(rng):
    return PowerLawPrior().draw((SIDE, SIDE), rng).double()


def z_scores(denoise, draw, sigma=SIGMA, runs=RUNS, probes=1):
    """Return how many stated errors each estimate is from the error that was made."""
    rng, scores = torch.Generator().manual_seed(1), []
    for _ in range(runs):
        clean = draw(rng)
        noisy = clean + sigma * torch.randn(clean.shape, generator=rng, dtype=clean.dtype)
        found = sure(denoise, noisy, sigma, probes, rng)
        scores.append(
            (found.mse - float((denoise(noisy, sigma) - clean).square().mean())) / found.error
        )
    return np.array(scores)


@pytest.mark.parametrize(
    "denoise",
    [PowerLawPrior(), shrinks, untouched, through_numpy],
    ids=lambda d: getattr(d, "__name__", type(d).__name__),
)
def test_unbiased_with_the_stated_error(denoise):
    scores = z_scores(denoise, power_law)
    assert abs(scores.mean()) < 4 / np.sqrt(RUNS)
    # The spread of 60 scores is known to 9 %; the probes' share is an upper bound.
    assert 0.6 < scores.std() < 1 + 4 / np.sqrt(2 * RUNS)


def test_a_map_of_levels():
    prior = GaussianPrior(std=2.0)
    level = torch.linspace(0.3, 2, SIDE, dtype=torch.float64).expand(1, 1, SIDE, SIDE).clone()

    def draw(rng):
        return 2 * torch.randn((1, 1, SIDE, SIDE), generator=rng, dtype=torch.float64)

    # Many probes, so that their share, an upper bound, is small.
    scores = z_scores(prior, draw, level, probes=16)
    assert abs(scores.mean()) < 4 / np.sqrt(RUNS)
    assert abs(scores.std() - 1) < 4 / np.sqrt(2 * RUNS)


def test_a_posterior_mean_states_its_own_error():
    """Miyasawa: sigma^2 tr J / N is the posterior variance; exact for the Gaussian prior."""
    prior = PowerLawPrior()
    clean = prior.draw((SIDE, SIDE), torch.Generator().manual_seed(0)).double()
    found = sure(prior, clean, SIGMA, 64)
    wanted = prior.posterior_std(clean, SIGMA) ** 2
    assert found.stated == pytest.approx(wanted, rel=0.02)


def test_the_oracle_beats_every_other_and_the_difference_is_known_well():
    prior = MixturePrior()
    rng = torch.Generator().manual_seed(3)
    clean = torch.where(torch.rand((1, 1, SIDE, SIDE), generator=rng) < 0.5, -1.0, 1.0)
    clean += 0.3 * torch.randn(clean.shape, generator=rng)
    noisy = clean + SIGMA * torch.randn(clean.shape, generator=rng)

    def seen(denoise):
        return sure(denoise, noisy, SIGMA, 4, torch.Generator().manual_seed(0))

    best, other = seen(prior), seen(lambda x, s: prior(x, 1.3 * s))
    apart = other.minus(best)
    true, least = (float((prior(noisy, f * SIGMA) - clean).square().mean()) for f in (1.3, 1.0))
    assert apart.clear
    assert apart.error < best.error / 2
    assert abs(apart.value - (true - least)) < 4 * apart.error


def test_the_bar_rejects_an_estimate_that_forgets_the_divergence():
    """The residual alone, |y - D|^2 - sigma^2, is far off; so the bar can fail."""
    rng = torch.Generator().manual_seed(1)
    clean = power_law(rng)
    noisy = clean + SIGMA * torch.randn(clean.shape, generator=rng)
    found = sure(PowerLawPrior(), noisy, SIGMA)
    error = float((PowerLawPrior()(noisy, SIGMA) - clean).square().mean())
    forgetful = float((noisy - PowerLawPrior()(noisy, SIGMA)).square().mean()) - SIGMA**2
    assert abs(forgetful - error) > 4 * found.error


def test_other_probes_do_not_compare():
    noisy = torch.randn((1, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    one = sure(shrinks, noisy, 1.0)
    other = sure(shrinks, noisy, 1.0, 1, torch.Generator().manual_seed(5))
    with pytest.raises(ValueError, match="same image"):
        one.minus(other)


@pytest.mark.parametrize(("sigma", "probes"), [(0.0, 1), (1.0, 0)])
def test_refusals(sigma, probes):
    with pytest.raises(ValueError, match="at least one probe"):
        sure(shrinks, torch.zeros(1, 1, 8, 8), sigma, probes)
