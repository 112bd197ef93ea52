"""PnP and RED against closed forms for a linear denoiser, and each other."""

import numpy as np
import pytest
import torch
from skimage import restoration

import napari_credible as nc
from linear import SIDE, exact, matrix_of
from napari_credible.conjugate import conjugate_gradients
from napari_credible.denoise.oracles import PowerLawPrior
from napari_credible.krylov import function_of
from napari_credible.operators import Blur, Downsample, Mask
from napari_credible.samples import SAMPLES
from napari_credible.solvers import Pnp, Red, solve
from napari_credible.solvers.protocol import least_squares, noise_in_image

SIGMA, PRIOR = 0.4, PowerLawPrior()
SOFT = Blur(np.outer([1, 2, 1], [1, 2, 1]))
HALF = Mask(np.random.default_rng(0).random((SIDE, SIDE)) < 0.5)
OPERATORS = {
    "blur": SOFT,
    "mask": HALF,
    "downsample": Downsample(2),
    "blur, dark outside": Blur(SOFT.psf, "zero"),
}


def parts(known, level):
    """Return H'WH, H'Wy and the denoiser's matrix at a level."""
    seen = known.problem.observed.flatten()
    gram = known.matrix.T @ known.matrix / SIGMA**2
    right = known.matrix.T @ known.problem.data.flatten()[seen] / SIGMA**2
    wiener = matrix_of(lambda x: PRIOR(x.reshape(-1, 1, SIDE, SIDE), level), (SIDE, SIDE))
    return gram, right, wiener


def end(solver, problem):
    """Return the image after all steps."""
    for now, _ in solve(solver, PRIOR, problem):
        last = now
    return last.x.flatten()


