"""The contract of D(x, sigma), the oracles' exactness, and what the shipped network promises."""

import math

import numpy as np
import pytest
import torch

import napari_credible as nc
from impostors import BROKEN
from napari_credible.denoise.catalogue import CLASSICAL, cards
from napari_credible.denoise.oracles import GaussianPrior, MixturePrior

N = 200_000


@pytest.fixture(scope="module")
def unet():
    return nc.load_denoiser("unet")


@pytest.mark.parametrize("name", list(nc.denoisers()))
def test_every_shipped_denoiser_keeps_the_contract(name):
    nc.check_denoiser(nc.load_denoiser(name))


@pytest.mark.parametrize("sentence", list(BROKEN))
def test_the_contract_rejects_impostors(sentence):
    with pytest.raises(ValueError, match=sentence):
        nc.check_denoiser(BROKEN[sentence])


def worst_z(denoiser, prior, sigma):
    """Return by how many standard errors D misses E[x | y], over bins of y."""
    rng = torch.Generator().manual_seed(0)
    x = draw(prior, rng)
    y = x + sigma * torch.randn(N, generator=rng)
    error = x - denoiser(y.view(1, 1, 1, N), sigma).view(N)
    bins = torch.bucketize(y, torch.quantile(y, torch.linspace(0.1, 0.9, 9)))
    z = [
        error[bins == b].mean() / (error[bins == b].std() / (bins == b).sum().sqrt())
        for b in range(10)
    ]
    return max(abs(float(value)) for value in z)


def draw(prior, rng):
    if isinstance(prior, GaussianPrior):
        return prior.mean + prior.std * torch.randn(N, generator=rng)
    which = torch.multinomial(torch.tensor(prior.weights), N, replacement=True, generator=rng)
    return torch.tensor(prior.means)[which] + torch.tensor(prior.stds)[which] * torch.randn(
        N, generator=rng
    )


PRIORS = [GaussianPrior(0.4, 2.0), MixturePrior(), MixturePrior((0.2, 0.8), (0.0, 3.0), (1.0, 0.1))]


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_an_oracle_is_the_posterior_mean(prior):
    assert worst_z(prior, prior, 0.7) < 4


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
@pytest.mark.parametrize("wrong", [lambda p: lambda y, s: p(y, 1.2 * s), lambda p: lambda y, s: y])
def test_the_bar_rejects_a_wrong_oracle(prior, wrong):
    assert worst_z(wrong(prior), prior, 0.7) > 6


def test_the_oracles_variance_is_that_of_the_posterior():
    prior = PRIORS[2]
    rng = torch.Generator().manual_seed(1)
    x = draw(prior, rng)
    y = (x + 0.7 * torch.randn(N, generator=rng)).view(1, 1, 1, N)
    squares = (x - prior(y, 0.7).view(N)).square()
    off = squares.mean() - prior.posterior_variance(y, 0.7).mean()
    assert abs(float(off)) < 4 * float(squares.std()) / math.sqrt(N)
    assert GaussianPrior(0, 2.0).posterior_std(3.0) == pytest.approx(1.664, abs=1e-3)


def picture(scene, sigma, side=128):
    clean = torch.from_numpy(scene[100 : 100 + side, 60 : 60 + side].astype(np.float32))[None, None]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, clean + sigma * noise


@pytest.mark.parametrize("factor", [0.1, 3.0, 60000.0])
def test_the_network_is_homogeneous(unet, scene, factor):
    """D(a x, a sigma) = a D(x, sigma): no layer adds a constant."""
    _, x = picture(scene, 0.1)
    assert torch.allclose(unet(factor * x, factor * 0.1) / factor, unet(x, 0.1), atol=2e-5)


def test_one_affine_shifts_and_scales_the_network(unet, scene):
    _, x = picture(scene, 0.1)
    fitted = unet.fitted(500.0, 4500.0)
    assert torch.allclose((fitted(4000 * x + 500, 400.0) - 500) / 4000, unet(x, 0.1), atol=2e-5)


def test_no_noise_leaves_the_image_as_it_is(unet, scene):
    _, x = picture(scene, 0.1)
    assert torch.equal(unet(x, 0.0), x)


@pytest.mark.parametrize(
    ("sigma", "gain_db"), [(2 / 255, 1.0), (10 / 255, 5), (25 / 255, 8), (75 / 255, 12), (1.0, 17)]
)
def test_the_network_denoises_at_every_level(unet, scene, sigma, gain_db):
    clean, x = picture(scene, sigma)
    before, after = ((image - clean).square().mean() for image in (x, unet(x, sigma)))
    assert 10 * math.log10(before / after) > gain_db


def test_the_network_beats_every_classical_denoiser(unet, scene):
    clean, x = picture(scene, 0.1)
    error = {
        n: float((nc.load_denoiser(n)(x, 0.1) - clean).square().mean())
        for n in ("unet", *CLASSICAL)
    }
    assert error["unet"] == min(error.values())


@pytest.mark.parametrize("shape", [(8, 8), (9, 31), (64, 65), (3, 200)])
def test_any_size_is_taken(unet, shape):
    x = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    assert unet(x, 0.1).shape == x.shape


def test_sigma_may_differ_from_image_to_image(unet, scene):
    _, x = picture(scene, 0.1)
    both = unet(torch.cat([x, x]), torch.tensor([0.05, 0.2]))
    assert torch.allclose(both[0], unet(x, 0.05)[0], atol=1e-5)
    assert torch.allclose(both[1], unet(x, 0.2)[0], atol=1e-5)


def test_a_pixel_speaks_no_farther_than_the_reach(unet):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 320, 320, generator=rng)
    changed = x.clone()
    changed[..., 160, 160] += 1.0
    moved = (unet(changed, 0.2) - unet(x, 0.2)).abs()[0, 0]
    rows, columns = torch.nonzero(moved, as_tuple=True)
    farthest = max((rows - 160).abs().max(), (columns - 160).abs().max())
    assert 0.3 * unet.reach < farthest <= unet.reach


@pytest.mark.parametrize(
    ("sigma", "sentence"),
    [(-0.1, "at least 0"), (float("nan"), "finite"), (torch.ones(3), "one number, or one each")],
)
def test_a_wrong_sigma_is_refused(unet, sigma, sentence):
    with pytest.raises(ValueError, match=sentence):
        unet(torch.zeros(2, 1, 16, 16), sigma)


def test_x_must_have_four_axes(unet):
    with pytest.raises(ValueError, match=r"takes \(B, C, Y, X\)"):
        unet(torch.zeros(16, 16), 0.1)


@pytest.mark.parametrize("name", list(cards()))
def test_a_model_card_says_everything(name):
    card = cards()[name]
    said = (card.summary, card.licence, card.command, card.trained_on, card.measured_by, card.psnr)
    assert all(said)
    assert card.weights.stat().st_size < 12 * 2**20
    assert sum(p.numel() for p in nc.load_denoiser(name).net.parameters()) == card.parameters


def test_weights_that_are_not_the_cards_are_refused(tmp_path):
    card = cards()["unet"]
    copy = tmp_path / "unet.safetensors"
    copy.write_bytes(card.weights.read_bytes()[:-1] + b"\x01")
    (tmp_path / "unet.json").write_text(card.weights.with_suffix(".json").read_text())
    with pytest.raises(ValueError, match="checksum"):
        nc.load_denoiser(copy)
    (tmp_path / "unet.json").unlink()
    with pytest.raises(ValueError, match="model card"):
        nc.load_denoiser(copy)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="no denoiser 'dncnn'; the shipped ones are unet"):
        nc.load_denoiser("dncnn")
