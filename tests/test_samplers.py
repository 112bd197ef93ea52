"""Draws follow the exact posterior, and the bar that says so rejects what does not."""

import math

import numpy as np
import pytest
import torch

import impostors
from exact import SCENES, draws, errors, mixture, pooled, power_law, white, worst
from napari_credible.denoise.oracles import GaussianPrior
from napari_credible.samplers import (
    ABOUT,
    SAMPLERS,
    Ancestral,
    Corrected,
    Covariance,
    Langevin,
    Multistep,
    Sampler,
    on_gaussian_priors,
    sampler_of,
    spelled,
)

# Prior standard deviations.
NOISES = (0.1, 0.3, 1.0, 3.0)
N_DRAWS = 2500
CASES = [
    *((Corrected(), scene, sigma) for scene in SCENES for sigma in NOISES),
    *((Multistep(), scene, sigma) for scene in SCENES for sigma in (0.1, 1.0)),
    *((Covariance(), scene, 0.3) for scene in SCENES),
    (Ancestral(), "white", 1.0),
]


@pytest.mark.parametrize(("sampler", "name", "sigma"), CASES, ids=str)
def test_draws_follow_the_exact_posterior(sampler, name, sigma):
    scene = SCENES[name](sigma)
    found = draws(sampler, scene, N_DRAWS)
    assert worst(found, scene.law) < 1
    assert abs(pooled(found, scene.law)) < 0.02


@pytest.mark.parametrize("impostor", impostors.samplers(), ids=repr)
def test_the_bar_rejects_an_impostor(impostor):
    scene = white(0.3)
    found = draws(impostor, scene, N_DRAWS)
    assert worst(found, scene.law) > 1 or not independent(found)


def test_the_draws_of_a_batch_are_independent():
    assert independent(draws(Corrected(), white(1.0), N_DRAWS))


def independent(found):
    """Whether neighbours in a batch are uncorrelated, to 4 standard errors."""
    away = (found - found.mean(0)).flatten(1)
    together = (away[::2] * away[1::2]).mean(1) / away.var()
    return abs(float(together.mean())) < 4 / math.sqrt(away[::2].numel())


# Narrowest and widest prior, noise levels; spread and slope, from and to.
STATED = [
    (Corrected(), 0.2, 20, (0.99, 1.01), (1, 1)),
    (Corrected(), 0.135, 20, (0.98, 1.01), (1, 1)),
    (Multistep(), 0.05, 20, (0.98, 1.005), (1, 1)),
    (Multistep(24), 0.05, 20, (0.98, 1.01), (1, 1)),
    (Covariance(), 0.2, 20, (0.98, 1), (1, 1)),
    (Ancestral(), 0.1, 20, (0.98, 1), (1, 1)),
    (Langevin(), 1 / 3, 10, (math.sqrt(0.98), 1.005), (1, 1.04)),
    (Langevin(size=0.033), 1 / 3, 10, (math.sqrt(0.89), math.sqrt(1.07)), (1, 1.27)),
]


@pytest.mark.parametrize(("sampler", "narrow", "wide", "spread", "slope"), STATED, ids=str)
def test_what_is_stated_of_gaussian_priors_is_exactly_so(sampler, narrow, wide, spread, slope):
    found = on_gaussian_priors(sampler, np.geomspace(narrow, wide, 60))
    for values, (low, high) in ((found.spread, spread), (found.slope, slope)):
        assert low - 1e-3 < float(values.min())
        assert float(values.max()) < high + 1e-3


def test_the_exact_law_is_that_of_simulated_draws():
    scene = white(1.0)
    spread = pooled(draws(Ancestral(12), scene, N_DRAWS), scene.law)
    exact = float(on_gaussian_priors(Ancestral(12), [1.0]).spread) - 1
    assert spread == pytest.approx(exact, abs=4 / math.sqrt(2 * N_DRAWS * 64))


def test_few_steps_of_first_order_are_too_sure_by_the_stated_amount():
    found = [float(on_gaussian_priors(Ancestral(n), [1.0]).spread) for n in (12, 64, 256)]
    np.testing.assert_allclose(found, (0.74, 0.946, 0.986), atol=0.01)


def test_every_frequency_has_its_spread():
    """The pixels' spread may be right and their correlation wrong."""
    scene = power_law(1.0, side=16)
    found = draws(Corrected(), scene, N_DRAWS)
    away = torch.fft.fft2(found - found.mean(0), norm="ortho").abs().square().mean(0)
    power = scene.prior.power(scene.y)
    ratio = away * (N_DRAWS / (N_DRAWS - 1)) / (power / (power + 1))
    # A real frequency has one number a draw, the others have two.
    assert float((ratio - 1).abs().max()) < 5.2 * math.sqrt(2 / N_DRAWS)


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_langevin_stays_within_its_stated_bars(sigma):
    scene = white(sigma)
    found = draws(Langevin(), scene, 500)
    law = scene.law
    y, mean = (v.flatten() - v.mean() for v in (scene.y[0], found.mean(0)))
    slope = float((y @ mean) / (y @ y)) * (1 + sigma**2)
    assert 0.95 < float(found.var(0).mean() / law.variance.mean()) < 1.02
    assert slope < 1.12
    assert Langevin().evaluations <= 825