def off(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("form", ["fixed", "descent"])
@pytest.mark.parametrize("name", OPERATORS)
def test_red_reaches_its_closed_form(name, form):
    known = exact(OPERATORS[name], SIGMA)
    # Steepest descent is slow where H does not see: 100 steps leave 0.3 %.
    solver = Red(100 if form == "fixed" else 2000, form, level=2.0, strength=0.7, tolerance=0.0)
    level = 2.0 * noise_in_image(known.problem)
    gram, right, wiener = parts(known, level)
    eye = torch.eye(SIDE**2, dtype=torch.float64)
    wanted = torch.linalg.solve(gram + 0.7 / level**2 * (eye - wiener), right)
    assert off(end(solver, known.problem), wanted) < 1e-6


@pytest.mark.parametrize("name", OPERATORS)
def test_pnp_reaches_its_closed_form(name):
    known = exact(OPERATORS[name], SIGMA)
    solver = Pnp(100, "admm", level=2.0, strength=0.7, tolerance=0.0)
    level = 2.0 * noise_in_image(known.problem)
    gram, right, wiener = parts(known, level)
    eye = torch.eye(SIDE**2, dtype=torch.float64)
    wanted = torch.linalg.solve(gram + 0.7 / level**2 * (torch.linalg.inv(wiener) - eye), right)
    assert off(end(solver, known.problem), wanted) < 1e-6


@pytest.mark.parametrize("level", [1.5, 3.0])
def test_pnp_is_the_posterior_mean_if_and_only_if_beta_fits_the_level(level):
    """beta = 1 / sigma_d^2, whatever sigma_d."""
    known = exact(SOFT, SIGMA)
    assert off(end(Pnp(100, "admm", level, 1.0, tolerance=0.0), known.problem), known.mean) < 1e-6
    for strength in (0.5, 2.0):
        wrong = Pnp(100, "admm", level, strength, tolerance=0.0)
        assert off(end(wrong, known.problem), known.mean) > 0.01


def test_red_is_not_the_posterior_mean():
    known = exact(SOFT, SIGMA)
    assert off(end(Red(200, level=2.0, tolerance=0.0), known.problem), known.mean) > 0.01


def test_the_fitted_twin_meets_the_denoised_one():
    known = exact(SOFT, SIGMA)
    gaps = [
        float((now.x - now.other).norm())
        for now, _ in solve(Pnp(100, "admm", 2.0, tolerance=0.0), PRIOR, known.problem)
    ]
    assert gaps[-1] < 1e-6 * max(gaps)


@pytest.mark.parametrize("name", OPERATORS)
def test_least_squares_is_exact_with_factors_and_without(name):
    known = exact(OPERATORS[name], SIGMA)
    near = torch.randn(1, 1, SIDE, SIDE, dtype=torch.float64)
    gram, right, _ = parts(known, 1.0)
    eye = torch.eye(SIDE**2, dtype=torch.float64)
    wanted = torch.linalg.solve(gram + 3 * eye, right + 3 * near.flatten())
    torch.testing.assert_close(least_squares(known.problem, near, 3.0).flatten(), wanted)
    # No more one level, so conjugate gradients.
    levels = SIGMA * (1 + 1e-5 * torch.rand_like(known.problem.data))
    uneven = type(known.problem).of(known.problem.operator, known.problem.data, levels, -2, 2)
    assert uneven.sigma is None
    found = least_squares(uneven, near, 3.0).flatten()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_the_level_of_half_quadratic_splitting_falls_to_that_of_the_data():
    problem = exact(SOFT, SIGMA).problem
    levels = [Pnp(8).sigma(k, problem) for k in range(8)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(0.2 * 4)
    assert levels[-1] == pytest.approx(SIGMA, rel=0.01)


def test_a_hole_is_filled_sooner_where_reds_level_falls():
    """What nothing sees comes from its neighbours, from afar only at a high level."""
    hole = np.ones((SIDE, SIDE), dtype=bool)
    hole[2:-2, 2:-2] = False
    known = exact(Mask(hole), 0.05)
    wanted = end(Red(3000, level=1.0, tolerance=0.0), known.problem)
    far = {
        falling: off(end(Red(24, falling=falling, tolerance=0.0), known.problem), wanted)
        for falling in (0, 12)
    }
    assert far[12] < 0.5 * far[0]


def test_a_solver_tells_its_history_and_stops():
    problem = exact(SOFT, SIGMA).problem
    passed = [
        p for _, p in solve(Red(500, level=2.0, tolerance=1e-3, falling=0), PRIOR, problem) if p
    ]
    assert [p.number for p in passed] == list(range(1, len(passed) + 1))
    assert passed[-1].change < 1e-3 <= passed[-2].change
    assert 0.3 < passed[-1].misfit < 1.3


def test_conjugate_gradients_solve_and_stop_where_the_map_is_not_positive():
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(20, 20, generator=rng, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(20, dtype=torch.float64)
    b = torch.randn(3, 20, generator=rng, dtype=torch.float64)
    b[1] = 0
    found = conjugate_gradients(lambda x: x @ matrix, b, tolerance=1e-12)
    torch.testing.assert_close(found.x @ matrix, b)
    assert found.products <= 40
    wrong = conjugate_gradients(lambda x: -x, b, sure=lambda x: 2 * x)
    assert wrong.products == 1
    assert not wrong.x.any()


def test_functions_of_a_map_are_those_of_its_eigenvalues():
    rng = torch.Generator().manual_seed(1)
    root = torch.randn(12, 9, generator=rng, dtype=torch.float64)
    matrix = root @ root.T  # three eigenvalues are zero
    b = torch.randn(4, 12, generator=rng, dtype=torch.float64)
    b[2], b[3] = 0, root[:, 0] * 0 + torch.linalg.eigh(matrix).eigenvectors[:, -1]
    values, vectors = torch.linalg.eigh(matrix)

    def kinked(v):
        return (0.3 * v - 1).clamp(min=0)

    wanted = b @ vectors @ torch.diag(kinked(values.clamp(min=0))) @ vectors.T
    torch.testing.assert_close(function_of(lambda x: x @ matrix, b, kinked), wanted)
    # A few products are a polynomial, which is near where the function is.
    near = function_of(lambda x: x @ matrix, b, kinked, most=6)
    assert float((near - wanted).norm()) < 0.02 * float(wanted.norm())


def test_half_quadratic_splitting_ends_with_the_denoiser():
    """What is handed over holds no noise of the data: it is what D made at the last level."""
    solver = Pnp()
    problem = exact(SOFT, SIGMA).problem
    *_, (last, _) = solve(solver, PRIOR, problem)
    sigma = solver.sigma(solver.evaluations - 1, problem)
    torch.testing.assert_close(last.x, PRIOR(last.other, sigma))


def test_plug_and_play_and_red_are_ahead_of_wieners_filter():
    """Deblurring of cells, 5 x 5 pixels and noise of 25/255: by a decibel and more."""
    cells = np.asarray(SAMPLES["cells"].read().array, dtype=float)[64:160, 64:160]
    truth = nc.denoise(cells).estimate
    low, high = truth.min(), truth.max()
    truth, blur, sigma = (truth - low) / (high - low), Blur.uniform(5), 25 / 255
    y = blur(truth) + sigma * np.random.default_rng(0).standard_normal(truth.shape)

    def error(image):
        return -10 * np.log10(np.square(image - truth).mean())

    balances = np.geomspace(0.01, 100, 13)
    best = max(error(restoration.wiener(y, blur.psf, b, clip=False)) for b in balances)
    for method in ("pnp", "red"):
        found = nc.restore(y, blur, nc.Gaussian(sigma), method=method, denoiser="unet_fast")
        assert error(found.estimate) > best + 1, method
