"""Samplers of P(x | y), y = H x + n, against closed forms; bars in standard errors."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from linear import SIDE, drawn, exact, matrix_of, surprises
from napari_credible.colours import Opponent
from napari_credible.denoise.oracles import GaussianPrior, PowerLawPrior
from napari_credible.operators import (
    Bayer,
    Blur,
    CompressedSensing,
    Downsample,
    Identity,
    Mask,
    Operator,
    Radon,
)
from napari_credible.problem import Problem
from napari_credible.samplers import (
    Ddrm,
    Kadkhodaie,
    Langevin,
    Mmps,
    Multistep,
    Snips,
    walk,
    walk_given,
)
from napari_credible.samplers.conditional import Conditional
from napari_credible.samplers.mmps import APART, MIXED

DRAWS = 200
# Conjugate gradients to the end: what is tested is the sampler, not where they stop.
SURE = Mmps(products=2000, tolerance=1e-6, highest=6.0)
RNG = np.random.default_rng(0)
# Blurs by 3 x 3 pixels, and so much that it forgets the finest waves.
SOFT = Blur(np.outer([1, 2, 1], [1, 2, 1]))
HALF = Mask(RNG.random((SIDE, SIDE)) < 0.5)
OPERATORS = {
    "identity": Identity(),
    "mask": HALF,
    "circular blur": SOFT,
    "blur, dark outside": Blur.uniform(3, "zero"),
    "blur of a larger image": Blur.uniform(3, "valid"),
    "downsample": Downsample(2),
    "compressed sensing": CompressedSensing(0.25, 1),
    "radon": Radon(np.arange(4) * 45.0),
    "bayer": Bayer("RGGB"),
    "mask after blur": HALF @ SOFT,
}


class NoFactors(Operator):
    """An operator of which only H is written."""

    def apply(self, x):
        return x.flip(-1) + 0.5 * x.roll(1, -1)


def prior_of(operator):
    one = PowerLawPrior()
    return Opponent([one] * 3) if operator.image_ndim == 3 else one


CASES = [(name, sigma) for name in OPERATORS for sigma in (0.1, 0.6)]


@pytest.mark.parametrize(("name", "sigma"), [c for c in CASES if c != ("radon", 0.1)])
def test_mmps_draws_follow_the_exact_posterior(name, sigma):
    operator = OPERATORS[name]
    known = exact(operator, sigma, prior_of(operator))
    assert max(surprises(drawn(SURE, known, DRAWS), known).values()) < 4


def test_mmps_needs_only_the_operator_itself():
    known = exact(NoFactors(), 0.3)
    assert max(surprises(drawn(SURE, known, DRAWS), known).values()) < 4


def test_mmps_takes_noise_that_differs_from_datum_to_datum():
    levels = torch.tensor(np.random.default_rng(1).uniform(0.05, 1.5, (SIDE, SIDE)))
    known = exact(SOFT, levels)
    assert max(surprises(drawn(SURE, known, DRAWS), known).values()) < 4
    uniform = replace(known, problem=replace(known.problem, deviation=levels.mean()))
    assert max(surprises(drawn(SURE, uniform, DRAWS), known).values()) > 4


def test_mmps_never_looks_at_what_is_not_observed():
    known = exact(HALF, 0.3)
    data = torch.where(known.problem.observed, known.problem.data, torch.nan)
    hidden = replace(known, problem=replace(known.problem, data=data))
    assert torch.equal(drawn(SURE, hidden, 4), drawn(SURE, known, 4))


def test_any_sampler_steps_the_denoiser_that_knows_the_data():
    """From pure noise at a level that covers the prior, with no word of H to the sampler."""
    known = exact(HALF, 0.3)
    given = Conditional(known.prior, known.problem, 2000, 1e-6)
    rng = torch.Generator().manual_seed(0)
    highest = 24.0

    def noise():
        return torch.randn((DRAWS, 1, SIDE, SIDE), generator=rng, dtype=torch.float64)

    sampler = Multistep(60, lowest=0.002)
    state = sampler.start(given, highest * noise(), highest)
    for number in range(sampler.steps):
        state = sampler.step(state, number, given, noise)
    assert max(surprises(state.clean, known).values()) < 4


def test_the_denoiser_that_knows_the_data_is_exact():
    """On a Gaussian prior D_y(x, s) is the mean under both the state and the data."""
    known = exact(Downsample(2), 0.3)
    x, level = torch.randn(1, 1, SIDE, SIDE, dtype=torch.float64), 0.7
    found = Conditional(known.prior, known.problem, 500, 1e-12)(x, level)
    eye = torch.eye(SIDE**2, dtype=torch.float64)
    precision = torch.linalg.inv(known.covariance) + eye / level**2
    right = torch.linalg.solve(known.covariance, known.mean) + x.flatten() / level**2
    torch.testing.assert_close(found.flatten(), torch.linalg.solve(precision, right))


def test_a_denoiser_that_torch_cannot_differentiate_serves_as_well():
    known = exact(HALF, 0.3)

    def through_numpy(x, sigma):
        return torch.from_numpy(known.prior(torch.from_numpy(x.numpy()), sigma).numpy())

    through, sure = replace(known, prior=through_numpy), replace(SURE, trust=0.0)
    torch.testing.assert_close(drawn(sure, through, 3), drawn(sure, known, 3), rtol=1e-3, atol=1e-3)


# A denoiser that is no posterior mean.


@pytest.mark.parametrize("name", ["circular blur", "mask after blur"])
def test_data_are_taken_no_sharper_than_is_said(name):
    """By singular values, and by products alone where noise differs or H has no fast factors."""
    operator, levels = OPERATORS[name], torch.full((SIDE, SIDE), 0.3, dtype=torch.float64)
    if operator is SOFT:
        plain = exact(operator, 0.3)
    else:
        levels[:, ::2] = 0.1
        plain = exact(operator, levels)
    problem, level = plain.problem, 0.9
    seen = problem.observed.flatten()
    root = problem.weight.flatten().sqrt()
    whole = root[:, None] * matrix_of(problem.operator, (SIDE, SIDE))
    values, vectors = torch.linalg.eigh(whole @ whole.T)
    wanted = vectors @ torch.diag((level**2 * values).clamp(min=1)) @ vectors.T
    share = torch.ones_like(problem.weight)
    crooked = torch.ones(SIDE**2, dtype=torch.bool)
    product = Conditional(plain.prior, problem)._noise(share, level, crooked)
    found = matrix_of(product, (SIDE, SIDE))
    assert float((found - wanted)[:, seen].norm()) < 0.02 * float(wanted.norm())
    for least, which in ((1e-3, crooked), (level, ~crooked)):
        product = Conditional(plain.prior, problem)._noise(share, least, which)
        assert torch.equal(product(share), share)


def test_only_a_crooked_denoiser_is_trusted_less():
    """The Jacobian of a posterior mean is symmetric; where it is seen to be, nothing changes."""
    known = exact(SOFT, 0.02)
    bent = torch.randn(SIDE**2, SIDE**2, generator=torch.Generator().manual_seed(0)).double()

    def crooked(x, sigma):
        return known.prior(x, sigma) + 0.01 * (x.flatten(1) @ bent).reshape(x.shape)

    free = replace(SURE, trust=0.0)
    assert torch.equal(drawn(SURE, known, 2), drawn(free, known, 2))
    wrong = replace(known, prior=crooked)
    assert not torch.equal(drawn(Mmps(), wrong, 2), drawn(Mmps(trust=0.0), wrong, 2))


@dataclass(frozen=True)
class Blind(Mmps):
    """Never looks at the data."""

    def given(self, denoise, problem):
        return denoise


@dataclass(frozen=True)
class Certain(Mmps):
    """Draws with half the spread."""

    def step(self, state, number, denoise, problem, noise):
        return super().step(state, number, denoise, problem, lambda: 0.5 * noise())


@dataclass(frozen=True)
class Isotropic(Mmps):
    """Takes the posterior covariance of the image for white, with the right trace."""

    def given(self, denoise, problem):
        def white(x, sigma):
            clean = denoise(x, sigma)
            share = 1 / (1 + sigma**2)  # the pixels of the prior have variance 1
            return clean.detach() + share * (x - x.detach()) if x.requires_grad else clean

        return Conditional(white, problem, self.products, self.tolerance, APART[1])


def test_products_are_few_where_each_datum_is_one_coordinate():
    """Masks, larger pixels, Bayer and compressed sensing; asked for, they are as many as that."""
    for name, operator in OPERATORS.items():
        known = exact(operator, 0.3, prior_of(operator))
        apart = name in ("identity", "mask", "downsample", "bayer", "compressed sensing")
        given = Mmps().given(known.prior, known.problem)
        assert (given.products, given.trust) == (APART if apart else MIXED), name
        asked = Mmps(products=4, trust=0.0).given(known.prior, known.problem)
        assert (asked.products, asked.trust) == (4, 0.0)


@pytest.mark.parametrize("impostor", [Blind, Certain, Isotropic])
def test_the_bar_rejects_an_impostor(impostor):
    known = exact(OPERATORS["circular blur"], 0.3)
    sampler = impostor(products=200, tolerance=1e-6, highest=6.0)
    assert max(surprises(drawn(sampler, known, 3 * DRAWS), known).values()) > 4


def test_the_bar_rejects_ddrm():
    known = exact(OPERATORS["circular blur"], 0.3)
    assert max(surprises(drawn(Ddrm(), known, DRAWS), known).values()) > 4


# SNIPS.


def test_snips_is_the_stochastic_denoiser_for_the_identity():
    """To float precision, given equal numbers and equal noise."""
    prior, sigma = PowerLawPrior(), 0.4
    y = torch.randn(SIDE, SIDE, dtype=torch.float64)
    problem = Problem.of(Identity(), y, sigma, 0.0, 1e-3)  # no level above the data's
    numbers = {"ladder": 10, "inner": 3, "lowest": 0.05, "size": 0.1}

    def noise(skipped):
        rng = torch.Generator().manual_seed(3)
        for _ in range(skipped):
            torch.randn(4, 1, SIDE, SIDE, generator=rng, dtype=torch.float64)
        return lambda: torch.randn(4, 1, SIDE, SIDE, generator=rng, dtype=torch.float64)

    # SNIPS asks for the noise of its start, of which none is needed here.
    *_, ours = walk_given(Snips(**numbers), prior, problem, noise(0))
    *_, theirs = walk(Langevin(**numbers), prior, y[None, None], sigma, noise(1), 4)
    torch.testing.assert_close(ours.clean, theirs.clean, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["mask", "downsample", "compressed sensing"])
def test_snips_is_consistent_with_the_data_and_true_where_they_are_silent(name):
    """|y - H v|^2 / (M sigma^2) is 1; what H does not see has the prior's variance."""
    wide = Mask(np.random.default_rng(0).random((16, 16)) < 0.5)
    operator = wide if name == "mask" else OPERATORS[name]
    known = exact(operator, 0.4, GaussianPrior(0.0, 1.0), side=16)
    draws = drawn(Snips(), known, 40)
    misfit = float(known.problem.misfit(draws).mean())
    assert abs(misfit - 1) < 0.05
    assert abs(misfit - expected_misfit(known)) < 0.05
    unseen = known.problem.to_spectral(draws)[:, known.problem.factors.singular_values == 0]
    error = (2 / unseen.numel()) ** 0.5
    # Documented: 3 % too much.
    assert -4 * error < float(unseen.square().mean()) - 1 < 0.03 + 4 * error


