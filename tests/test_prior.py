"""A posterior mean states its own error: exact priors pass, near misses do not."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import rgb2gray

import napari_credible as nc
from napari_credible.denoise import cards
from napari_credible.denoise.oracles import GaussianPrior, MixturePrior
from napari_credible.training.prior import check_prior

SIGMA = 0.4
MIXTURE = MixturePrior((0.3, 0.7), (-1.0, 0.5), (0.2, 0.3))


def gaussian_pixels(count, seed=7):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 1, 128, 128, generator=generator) for _ in range(count)]


def mixture_pixels(count):
    generator = torch.Generator().manual_seed(8)
    shape = (1, 1, 128, 128)
    made = []
    for _ in range(count):
        first = torch.rand(shape, generator=generator) < 0.3
        z = torch.randn(shape, generator=generator)
        made.append(torch.where(first, -1 + 0.2 * z, 0.5 + 0.3 * z))
    return made


def mixes_neighbours(x, sigma):
    """Take half of the left neighbour: no covariance."""
    return 0.5 * GaussianPrior()(x, sigma) + 0.5 * torch.roll(x, 1, -1)


@pytest.mark.parametrize(
    ("prior", "images"), [(GaussianPrior(), gaussian_pixels(4)), (MIXTURE, mixture_pixels(4))]
)
def test_an_exact_posterior_mean_states_its_error(prior, images):
    """Within four standard errors: 65 536 pixels tell a mean square to sqrt(2 / N) or better."""
    found = check_prior(prior, images, SIGMA)
    bar = 4 * (2 / (4 * 128**2)) ** 0.5
    assert found.trace == pytest.approx(found.error, rel=2 * bar)
    assert found.sure == pytest.approx(found.error, rel=2 * bar * SIGMA**2 / found.error)
    assert found.asymmetry < 1e-5


def test_the_stated_error_of_a_gaussian_prior_is_exact():
    found = check_prior(GaussianPrior(), gaussian_pixels(1), SIGMA)
    assert found.trace == pytest.approx(GaussianPrior().posterior_std(SIGMA) ** 2, rel=1e-5)


def test_a_shrunk_denoiser_keeps_steins_estimate_but_misstates_its_error():
    found = check_prior(lambda x, s: 0.8 * GaussianPrior()(x, s), gaussian_pixels(4), SIGMA)
    assert found.sure == pytest.approx(found.error, rel=0.05)
    assert abs(found.trace / found.error - 1) > 0.2


def test_a_denoiser_that_is_no_gradient_is_asymmetric():
    assert check_prior(mixes_neighbours, gaussian_pixels(4), SIGMA).asymmetry > 0.3


PICTURES = (data.astronaut, data.camera, data.chelsea, data.coffee, data.coins, data.moon)


# LIDIA is too slow for more.
SIDES = {"lidia": 96}


def corner(picture, side):
    gray = rgb2gray(picture) if picture.ndim == 3 else picture / 255
    return torch.from_numpy(gray[:side, :side].astype(np.float32))[None, None]


@pytest.mark.parametrize("name", [{"cscnet": "cscnet:16"}.get(name, name) for name in cards()])
def test_the_shipped_networks_state_their_error_on_photographs(name):
    """Within 15 % on six; benchmarks/prior.py measures it on many."""
    pictures = [corner(p(), SIDES.get(name, 256)) for p in PICTURES]
    found = check_prior(nc.load_denoiser(name), pictures, 25 / 255)
    assert found.sure == pytest.approx(found.error, rel=0.15)
    assert found.trace == pytest.approx(found.error, rel=0.15)
