"""What the shipped unfolded networks promise, and the claims of their papers, in small."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_credible as nc
from napari_credible.denoise.deep_ksvd import DeepKSVD
from napari_credible.denoise.dictionary import dct_dictionary
from napari_credible.denoise.ksvd import KSVD
from napari_credible.denoise.networks import network, shape_of
from napari_credible.tiling import Grid, Joined, read

UNFOLDED = ("cscnet:4", "deep_ksvd", "lidia")
SIGMA = 25 / 255


@pytest.fixture(scope="module")
def pair(scene):
    """A clean picture with edges and texture, 128 x 128, and its noisy version."""
    clean = torch.from_numpy(scene[330:458, 60:188].astype(np.float32))[None, None]
    rng = torch.Generator().manual_seed(0)
    return clean, clean + SIGMA * torch.randn(clean.shape, generator=rng)


def gain_db(worse, better, clean):
    """Return by how many dB one estimate is better, and its standard error over blocks."""
    blocks = [
        torch.nn.functional.avg_pool2d((e - clean).square(), 16).flatten() for e in (worse, better)
    ]
    means = [b.mean() for b in blocks]
    gain = 10 * torch.log10(means[0] / means[1])
    ratio = blocks[0] / means[0] - blocks[1] / means[1]
    return float(gain), float(10 / math.log(10) * ratio.std() / math.sqrt(len(ratio)))


def variant(name, **changes):
    """Return a shipped denoiser whose network has other numbers but the same weights."""
    shipped = nc.load_denoiser(name)
    net = network(replace(shipped.net.shape, **changes)).eval().requires_grad_(False)
    values = dict(shipped.net.state_dict())
    for part in ("log_threshold", "power"):  # one for each step
        if part in values:
            values[part] = values[part][: net.shape.unfoldings]
    net.load_state_dict(values)
    return replace(shipped, net=net)


@pytest.mark.parametrize("name", UNFOLDED)
def test_tiled_equals_untiled(name):
    denoiser = nc.load_denoiser(name)
    shape = (2 * denoiser.reach + 70, 2 * denoiser.reach + 41)
    plane = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    whole = denoiser(plane[None, None], 0.1)[0, 0]
    joined = Joined(plane)
    for tile in Grid(shape, (40, 40), denoiser.reach, 0, denoiser.stride).tiles():
        joined.add(tile, denoiser(read(plane, tile), 0.1)[0, 0])
    assert (joined.plane() - whole).abs().max() < 5e-6


@pytest.mark.parametrize("name", UNFOLDED)
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 31), (3, 50)])
def test_any_size_is_taken(name, shape):
    x = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    found = nc.load_denoiser(name)(x, 0.1)
    assert found.shape == x.shape
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", [*UNFOLDED, "ksvd"])
def test_the_number_type_is_kept(name, pair):
    x = pair[1][..., :40, :40]
    double = nc.load_denoiser(name)(x.double(), SIGMA)
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), nc.load_denoiser(name)(x, SIGMA), atol=1e-5)


@pytest.mark.parametrize(("name", "most"), [*((n, 0.05) for n in UNFOLDED), ("ksvd", 1.0)])
def test_as_the_noise_vanishes_the_image_stays(name, most, pair):
    """In units of the noise; K-SVD's atoms, at most 32 a patch, leave more."""
    clean = pair[0][..., :64, :64]
    denoiser = nc.load_denoiser(name)
    moved = [float((denoiser(clean, s) - clean).square().mean().sqrt()) / s for s in (1e-2, 1e-4)]
    assert moved[1] < most
    assert moved[0] < 1
    assert torch.equal(denoiser(clean, 0.0), clean)


@pytest.mark.parametrize("name", [*UNFOLDED, "ksvd"])
@pytest.mark.parametrize(("level", "least"), [(10, 3), (25, 6), (75, 9)])
def test_each_denoises_at_every_level(name, level, least, pair):
    clean = pair[0]
    sigma = level / 255
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    found = nc.load_denoiser(name)(clean + sigma * noise, sigma)
    gain, _ = gain_db(clean + sigma * noise, found, clean)
    assert gain > least


@pytest.mark.parametrize("name", ["lidia", "ksvd"])
@pytest.mark.parametrize("scale", [0.3, 60000.0])
def test_units_do_not_matter(name, scale, pair):
    x = pair[1][..., :48, :48]
    plain = nc.load_denoiser(name)
    fitted = plain.fitted(500.0, 500.0 + scale)
    moved = (fitted(scale * x + 500, scale * SIGMA) - 500) / scale
    # In float32 an offset of 500 on a range of 0.3 leaves four digits.
    assert torch.allclose(moved, plain(x, SIGMA), atol=3e-3 if scale < 1 else 2e-4)


def test_averaging_shifts_beats_a_single_shift(pair):
    """The thesis of CSCNet, with one and the same dictionary."""
    clean, noisy = pair
    found = [variant("cscnet", shifts=n)(noisy, SIGMA) for n in (1, 4, 16)]
    for fewer, more, least in zip(found, found[1:], (0.3, 0.02), strict=False):
        gain, error = gain_db(fewer, more, clean)
        assert gain > least + 2 * error or gain > 4 * error