def expected_misfit(known):
    """Return the posterior's mean of |y - H v|^2 / (M sigma^2): near 1, not 1, for one y."""
    matrix, problem = known.matrix, known.problem
    seen = problem.observed.flatten()
    residual = problem.data.flatten()[seen] - matrix @ known.mean
    spread = torch.trace(matrix @ known.covariance @ matrix.T)
    return float((residual.square().sum() + spread) / (len(matrix) * problem.level**2))


def test_snips_is_right_within_its_documented_bias():
    known = exact(OPERATORS["downsample"], 0.4)
    draws = drawn(Snips(), known, 200).flatten(1)
    slope = float(draws.mean(0) @ known.mean / (known.mean @ known.mean))
    variance = float((draws - draws.mean(0)).square().sum() / 199 / torch.trace(known.covariance))
    error = (torch.trace(known.covariance) / 200).sqrt() / known.mean.norm()
    assert abs(slope - 1) < 0.03 + 4 * float(error)
    assert 0.90 < variance < 1.10


@dataclass(frozen=True)
class AsPublished(Snips):
    """The published program's slice: with an H of full rank the data are never looked at."""

    def _score(self, x, prior, level, values, y, sigma):
        return prior, torch.full_like(values, level**2)


def test_the_bar_of_snips_rejects_the_published_slice():
    known = exact(SOFT, 0.4)
    numbers = {"ladder": 60, "inner": 5}
    assert abs(float(known.problem.misfit(drawn(Snips(**numbers), known, 50)).mean())
               - expected_misfit(known)) < 0.05  # fmt: skip
    wrong = known.problem.misfit(drawn(AsPublished(**numbers), known, 50)).mean()
    assert float(wrong) > 2