def test_langevin_is_not_called_exact():
    assert "pulled" in ABOUT["langevin"]
    found = draws(Langevin(ladder=20), white(1.0), N_DRAWS)
    assert worst(found, white(1.0).law) > 1


@pytest.mark.parametrize("make", [white, mixture], ids=["white", "mixture"])
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_identities_of_exact_draws(make, sigma):
    """One draw is 3.01 dB below D, the mean of n loses 1 + 1/n, the draws' variance is D's error.

    Each is the mean over pixels of a number that is zero on average.
    """
    scene, clean = make(sigma, side=96), clean_of(make, 96)
    found = draws(Corrected(), scene, 16)[:, 0]
    best = (scene.prior(scene.y, sigma)[0, 0] - clean).square()
    for n in (1, 2, 4, 8, 16):
        assert zero((found[:n].mean(0) - clean).square() - (1 + 1 / n) * best)
    assert zero(found.var(0) - best)
    residual = (scene.y[0, 0] - found[0]) / sigma
    assert zero(residual)
    assert zero(residual.square() - 1)
    assert zero(residual[1:] * residual[:-1])
    assert zero(residual[:, 1:] * residual[:, :-1])
    # The residual of D is smaller than the noise, by its own error.
    assert zero((scene.y[0, 0] - scene.prior(scene.y, sigma)[0, 0]).square() + best - sigma**2)


def test_the_residual_of_a_structured_image_is_white():
    scene = power_law(1.0, side=32)
    residual = scene.y[0, 0] - draws(Corrected(), scene, 2)[0, 0]
    best = scene.y[0, 0] - scene.prior(scene.y, 1.0)[0, 0]
    assert zero(residual.square() - 1)
    assert zero(residual * residual.roll(1, 0))
    assert zero(residual * residual.roll(1, 1))
    assert not zero(best.square() - 1)


def clean_of(make, side):
    """What the scene was made from: the same scene with hardly any noise."""
    return make(1e-9, side=side).y[0, 0]


def zero(values):
    """Whether the mean is zero, to 4 of its standard errors."""
    return abs(float(values.mean())) < 4 * float(values.std()) / math.sqrt(values.numel())


def test_the_bar_knows_the_standard_errors():
    """Draws from the posterior itself are as far off as chance has it, and no more."""
    law = white(1.0).law
    rng = torch.Generator().manual_seed(0)
    z = torch.randn((N_DRAWS, *law.mean.shape), generator=rng, dtype=torch.float64)
    off = errors(law.mean + law.variance.sqrt() * z, law)
    assert float(off.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / off.numel()))


def test_a_walk_evaluates_as_often_as_it_says():
    for kind in (Corrected(), Multistep(8), Ancestral(8), Langevin(4, 3)):
        calls = []
        scene = white(1.0)

        def counted(x, sigma, calls=calls):
            calls.append(sigma)
            return GaussianPrior()(x, sigma)

        draws(kind, SceneOf(counted, scene), 2)
        assert len(calls) == kind.evaluations
        assert all(0 < level <= 1 for level in calls)


class SceneOf:
    """A scene with another denoiser."""

    def __init__(self, prior, scene):
        self.prior, self.y, self.sigma = prior, scene.y, scene.sigma


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_its_numbers(name):
    kind = SAMPLERS[name]
    assert sampler_of(name) == kind() == sampler_of(spelled(kind()))
    assert isinstance(kind(), Sampler)
    assert name in ABOUT


def test_samplers_are_spelled_as_short_as_can_be():
    assert spelled(Multistep(24)) == "multistep:24"
    assert spelled(Langevin(size=0.033)) == {
        "kind": "langevin", "ladder": 164, "inner": 5, "lowest": 0.05, "size": 0.033,
    }  # fmt: skip
    assert sampler_of(spelled(Langevin(size=0.033))) == Langevin(size=0.033)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("ddim", "there is no sampler 'ddim'"),
        ("ancestral:few", "ancestral:NUMBER"),
        ("corrected:13", "no table for 13"),
        ({"kind": "langevin", "depth": 3}, "has no depth"),
        ({"ladder": 3}, "there is no sampler ''"),
        ("multistep:1", "from 2 to"),
        (12, "give one of corrected"),
    ],
)
def test_a_wrong_sampler_gets_a_sentence(asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        sampler_of(asked)


def test_lower_precision_keeps_the_spread():
    """In bfloat16 the layers of a network round to 3 digits: the draws' law stands."""
    scene = white(1.0, side=16)

    def rounded(x, sigma):
        removed = x - scene.prior(x, sigma)
        return x - removed.to(torch.bfloat16).to(x.dtype)

    found = draws(Corrected(), SceneOf(rounded, scene), 1000)
    assert abs(pooled(found, scene.law)) < 0.02
    assert float((found.mean(0) - scene.law.mean).abs().max()) < 0.15 * float(np.sqrt(0.5))
