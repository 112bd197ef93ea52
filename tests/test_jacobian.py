"""The posterior without draws: exact on priors whose covariance is known."""

import numpy as np
import pytest
import torch

import napari_credible as nc
from napari_credible.denoise.oracles import GaussianPrior, MixturePrior, PowerLawPrior
from napari_credible.flags import Flag
from napari_credible.jacobian import Linearised
from napari_credible.posterior import Posterior
from napari_credible.probing import diagonal, lattice
from napari_credible.recipe import Recipe
from napari_credible.run import run

SIDE, SIGMA = 32, 0.8


def spread(image, noise, own, **more):
    return run(Recipe.of(method="spread", noise=noise, **more), nc.Image(image), denoiser=own)


def drawn(rng_seed=0, side=SIDE):
    """Return a noisy image of the power law prior, in units of its noise."""
    rng = torch.Generator().manual_seed(rng_seed)
    clean = PowerLawPrior(std=1 / SIGMA).draw((side, side), rng)
    return (clean + torch.randn(clean.shape, generator=rng)).numpy()[0, 0]


class Mixture2D:
    """D of the mixture of Manor and Michaeli's Fig. 2 on images of two pixels, exactly."""

    means = torch.tensor([[1.0, 2.0], [8.0, 10.0]], dtype=torch.float64)
    covariances = torch.tensor([[[1.0, 0], [0, 2]], [[2, 1], [1, 1]]], dtype=torch.float64)
    whole = True

    def __call__(self, x, sigma):
        flat = x.reshape(len(x), 2).double()
        total = self.covariances + sigma**2 * torch.eye(2, dtype=torch.float64)
        away = flat[:, None] - self.means
        solved = torch.linalg.solve(total, away[..., None])[..., 0]
        log = -(torch.logdet(total) + (away * solved).sum(-1)) / 2
        centre = self.means + (self.covariances @ solved[..., None])[..., 0]
        return (torch.softmax(log, -1)[..., None] * centre).sum(1).reshape(x.shape).to(x.dtype)


def test_the_mixture_of_manor_and_michaeli():
    """Exact mean and eigenvalues at their point, with noise of variance 4."""
    at = np.array([[2.357602207535946, 6.3522639145461675]])
    mixture = Mixture2D()
    found = spread(at, nc.Gaussian(2.0), lambda x, s: mixture(2 * x, 2 * s) / 2, probes=2)
    np.testing.assert_allclose(found.posterior.mean, [[2.00361, 4.29211]], rtol=1e-5)
    images, variances, share = found.posterior.components(2)
    np.testing.assert_allclose(variances, [7.52620, 0.93205], rtol=1e-4)
    np.testing.assert_allclose(images[0], [[0.63748, 0.77046]], rtol=1e-4)
    assert share == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("prior", [GaussianPrior(0.3, 1.7), MixturePrior()], ids=repr)
def test_the_spread_of_independent_pixels_is_exact(prior):
    image = np.random.default_rng(0).normal(0, 1.5, (SIDE, SIDE)).astype(np.float32)
    found = spread(image, nc.Gaussian(1.0), prior, probes=4).posterior
    tensor = torch.from_numpy(image)[None, None]
    if isinstance(prior, GaussianPrior):
        wanted = np.full(image.shape, prior.posterior_std(1.0))
    else:
        wanted = prior.posterior_variance(tensor, 1.0).sqrt().numpy()[0, 0]
    np.testing.assert_allclose(found.std, wanted, rtol=2e-3)
    np.testing.assert_allclose(found.mean, prior(tensor, 1.0).numpy()[0, 0], atol=1e-5)


def off(answers_of):
    """Return the rms relative error of a std map of the power law prior with 16 probes."""
    prior = PowerLawPrior(std=1 / SIGMA)
    probes = lattice((64, 64), 16, torch.Generator().manual_seed(0))
    found = np.sqrt(diagonal(probes[:, 0].numpy(), answers_of(prior, probes)[:, 0].numpy()))
    return np.sqrt(np.square(found / prior.posterior_std(probes[:1], 1.0) - 1).mean())


def test_sixteen_probes_know_the_spread_of_dependent_pixels():
    assert off(lambda prior, probes: prior(probes, 1.0)) < 0.05


def test_the_bar_rejects_the_covariance_of_another_noise_level():
    assert off(lambda prior, probes: prior(probes, 1.2)) > 0.05


def test_the_probes_hold_each_pixel_once():
    for probes in (1, 2, 7, 16, 30):
        signs = lattice((13, 18), probes, torch.Generator().manual_seed(0))
        assert len(signs) <= probes
        assert bool((signs.abs().sum(0) == 1).all())


def test_components_of_a_gaussian_prior():
    """Eigenvalues l s^2 / (l + s^2), orthonormal, within the span of the leading frequencies."""
    prior, image = PowerLawPrior(std=1 / SIGMA), drawn()
    found = spread(SIGMA * image, nc.Gaussian(SIGMA), prior).posterior.components(5, products=80)
    power = prior.power(torch.zeros(1, 1, SIDE, SIDE)).numpy().ravel()
    wanted = SIGMA**2 * np.sort(power / (power + 1))[::-1][:5]
    np.testing.assert_allclose(found.variances, wanted, rtol=1e-3)
    flat = found.images.reshape(5, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(5), atol=1e-5)