# DDRM.


def test_ddrm_keeps_noise_free_data_to_float_precision():
    for name in ("mask", "downsample", "compressed sensing"):
        known = exact(OPERATORS[name], 0.0 + 1e-300)
        problem = replace(known.problem, deviation=torch.zeros((), dtype=torch.float64))
        draws = drawn(Ddrm(), replace(known, problem=problem), 3)
        off = torch.where(problem.observed, problem.forward(draws) - problem.y, 0).abs().max()
        assert float(off) < 1e-12


def test_ddrm_asks_no_denoiser_about_noise_far_above_the_image():
    problem = exact(HALF, 0.1).problem
    assert max(Ddrm().levels(problem)) == 2 * problem.span
    assert max(Ddrm(highest=1e6).levels(problem)) > 48 * problem.span


def test_ddrms_variance_deficit_is_what_is_said():
    """H = 1, prior 0.25, noise 0.2, range 1: 0.38 of the variance, mean pulled to 0.89."""
    prior, sigma = GaussianPrior(0.0, 0.25), 0.2
    y = torch.linspace(-1, 1, 256, dtype=torch.float64).reshape(16, 16)
    problem = Problem.of(Identity(), y, sigma, 0.0, 1.0)
    rng = torch.Generator().manual_seed(0)
    *_, last = walk_given(
        Ddrm(), prior, problem,
        lambda: torch.randn(500, 1, 16, 16, generator=rng, dtype=torch.float64),
    )  # fmt: skip
    mean = last.clean.mean(0)[0]
    slope = float((mean * prior(y[None, None], sigma)[0, 0]).sum()
                  / prior(y[None, None], sigma).square().sum())  # fmt: skip
    ratio = float(last.clean.var(0).mean()) / prior.posterior_std(sigma) ** 2
    assert ratio == pytest.approx(0.376, abs=0.01)
    assert slope == pytest.approx(0.89, abs=0.01)


