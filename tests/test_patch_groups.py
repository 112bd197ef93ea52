"""The block-matching search is the exhaustive one, and LIDIA's parts keep their laws."""

import math
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_credible.denoise.batch_norm import NormRelu
from napari_credible.denoise.lidia import LIDIA, LIDIAShape
from napari_credible.denoise.lidia_layers import place_mean
from napari_credible.denoise.patch_groups import gathered, nearest_patches


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def brute_force(image, y, x, patch, radius, count, dilation):
    """Compare the patch at (y, x) with each of its window, one by one."""
    half = dilation * (patch // 2)

    def at(row, column):
        rows = slice(row - half, row + half + 1, dilation)
        return image[rows, slice(column - half, column + half + 1, dilation)]

    near = sorted(
        (float(((at(y + dy, x + dx) - at(y, x)) ** 2).mean()), dy, dx)
        for dy in range(-radius, radius + 1)
        for dx in range(-radius, radius + 1)
    )
    return near[:count]


@pytest.mark.parametrize(
    ("patch", "radius", "count", "dilation"), [(7, 14, 14, 1), (7, 14, 14, 2), (3, 2, 25, 1)]
)
def test_the_search_finds_the_nearest_patches(rng, patch, radius, count, dilation):
    margin = radius + dilation * (patch // 2)
    images = torch.rand(2, 5 + 2 * margin, 9 + 2 * margin, generator=rng, dtype=torch.float64)
    found = nearest_patches(images, patch, radius, count, dilation)
    assert found.distances.shape == (2, 5, 9, count)
    for b, y, x in [(0, 0, 0), (0, 4, 8), (1, 2, 3)]:
        wanted = brute_force(
            images[b].numpy(), y + margin, x + margin, patch, radius, count, dilation
        )
        values, rows, columns = (np.array(v) for v in zip(*wanted, strict=True))
        assert np.allclose(found.distances[b, y, x], values, atol=1e-12)
        assert np.array_equal(found.rows[b, y, x], rows)
        assert np.array_equal(found.columns[b, y, x], columns)


def test_the_patch_itself_comes_first_even_among_equals():
    flat = torch.zeros(1, 40, 40)
    found = nearest_patches(flat, 7, 5, 4)
    assert (found.rows[..., 0] == 0).all()
    assert (found.columns[..., 0] == 0).all()


def test_strips_change_nothing(rng, monkeypatch):
    image = torch.rand(1, 60, 50, generator=rng)
    whole = nearest_patches(image, 7, 6, 8)
    monkeypatch.setattr(sys.modules["napari_credible.denoise.patch_groups"], "_AT_ONCE", 1)
    strips = nearest_patches(image, 7, 6, 8)
    assert torch.equal(whole.distances, strips.distances)
    assert torch.equal(whole.rows, strips.rows)


def test_gathered_patches_lie_where_the_search_says(rng):
    image = torch.rand(1, 1, 30, 30, generator=rng, dtype=torch.float64)
    near = nearest_patches(image[:, 0], 5, 4, 6)
    patches = F.unfold(image, 5).transpose(1, 2).reshape(1, 26, 26, 25)
    groups = gathered(patches, near, 4)
    distances = (groups - groups[:1]).square().mean(-1).permute(1, 2, 3, 0)
    assert torch.allclose(distances, near.distances, atol=1e-12)


def test_a_search_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="holds no 10 patches; widen the radius"):
        nearest_patches(torch.zeros(1, 30, 30), 7, 1, 10)
    with pytest.raises(ValueError, match="give more than 10 pixels"):
        nearest_patches(torch.zeros(1, 10, 30), 7, 2, 4)


def test_lidia_has_the_papers_count_of_parameters():
    assert sum(p.numel() for p in LIDIA().parameters()) == pytest.approx(61_589, rel=0.1)


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalisation_and_its_gradient(rng, training):
    z = (2 * torch.randn(2, 9001, 5, generator=rng, dtype=torch.float64) + 1).requires_grad_()
    norm = NormRelu(2, 5).double().train(training)
    torch.nn.init.normal_(norm.scale, generator=rng)
    torch.nn.init.normal_(norm.shift, generator=rng)
    norm.mean.normal_(generator=rng)
    mean = z.mean(1, keepdim=True) if training else norm.mean.clone()
    variance = (z - mean).square().mean(1, keepdim=True) if training else norm.variance
    plain = torch.relu((z - mean) / torch.sqrt(variance + 1e-5) * norm.scale + norm.shift)
    weights = torch.randn(z.shape, generator=rng, dtype=torch.float64)
    asked = (z, norm.scale, norm.shift)
    wanted = torch.autograd.grad((weights * plain).sum(), asked)
    found = torch.autograd.grad((weights * norm(z)).sum(), asked)
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-10)


def test_after_training_it_uses_what_training_met(rng):
    norm = NormRelu(1, 3)
    for _ in range(500):
        norm(3 * torch.randn(1, 400, 3, generator=rng) + 2)
    norm.eval()
    with torch.no_grad():
        alone = norm(torch.full((1, 1, 3), 5.0))
    assert torch.allclose(alone, torch.ones(1, 1, 3), atol=0.1)  # (5 - 2) / 3


def test_averaging_over_places_leaves_overlaps_that_agree(rng):
    """Features cut from one image agree already; noise in them falls by the overlaps."""
    image = torch.rand(1, 1, 27, 27, generator=rng)
    cut = F.unfold(image, 8).transpose(1, 2).reshape(1, 1, 20, 20, 64)
    assert torch.allclose(place_mean(cut), cut, atol=1e-5)
    noise = torch.randn(1, 1, 40, 40, 64, generator=rng)
    inside = place_mean(noise)[:, :, 7:-7, 7:-7]
    assert float(inside.std()) == pytest.approx(1 / math.sqrt(64), rel=0.05)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    net = LIDIA(LIDIAShape(radius=3, group=5)).eval().requires_grad_(False)
    for name, value in net.named_parameters():
        if name.startswith("last"):
            value.normal_()
    return net


@pytest.mark.parametrize("side", [20, 50])
def test_tiles_within_the_network_change_nothing(small, side, monkeypatch, rng):
    x = torch.rand(1, 1, 61, 47, generator=rng)
    whole = small(x, torch.tensor([0.1]))
    monkeypatch.setattr(sys.modules["napari_credible.denoise.lidia"], "_TILE", side)
    assert torch.allclose(small(x, torch.tensor([0.1])), whole, atol=1e-5 * float(whole.std()))


@pytest.mark.parametrize(("scale", "shift"), [(7.0, 0.0), (0.5, 100.0)])
def test_lidia_follows_any_unit(small, rng, scale, shift):
    x = torch.rand(1, 1, 40, 40, generator=rng, dtype=torch.float64)
    double, sigma = small.double(), torch.tensor([0.2], dtype=torch.float64)
    moved = double(scale * x + shift, scale * sigma)
    assert torch.allclose(moved, scale * double(x, sigma), atol=1e-6)
    small.float()
