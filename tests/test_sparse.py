"""Sparse coding: pursuit, K-SVD, soft thresholding, and the unfolded iterations' laws."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_credible.denoise.csc import CSCNet, CSCShape, largest_eigenvalue
from napari_credible.denoise.deep_ksvd import DeepKSVD, DeepKSVDShape
from napari_credible.denoise.dictionary import dct_dictionary, lapped_cosines
from napari_credible.denoise.ksvd import KSVD, learned_dictionary
from napari_credible.denoise.pursuit import coefficients, matching_pursuit
from napari_credible.denoise.shrink import shrink


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def textbook_pursuit(patch, dictionary, error, most):
    """Least squares on the chosen atoms, anew after each choice."""
    chosen, residual = [], patch
    while len(chosen) < most and residual @ residual > error:
        chosen.append(int(np.abs(residual @ dictionary).argmax()))
        values = np.linalg.lstsq(dictionary[:, chosen], patch, rcond=None)[0]
        residual = patch - dictionary[:, chosen] @ values
    return chosen, patch - residual


def test_pursuit_is_the_textbooks(rng):
    dictionary = dct_dictionary(8, 256).double()
    patches = torch.randn(60, 64, generator=rng, dtype=torch.float64)
    error = torch.linspace(0, 60, 60, dtype=torch.float64)
    found = matching_pursuit(patches, dictionary, error, 12)
    for k in range(60):
        atoms, approximation = textbook_pursuit(
            patches[k].numpy(), dictionary.numpy(), float(error[k]), 12
        )
        assert [a for a in found.atoms[k].tolist() if a >= 0] == atoms
        assert np.allclose(found.approximation[k], approximation, atol=1e-10)


def test_codes_give_the_pursuits_approximation(rng):
    dictionary = dct_dictionary(8, 256).double()
    patches = torch.randn(40, 64, generator=rng, dtype=torch.float64)
    found = matching_pursuit(patches, dictionary, torch.full((40,), 20.0), 16)
    codes = coefficients(patches, dictionary, found.atoms)
    assert torch.allclose(codes @ dictionary.T, found.approximation, atol=1e-4)
    assert torch.equal((codes != 0).sum(1), (found.atoms >= 0).sum(1))


def test_a_pursuit_of_all_pixels_ends_exactly(rng):
    patches = torch.randn(20, 64, generator=rng)
    found = matching_pursuit(patches, dct_dictionary(8, 256), torch.zeros(20), 64)
    assert torch.allclose(found.approximation, patches, atol=1e-4)
    with pytest.raises(ValueError, match="give 1 to 64"):
        matching_pursuit(patches, dct_dictionary(8, 256), torch.zeros(20), 65)


def planted(rng, atoms=30, pixels=20, patches=3000, used=2):
    """Return a random dictionary and sparse combinations of it."""
    dictionary = F.normalize(torch.randn(pixels, atoms, generator=rng), dim=0)
    codes = torch.zeros(patches, atoms)
    which = torch.stack([torch.randperm(atoms, generator=rng)[:used] for _ in range(patches)])
    codes.scatter_(1, which, torch.randn(patches, used, generator=rng))
    return dictionary, codes @ dictionary.T


def recovered(found, truth):
    """Return the share of atoms that were found, up to their sign."""
    return float(((found.T @ truth).abs().amax(0) > 0.99).float().mean())


def test_ksvd_finds_a_planted_dictionary(rng):
    truth, patches = planted(rng)
    start = F.normalize(patches[:30].T, dim=0)
    exact = torch.full((len(patches),), 1e-8)
    found = learned_dictionary(patches, start, exact, rounds=40, most=2)
    assert recovered(start, truth) < 0.2
    assert recovered(found, truth) > 0.8
    assert torch.allclose(found.norm(dim=0), torch.ones(30), atol=1e-5)


def test_ksvd_leaves_no_more_noise_than_it_may(scene):
    """Its residual is white noise of the stated level, less what the patches took in."""
    clean = torch.from_numpy(scene[:96, :96].astype(np.float32))[None, None]
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = KSVD()(noisy, 0.1)
    assert 0.9 < float((noisy - found).std()) / 0.1 < 1.02
    assert float((found - clean).square().mean()) < 0.1 * 0.1**2


def test_adapting_to_the_image_gains_where_it_repeats_what_photographs_do_not():
    """A lattice of one odd motif: its own dictionary needs fewer atoms for it."""
    rng = torch.Generator().manual_seed(3)
    clean = torch.rand(7, 7, generator=rng).round().tile(12, 12)[None, None]
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=rng)
    general = KSVD()
    own = general.adapted(noisy, 0.3, rounds=5)
    before, after = (float((d(noisy, 0.3) - clean).square().mean()) for d in (general, own))
    assert 10 * math.log10(before / after) > 1.0
    assert not torch.equal(own.dictionary, general.dictionary)


def test_soft_thresholding_is_odd_and_does_not_expand(rng):
    a, b = torch.randn(2, 5000, generator=rng)
    assert torch.equal(shrink(-a, torch.tensor(0.3)), -shrink(a, torch.tensor(0.3)))
    shrunk = shrink(a, torch.tensor(0.3)) - shrink(b, torch.tensor(0.3))
    assert ((shrunk.abs() - (a - b).abs()) < 1e-6).all()


def test_its_lean_gradient_is_the_gradient(rng):
    codes = torch.randn(7, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    threshold = torch.rand(7, 1, generator=rng, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(shrink, (codes, threshold))


def tied(shape: CSCShape, threshold: float) -> CSCNet:
    """Return a network that is plain iterative soft thresholding over its first atoms."""
    net = CSCNet(shape).eval().requires_grad_(False)
    net.log_threshold.fill_(math.log(max(threshold, 1e-30)))
    net.power.zero_()
    return net


def test_unfolded_steps_reach_the_lasso_optimum_of_an_orthonormal_dictionary(rng):
    """min 1/2 |A z - y|^2 + t |z|_1 has the closed form S_t(A' y) where A' A = 1."""
    y = torch.randn(1, 1, 40, 40, generator=rng)
    net = tied(CSCShape(filters=64, kernel=8, stride=8, shifts=1), 0.3)
    wanted = shrink(net.analysis().T @ F.unfold(y, 8, stride=8), torch.tensor(0.3))
    assert torch.allclose(net.code(y, torch.ones(1)), wanted, atol=1e-5)
    deep = DeepKSVD(DeepKSVDShape(atoms=64)).requires_grad_(False)
    deep.dictionary.set(lapped_cosines(8, 8))
    deep.curvature.fill_(1.0)
    p = torch.randn(50, 64, generator=rng)
    wanted = shrink(p @ deep.dictionary(), torch.tensor(0.3))
    assert torch.allclose(deep.code(p, torch.full((50, 1), 0.3)), wanted, atol=1e-5)


def subgradient_gap(dictionary: Tensor, p: Tensor, codes: Tensor, penalty: float) -> float:
    """Return how far codes are from the LASSO's optimality conditions."""
    along = (p - codes @ dictionary.T) @ dictionary
    inactive = (along.abs() - penalty).clamp_min(0)
    active = (along - penalty * codes.sign()).abs()
    return float(torch.where(codes == 0, inactive, active).max())


@pytest.mark.parametrize(("curvature", "right"), [(1.0, True), (4.0, False)])
def test_many_steps_reach_the_lasso_optimum_of_any_dictionary(rng, curvature, right):
    """The impostor has thresholds that do not fit its step: it ends, but elsewhere."""
    net = DeepKSVD(DeepKSVDShape(unfoldings=4000)).double().requires_grad_(False)
    p = torch.randn(20, 64, generator=rng, dtype=torch.float64)
    codes = net.code(p, torch.full((20, 1), 0.5 * curvature, dtype=torch.float64))
    assert (subgradient_gap(net.dictionary(), p, codes, 0.5) < 5e-3) == right


@pytest.mark.parametrize("net", [CSCShape(shifts=1), CSCShape(filters=100, shifts=1)])
def test_without_thresholds_each_step_lowers_the_residual(net, rng):
    y = torch.rand(1, 1, 64 + 11, 64 + 11, generator=rng)
    errors = []
    for unfoldings in range(1, 9):
        torch.manual_seed(1)
        step = tied(replace(net, unfoldings=unfoldings), 0.0)
        codes = step.code(y, torch.ones(1))
        errors.append(float((step._sum(step.synthesis() @ codes, y.shape) - y).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.7 * errors[0]


def test_the_first_atoms_are_a_tight_frame(rng):
    atoms = lapped_cosines(11, 8)
    assert largest_eigenvalue(atoms.T, CSCShape()) == pytest.approx(1, abs=1e-5)
    x = torch.randn(1, 1, 83, 83, generator=rng)
    back = F.fold(atoms @ (atoms.T @ F.unfold(x, 11, stride=8)), (83, 83), 11, stride=8)
    assert torch.allclose(back[..., 3:-3, 3:-3], x[..., 3:-3, 3:-3], atol=1e-5)
    unlapped = dct_dictionary(11, 121)
    assert abs(largest_eigenvalue(unlapped.T, CSCShape()) - 1) > 0.5


def test_cosines_are_unit_atoms_and_all_but_the_first_have_mean_zero():
    atoms = dct_dictionary(8, 256)
    assert torch.allclose(atoms.norm(dim=0), torch.ones(256), atol=1e-6)
    assert atoms[:, 1:].reshape(8, 8, -1)[..., 15:].sum((0, 1)).abs().max() < 1e-4
    with pytest.raises(ValueError, match="such as 225"):
        dct_dictionary(8, 250)


@pytest.mark.parametrize("fault", [{"shifts": 3}, {"shifts": 25}, {"kernel": 7}])
def test_shifts_that_do_not_fit_are_refused(fault):
    with pytest.raises(ValueError, match="do not fit"):
        CSCShape(**fault)


def test_weights_with_one_threshold_for_all_steps_are_read_as_the_same_network(rng):
    net, again = CSCNet(CSCShape(unfoldings=3)), CSCNet(CSCShape(unfoldings=3))
    values = dict(net.state_dict())
    for name in ("log_threshold", "power"):
        values[name] = torch.rand(175, generator=rng)
    again.load_state_dict(values)
    for name in ("log_threshold", "power"):
        assert torch.equal(again.state_dict()[name], values[name].expand(3, 175))


def test_each_step_has_thresholds_of_its_own(rng):
    net = CSCNet(CSCShape(filters=64, kernel=8, unfoldings=2, shifts=1)).requires_grad_(False)
    y = torch.randn(1, 1, 40, 40, generator=rng)
    before = net.code(y, torch.ones(1))
    net.log_threshold[1].fill_(100.0)
    assert before.abs().max() > 0
    assert net.code(y, torch.ones(1)).abs().max() == 0


def test_the_papers_counts_of_parameters():
    def count(net):
        return sum(p.numel() for p in net.parameters())

    ours = [count(DeepKSVD(DeepKSVDShape(stages=n))) for n in (1, 2, 3)]
    assert np.allclose(ours, [35_138, 53_891, 72_644], atol=1)  # one more: the blend's error
    assert count(CSCNet()) == pytest.approx(63_700, rel=0.1)