# Kadkhodaie and Simoncelli.


def low_rank(n, rank, seed=0):
    """Return a denoiser of a prior on a subspace, told no more than a level, and its basis."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(n, rank, generator=rng, dtype=torch.float64))[0]

    def denoise(x, sigma):
        inside = x.flatten(1) @ basis
        return (inside / (1 + sigma**2) @ basis.T).reshape(x.shape)

    return denoise, basis


def levels_of(sampler, problem, denoise, shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    going = walk_given(
        sampler, denoise, problem, lambda: torch.randn(shape, generator=rng, dtype=torch.float64)
    )
    states = []
    for state in going:
        states.append(state)
        if state.before is not None:
            break
    return states


def test_the_levels_of_kadkhodaie_and_simoncelli_fall_as_published():
    """Synthesis at beta 0.5: 0.952, 0.805, 0.610, 0.417, 0.259, 0.147 at steps 5, 10, ... 30."""
    denoise, _ = low_rank(400, 8)
    nothing = np.zeros((20, 20), bool)
    nothing[0, 0] = True
    y = torch.zeros(20, 20, dtype=torch.float64)
    problem = Problem.of(Mask(nothing), y, 0.0, 0.0, 1.0)
    sampler = Kadkhodaie(beta=0.5)
    states = levels_of(sampler, problem, denoise, (1, 1, 20, 20))
    found = [states[k].level for k in (5, 10, 15, 20, 25, 30)]
    assert found == pytest.approx([0.952, 0.805, 0.610, 0.417, 0.259, 0.147], rel=0.08)
    assert 40 < len(states) < 56
    assert sampler.evaluations == 48


def test_kadkhodaie_and_simoncelli_obey_the_data_and_hasten_with_beta():
    denoise, basis = low_rank(400, 8)
    truth = (basis @ torch.ones(8, dtype=torch.float64)).reshape(20, 20)
    seen = np.random.default_rng(0).random((20, 20)) < 0.3
    problem = Problem.of(Mask(seen), truth, 0.0, -0.5, 0.5)
    counts = []
    for beta in (0.05, 0.1, 0.5, 1.0):
        states = levels_of(Kadkhodaie(beta=beta), problem, denoise, (1, 1, 20, 20))
        off = (states[-1].clean[0, 0] - truth)[torch.from_numpy(seen)]
        assert float(off.abs().max()) < 1e-12
        before = (states[-1].x[0, 0] - truth)[torch.from_numpy(seen)]
        assert float(before.square().mean().sqrt()) < 0.03
        counts.append(len(states))
    assert counts == sorted(counts, reverse=True)
    again = levels_of(Kadkhodaie(beta=0.5), problem, denoise, (1, 1, 20, 20))
    repeated = levels_of(Kadkhodaie(beta=0.5), problem, denoise, (1, 1, 20, 20))
    assert torch.equal(again[-1].clean, repeated[-1].clean)


def test_matrices_of_the_tests_are_the_operators():
    x = torch.randn(1, SIDE, SIDE, dtype=torch.float64)
    blur = SOFT
    torch.testing.assert_close(matrix_of(blur, (SIDE, SIDE)) @ x.flatten(), blur(x).flatten())