def test_components_are_zero_outside_the_mask():
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[4:12, 6:18] = True
    found = spread(drawn(), nc.Gaussian(1.0), PowerLawPrior()).posterior.components(3, mask)
    assert np.all(found.images[:, ~mask] == 0)
    np.testing.assert_allclose(np.square(found.images).sum((1, 2)), 1, rtol=1e-5)


def test_the_mean_of_a_region_has_its_exact_spread():
    prior = PowerLawPrior()
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[3:11, 5:9] = True
    weight = torch.from_numpy(mask / mask.sum())[None, None]
    wanted = float((weight * prior(weight, 1.0)).sum().sqrt())
    found = spread(drawn(), nc.Gaussian(1.0), prior).posterior.mean_over(mask)
    assert found.std == pytest.approx(wanted, rel=1e-4)


COUNTER = nc.PoissonGaussian(2.0, 100.0, 1.0)


@pytest.fixture(scope="module")
def twins():
    """The same normal posterior of stabilised values, linearised and drawn 4000 times."""
    rng = np.random.default_rng(2)
    centre = rng.uniform(3, 12, (12, 12)).astype(np.float32)
    std = rng.uniform(0.2, 0.9, (12, 12)).astype(np.float32)
    draws = COUNTER.light_of(centre + std * rng.standard_normal((4000, 12, 12)))
    return Linearised(centre, std, COUNTER.light_of, lowest=100.0), Posterior(draws, 100.0)


def test_maps_are_those_of_draws_in_photons(twins):
    flat, drawn = twins
    assert np.abs((flat.mean - drawn.mean) / drawn.mean_error).max() < 4.5
    assert np.abs((flat.std - drawn.std) / drawn.std_error).max() < 4.5


def test_intervals_are_those_of_draws_in_photons(twins):
    flat, drawn = twins
    for mine, theirs in zip(flat.interval(0.9), drawn.interval(0.9), strict=True):
        assert np.abs((mine - theirs) / drawn.interval_error(0.9)).max() < 5
    lower, upper = flat.interval(0.9)
    assert lower.min() >= 100
    assert ((upper - flat.mean) > (flat.mean - lower)).mean() > 0.95


def test_exceedance_is_that_of_draws(twins):
    flat, drawn = twins
    off = flat.exceedance(130.0) - drawn.exceedance(130.0)
    assert np.abs(off / drawn.exceedance_error(130.0)).max() < 4.5


def test_the_bar_rejects_the_spread_of_the_stabilised_image(twins):
    """Forgetting the way back is seen."""
    flat, drawn = twins
    assert np.abs((2.0 * flat.spread - drawn.std) / drawn.std_error).max() > 4.5


def test_widening(twins):
    flat = twins[0]
    wide = Linearised(flat.centre, flat.spread, flat.light, widen=2.0)
    for mine, theirs in zip(wide.interval(), flat.interval(), strict=True):
        np.testing.assert_allclose(mine - flat.mean, 2 * (theirs - flat.mean), rtol=1e-3, atol=1e-3)


def test_tiles_change_nothing(scene):
    noisy = nc.Gaussian(0.1).draw(scene[:150, :140], 0)
    whole, tiled = (
        spread(noisy, nc.Gaussian(0.1), None, denoiser="unet_fast", probes=2, memory=m).posterior
        for m in (2.0, 0.02)
    )
    np.testing.assert_allclose(whole.mean, tiled.mean, atol=1e-5)
    np.testing.assert_allclose(whole.std, tiled.std, atol=1e-5)


def test_doubtful_pixels_and_axes():
    counts = COUNTER.draw(np.full((3, 2, 24, 30), 300.0), 0)
    counts[1, 0, 5, 5] = np.nan
    recipe = Recipe.of(method="spread", noise=(COUNTER, COUNTER), probes=4)
    found = run(recipe, nc.Image(counts, "ZCYX"), denoiser=GaussianPrior(24.0, 1.0))
    assert found.posterior.std.shape == counts.shape
    assert np.isnan(found.posterior.std[1, 0, 5, 5])
    assert np.isnan(found.posterior.exceedance(200.0)[1, 0, 5, 5])
    assert found.flags[1, 0, 5, 5] & Flag.NOT_FINITE
    assert np.isfinite(found.posterior.std).sum() == counts.size - 1
    np.testing.assert_allclose(np.nanstd(found.posterior.std / found.posterior.mean), 0, atol=0.01)


def test_what_torch_cannot_differentiate_is_differenced(scene):
    noisy = nc.Gaussian(0.1).draw(scene[:40, :40], 0)
    found = spread(noisy, nc.Gaussian(0.1), None, denoiser="tv", probes=4).posterior
    assert np.isfinite(found.std).all()
    assert 0 < found.std.mean() < 0.1


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda p: p.interval(1.5), "level is 1.5"),
        (lambda p: p.components(2), "only the diagonal"),
        (lambda p: p.mean_over(np.zeros((2, 2), dtype=bool)), "at least one True"),
    ],
)
def test_refusals(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask(Linearised(np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)))