def test_shifts_that_are_all_the_same_gain_nothing(pair, monkeypatch):
    clean, noisy = pair
    one, four = variant("cscnet", shifts=1), variant("cscnet", shifts=4)
    window = type(four.net).window
    monkeypatch.setattr(type(four.net), "window", lambda self, p, dy, dx: window(self, p, 0, 0))
    monkeypatch.setattr(type(four.net.shape), "step", property(lambda self: self.stride))
    gain, error = gain_db(one(noisy, SIGMA), four(noisy, SIGMA), clean)
    assert not gain > 4 * error


@pytest.mark.parametrize(("shifts", "moves"), [(64, 1), (16, 2), (4, 4), (1, 8)])
def test_cscnet_moves_with_the_image(shifts, moves, pair):
    """By as many pixels as lie between two shifts, and not by fewer."""
    net = variant("cscnet", shifts=shifts, unfoldings=2)
    inner = slice(net.reach + 16, 128 - net.reach - 16)
    x = pair[1]
    here = net(x, SIGMA)

    def off(pixels):
        moved = net(x.roll((pixels, pixels), (-2, -1)), SIGMA)
        return float(
            (moved.roll((-pixels, -pixels), (-2, -1)) - here)[..., inner, inner].abs().max()
        )

    assert off(moves) < 2e-6
    if moves > 1:
        assert off(1) > 1e-4


def best_of_start(noisy, clean):
    """Denoise by Deep K-SVD's start, its cosines, with the best penalty of the same for all."""
    torch.manual_seed(0)
    net = DeepKSVD().eval().requires_grad_(False)
    last = net.stages[0].perceptron[-1]
    last.weight.zero_()
    found = []
    for penalty in np.geomspace(0.3, 3, 12):
        last.bias.fill_(float(np.log(np.expm1(penalty)) - 0.5))
        found.append(noisy - net(noisy, torch.tensor([SIGMA])))
    return min(found, key=lambda e: float((e - clean).square().mean()))


@pytest.mark.parametrize("start", ["its own", "pursuit"])
def test_learning_beats_the_cosines_it_started_from(start, pair):
    clean, noisy = pair
    cosines = KSVD(dct_dictionary(8, 256))
    before = best_of_start(noisy, clean) if start == "its own" else cosines(noisy, SIGMA)
    gain, _ = gain_db(before, nc.load_denoiser("deep_ksvd")(noisy, SIGMA), clean)
    assert gain > 0.5


def texture():
    """A tiled motif without structure of its own, 96 x 96: only repetition tells of it."""
    rng = torch.Generator().manual_seed(4)
    motif = torch.rand(8, 8, generator=rng)
    clean = motif.tile(12, 12)[None, None]
    return clean, clean + 50 / 255 * torch.randn(clean.shape, generator=rng)


def test_lidias_neighbours_help_on_a_repetitive_texture(monkeypatch):
    """Against the same network whose groups hold patches of anywhere in the window."""
    clean, noisy = texture()
    lidia = nc.load_denoiser("lidia")
    found = lidia(noisy, 50 / 255)
    layers = sys.modules["napari_credible.denoise.lidia_layers"]
    search = layers.nearest_patches

    def shuffled(padded, patch, radius, count, dilation=1):
        groups = search(padded, patch, radius, count, dilation)
        rng = torch.Generator().manual_seed(0)
        rows, columns = (
            torch.randint(-radius, radius + 1, groups.rows.shape, generator=rng) for _ in range(2)
        )
        rows[..., 0] = columns[..., 0] = 0
        return replace(groups, rows=rows, columns=columns)

    monkeypatch.setattr(layers, "nearest_patches", shuffled)
    gain, error = gain_db(lidia(noisy, 50 / 255), found, clean)
    assert gain > 0.3
    assert gain > 4 * error


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="there is no network 'dncnn'; give one of unet, csc"):
        shape_of({"kind": "dncnn"})
    with pytest.raises(ValueError, match="does not fit at shifts"):
        shape_of({"kind": "csc", "shifts": 0})


def test_shifts_are_chosen_by_name(pair):
    """The same weights, as fast as asked; results cite the paper and can be run again."""
    x = pair[1][..., :48, :48]
    few = nc.load_denoiser("cscnet:4")
    assert torch.equal(few(x, SIGMA), variant("cscnet", shifts=4)(x, SIGMA))
    assert nc.load_denoiser("cscnet").net.shape.shifts == 64
    result = nc.denoise(x[0, 0].numpy(), nc.Gaussian(SIGMA), denoiser="cscnet:1")
    assert result.recipe.denoiser == "cscnet:1"
    assert any("Simon" in source for source in result.citations)


@pytest.mark.parametrize("name", ["unet:4", "cscnet:", "cscnet:x", "cscnet:9"])
def test_a_number_that_makes_no_denoiser_is_said(name):
    with pytest.raises(ValueError, match=r"no denoiser|only cscnet takes a number|do not fit"):
        nc.load_denoiser(name)
