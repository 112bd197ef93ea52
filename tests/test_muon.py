"""Muon: steps whose singular values are alike, as large as AdamW's."""

import pytest
import torch

from napari_credible.denoise.unet import UNet, UNetShape
from napari_credible.learning.descent import optimisers_of
from napari_credible.learning.muon import Muon, orthogonal


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def singular(matrix):
    return torch.linalg.svdvals(matrix)


@pytest.mark.parametrize("shape", [(64, 576), (128, 1152), (96, 64), (16, 16)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_singular_values_become_alike_and_vectors_stay(shape, scale, rng):
    matrix = scale * torch.randn(shape, generator=rng)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix)
    along = torch.einsum("rk,rc,kc->k", left, found, right)
    known = values > 1e-2 * matrix.norm()
    assert ((along > 0.6) & (along < 1.3))[known].all()
    across = (found - left @ torch.diag(along) @ right).norm()
    assert across < 0.05 * found.norm()
    plain = singular(matrix / matrix.norm())  # the impostor: scaled alone
    assert plain.max() / plain.min() > 1.5


def test_a_step_is_as_large_as_one_of_adamw(rng):
    filters = torch.nn.Parameter(torch.zeros(32, 16, 3, 3))
    filters.grad = torch.randn(filters.shape, generator=rng)
    Muon([filters], rate=1e-2).step()
    assert float(filters.detach().square().mean().sqrt()) == pytest.approx(0.2e-2, rel=0.2)


def test_rare_directions_are_learned_as_fast_as_frequent_ones(rng):
    """Least squares with inputs of very unlike power, AdamW and Muon for as many steps."""
    power = torch.logspace(0, -2, 32)
    wanted = torch.randn(32, 32, generator=rng)
    turn = torch.linalg.qr(torch.randn(32, 32, generator=rng)).Q

    def left(optimiser_of):
        guess = torch.nn.Parameter(torch.zeros(32, 32))
        optimiser = optimiser_of(guess)
        for step in range(300):
            optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
            optimiser.zero_grad()
            (((guess - wanted) @ turn * power) ** 2).sum().backward()
            optimiser.step()
        return float((guess - wanted).square().mean().detach())

    muon = left(lambda p: Muon([p], 0.1))
    adamw = left(lambda p: torch.optim.AdamW([p], 0.1, weight_decay=0))
    assert muon < 0.5 * adamw


def test_each_parameter_has_one_optimiser_and_the_ends_have_adamw():
    net = UNet(UNetShape((8, 16), 1))
    muon, adamw = optimisers_of(net, 1e-3, muon=True)
    ends = {id(value) for value in adamw.param_groups[0]["params"]}
    inner = {id(value) for value in muon.param_groups[0]["params"]}
    assert ends == {id(net.head.weight), id(net.tail.weight)}
    assert inner == {id(value) for value in net.parameters()} - ends
