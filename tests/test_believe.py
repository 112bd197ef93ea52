"""A right model is believed, and each wrong one is caught, with the user's data alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import napari_credible as nc
from impostors import HalfTheSpread
from napari_credible import operators
from napari_credible.believe import believable
from napari_credible.checks import halved, prediction_check, residual_checks, whitened
from napari_credible.denoise.oracles import PowerLawPrior
from napari_credible.examined import of_data
from napari_credible.recipe import Recipe
from napari_credible.stopping import Stopped

SIDE = 80
PRIOR = PowerLawPrior(std=2.0)
RECIPE = Recipe.of(method="sample", noise=nc.Gaussian(1.0), n_draws=12)


def clean(seed=0):
    return PRIOR.draw((SIDE, SIDE), torch.Generator().manual_seed(seed)).numpy()[0, 0]


def noisy(seed=0):
    return nc.Gaussian(1.0).draw(clean(seed), seed)


def judged(image, recipe=RECIPE, denoiser=PRIOR, **more):
    going = believable(recipe, image, denoiser=denoiser, **more)
    seen = []
    while True:
        try:
            seen.append(next(going))
        except StopIteration as end:
            assert all(a.done <= b.done for a, b in pairwise(seen))
            return end.value


def failed(verdict):
    return {check.name.split(" of ")[0] for check in verdict.checks if not check.passed}


@pytest.mark.parametrize("seed", range(4))
def test_a_right_model_is_believed(seed):
    found = judged(noisy(seed), RECIPE.replace(seed=seed))
    assert found.passed, found.sentence
    assert found.sentence.startswith("Believable: with a draw as the truth")
    assert found.factor == 1
    assert "coverage of 4 x 4 means" in {check.name for check in found.checks}
    np.testing.assert_allclose(found.reliability.coverage, found.reliability.levels, atol=0.04)


def test_the_quick_map_is_believed_too():
    assert judged(noisy(), RECIPE.replace(method="spread")).passed


def test_too_sure_draws_are_caught_and_the_factor_mends_them():
    found = judged(noisy(), sampler=HalfTheSpread())
    assert "coverage" in failed(found)
    assert f"make intervals {found.factor:.2f} times as wide" in found.sentence
    mended = judged(noisy(), RECIPE.replace(widen=found.factor), sampler=HalfTheSpread())
    assert "coverage" not in failed(mended)


@pytest.mark.parametrize("factor", [2**0.5, 2**-0.5])
def test_noise_of_another_strength_is_caught(factor):
    """Twice or half the variance, as with a gain that is wrong by 2."""

    def own(x, sigma):  # the prior, in units of the wrong noise
        return PRIOR(x * factor, sigma * factor) / factor

    found = judged(noisy(), RECIPE.replace(noise=nc.Gaussian(factor)), own)
    assert "variance" in failed(found)
    assert "measure the noise anew" in found.sentence


def test_correlated_noise_is_caught():
    white = np.random.default_rng(0).standard_normal((SIDE, SIDE))
    noise = gaussian_filter(white, 0.6, mode="wrap")
    found = judged(clean() + noise / noise.std())
    assert "correlation" in failed(found)


def test_the_residual_lies_where_it_was_tested():
    image = np.zeros((3, 100, 90)) + 0.1 * np.random.default_rng(0).standard_normal((3, 100, 90))
    image[:, 40:90, 30:80] += noisy()[:50, :50]
    image[1, 60:62, 50] = np.nan
    found = judged(nc.Image(image, "TYX"), RECIPE.replace(n_draws=2), side=48)
    known = np.isfinite(found.residual)
    assert found.residual.shape == image.shape
    assert 48 * 48 - 2 <= known.sum() <= 48 * 48
    assert known[1].any()


def test_asked_to_stop_it_does():
    with pytest.raises(Stopped):
        judged(noisy(), stop=lambda: True)


# ── what an instrument did is undone, and the uncertainty of that is tested ──

SOFT = operators.Blur.gaussian(1.2)
HOLES = operators.Mask(np.random.default_rng(0).random((SIDE, SIDE)) < 0.7)
RESTORING = RECIPE.replace(method="restore", noise=nc.Gaussian(0.5))
BEHIND = {
    "a blur of a larger image": operators.Blur.gaussian(1.2, "valid"),
    "a periodic blur, in part": SOFT,
    "larger pixels": operators.Downsample(2),
    "holes": operators.Mask(np.random.default_rng(0).random((SIDE, SIDE)) < 0.7),
    "holes after a blur": operators.Mask(np.random.default_rng(0).random((SIDE, SIDE)) < 0.7)
    @ SOFT,
}


def seen_through(operator, sigma=0.5, seed=0):
    """Return data of an image of the prior behind an operator."""
    shape = operator.image_shape((SIDE, SIDE))
    image = PRIOR.draw(shape, torch.Generator().manual_seed(seed)).numpy()[0, 0]
    return nc.Gaussian(sigma).draw(operator(image), seed)


@pytest.mark.parametrize("name", BEHIND)
def test_a_right_restoration_is_believed(name):
    operator = BEHIND[name]
    side = 56 if name == "a periodic blur, in part" else 192
    found = judged(seen_through(operator), RESTORING, operator=operator, side=side)
    assert found.passed, found.sentence
    assert found.residual.shape == (SIDE, SIDE)
    known = np.isfinite(found.residual)
    seen = operator.observed((SIDE, SIDE)).sum()
    assert known.sum() == (side**2 if side == 56 else seen)


def test_a_psf_that_is_too_wide_is_caught():
    data = seen_through(BEHIND["a blur of a larger image"])
    wrong = operators.Blur.gaussian(2.4, "valid")
    found = judged(data, RESTORING, operator=wrong)
    assert "correlation" in failed(found)
    assert "the operator (a PSF, say) is not the instrument's" in found.sentence


def test_restorations_that_are_too_sure_are_caught():
    """DDRM: good images, alike."""
    data = seen_through(SOFT)
    found = judged(data, RESTORING.replace(solver="ddrm"), operator=SOFT)
    assert "coverage" in failed(found)
    assert found.factor > 1.3
    assert "more products of mmps" in found.sentence


LARGE = (150, 170)


@pytest.mark.parametrize(
    ("operator", "size"),
    [
        (operators.Identity(), (64, 64)),
        (operators.Downsample(2), (64, 64)),
        (operators.Bayer("RGGB"), (64, 64)),
        (operators.Mask(np.random.default_rng(0).random(LARGE) < 0.7), (64, 64)),
        (SOFT, (64, 64)),
        (operators.Radon(np.arange(LARGE[1]) * 1.0), LARGE),
    ],
    ids=repr,
)
def test_of_a_large_image_a_part_is_tested(operator, size):
    """All of it only where the operator mixes all."""
    part = next(of_data(nc.Image(np.zeros(LARGE)), [nc.Gaussian(1.0)], operator, 64))
    assert part.plane.shape == size
    assert part.operator.data_shape(part.operator.image_shape(size)) == size


def test_a_method_that_needs_singular_values_is_tested_where_there_are_some():
    data = nc.Image(np.zeros(LARGE)), [nc.Gaussian(1.0)], SOFT, 64
    assert next(of_data(*data, spectral=True)).plane.shape == LARGE
    assert next(of_data(*data)).plane.shape == (64, 64)


@pytest.mark.parametrize("operator", [operators.Identity(), SOFT], ids=repr)
def test_the_part_lies_where_something_is_seen(operator):
    """A large hole on a bright ground has the largest contrast, and tells nothing."""
    rng = np.random.default_rng(0)
    data = 1000 + rng.standard_normal((300, 300))
    data[40:60, 220:240] += 30
    data[80:240, 20:190] = np.nan
    part = next(of_data(nc.Image(data), [nc.Gaussian(1.0)], operator, 64))
    assert part.unseen.mean() < 0.5
    assert part.plane[~part.unseen].max() > 1025


def test_data_in_units_of_their_noise_are_tested_as_they_were_restored():
    std = np.random.default_rng(0).uniform(0.3, 0.8, (SIDE, SIDE))
    white = operators.Whitened(SOFT, std)
    shape = white.image_shape((SIDE, SIDE))
    image = PRIOR.draw(shape, torch.Generator().manual_seed(0)).numpy()[0, 0]
    data = nc.Gaussian(1.0).draw(white(image), 0)
    data[3, 4] = np.nan
    part = next(of_data(nc.Image(data), [nc.Gaussian(1.0)], white, 192))
    assert part.unseen.sum() == 1
    np.testing.assert_allclose(part.model.sigma, std)
    found = whitened(part.model, part.plane, part.light(image))
    np.testing.assert_allclose(found[~part.unseen], (data - white(image))[~part.unseen], atol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 2000.0])
def test_the_offset_of_counts_is_no_light(offset):
    """Also where H does not take a constant for a constant: dark outside."""
    operator = operators.Blur.gaussian(1.5, "zero")
    model = nc.PoissonGaussian(1.0, offset, 3.0)
    light = 60 * np.exp(0.2 * clean())
    counts = model.draw(operator(light) + offset, 0)
    part = next(of_data(nc.Image(counts), [model], operator, 192))
    np.testing.assert_allclose(part.light(light), operator(light) + offset, rtol=1e-5)
    split = part.split(light[None], np.random.default_rng(0))
    half = replace(part, model=split.model).light(light[None])
    assert prediction_check([split.uniform(half)], split.words).passed


def test_data_without_light_are_split_too():
    model = nc.PoissonGaussian(1.93, 100.0)
    seen = np.random.default_rng(1).random((SIDE, SIDE)) < 0.7
    counts = model.draw(100 + 20 * light(), 0) + 0.3
    part = next(of_data(nc.Image(counts), [model], operators.Mask(seen), 192))
    split = part.split(np.where(seen, 100 + 20 * light(), 100.0)[None], np.random.default_rng(0))
    assert np.isfinite(split.first).all()


def test_holes_do_not_make_the_data_dark():
    """Three photoelectrons a pixel, seven in ten not seen: enough of the others is."""
    rng = np.random.default_rng(0)
    truth = np.full((SIDE, SIDE), 3.0)
    counts = COUNTER.draw(truth, rng)
    judged = np.where(rng.random(counts.shape) < 0.7, np.nan, truth)
    checks = residual_checks(COUNTER, counts, np.repeat(judged[None], 4, 0), rng)
    assert len(checks) == 6
    assert all(check.passed for check in checks), checks


def test_photons_behind_an_operator_are_dealt():
    """The light is H of the draws above their offset, and half of it for half of the photons."""
    model = nc.PoissonGaussian(2.0, 100.0)
    light = 100 + 2 * 8 * np.exp(0.3 * clean())
    operator = operators.Blur.gaussian(1.2)
    counts = model.draw(operator(light - 100) + 100, 0)
    part = next(of_data(nc.Image(counts), [model], operator, 192))
    np.testing.assert_allclose(part.light(light), operator(light - 100) + 100, rtol=1e-6)
    split = part.split(light[None], np.random.default_rng(0))
    assert split.words.startswith("photons")
    half = replace(part, model=split.model).light(100 + (light[None] - 100) / 2)
    assert prediction_check([split.uniform(half)], split.words).passed
    read = nc.PoissonGaussian(2.0, 100.0, 3.0)
    part = next(of_data(nc.Image(read.draw(part.light(light), 0)), [read], operator, 192))
    split = part.split(light[None], np.random.default_rng(0))
    half = replace(part, model=split.model).light(light[None] - 100)  # the halves have no offset
    assert prediction_check([split.uniform(half)], split.words).passed


@pytest.mark.parametrize(("solver", "words"), [("pnp", "one image"), ("ks", "without noise")])
def test_what_says_nothing_of_uncertainty_is_refused(solver, words):
    with pytest.raises(ValueError, match=words):
        judged(noisy(), RESTORING.replace(solver=solver))


def test_maps_of_the_noise_are_cut_to_the_region():
    std = np.random.default_rng(1).uniform(0.5, 1.5, (SIDE, SIDE))
    data = nc.Gaussian(std).draw(clean(), 0)
    found = judged(data, RECIPE.replace(noise=nc.Gaussian(std), n_draws=4), side=48)
    assert np.isfinite(found.residual).sum() == 48**2


COUNTER = nc.PoissonGaussian(1.0)


def light():
    return 4.0 * np.exp(0.3 * clean())


def around(truth, spread, n=8):
    """Return draws from a posterior that is known: log-normal around the truth."""
    rng = np.random.default_rng(3)
    return truth * np.exp(spread * rng.standard_normal((n, *truth.shape)))


@pytest.mark.parametrize(
    "model",
    [COUNTER, nc.PoissonGaussian(2.0, 100.0, 3.0), nc.Gaussian(1.5), nc.PoissonGaussian(2.0, 10.0)],
    ids=repr,
)
def test_the_truth_itself_passes(model):
    """Were the draws the truth, data less draws are the noise, whatever the noise model."""
    rng = np.random.default_rng(0)
    truth = 110 + 10 * light()
    counts = model.draw(truth, rng)
    checks = residual_checks(model, counts, np.repeat(truth[None], 2, 0), rng)
    assert len(checks) == 6
    assert all(check.passed for check in checks), checks
    split = halved(model, counts, rng)
    if split.words.startswith("photons"):
        known = model.offset + (truth - model.offset) / 2
    else:
        known = truth if isinstance(model, nc.Gaussian) else model.stabilise(truth)
    assert prediction_check([split.uniform(known[None])], split.words).passed


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_wrong_gain_is_seen_by_both(gain):
    """Photon counts that are said to come in other portions."""
    rng = np.random.default_rng(0)
    counts = COUNTER.draw(10 * light(), rng)
    wrong = nc.PoissonGaussian(gain)
    checks = residual_checks(wrong, counts, 10 * light()[None], rng)
    assert not checks[1].passed
    split = halved(wrong, counts, rng)
    known = wrong.stabilise(10 * light())
    if split.words.startswith("photons"):
        known = 5 * light()
    assert not prediction_check([split.uniform(known[None])], split.words).passed


def test_photons_taken_for_noise_of_one_strength_are_seen():
    """The mean variance is right, and bright pixels are noisier than dark ones."""
    rng = np.random.default_rng(0)
    truth = 10 * light()
    counts = COUNTER.draw(truth, rng)
    flat = nc.Gaussian(float(np.sqrt(truth.mean())))
    checks = {c.name: c for c in residual_checks(flat, counts, truth[None], rng)}
    assert checks["variance of the residual"].passed
    assert not checks["variance in bright against dark parts"].passed


def test_outliers_are_seen():
    rng = np.random.default_rng(0)
    noise = rng.standard_t(5, (SIDE, SIDE)) / np.sqrt(5 / 3)
    flat = np.zeros((1, SIDE, SIDE))
    checks = {c.name: c for c in residual_checks(nc.Gaussian(1.0), noise, flat, rng)}
    assert not checks["tails of the residual"].passed


def test_photons_are_dealt_without_loss():
    counts = COUNTER.draw(light(), 0)
    split = halved(COUNTER, counts, np.random.default_rng(0))
    assert split.model == COUNTER
    assert ((split.first >= 0) & (split.first <= counts)).all()
    assert abs(split.first.mean() / counts.mean() - 0.5) < 4 / np.sqrt(4 * counts.sum())


def test_dark_images_leave_the_residual_out():
    counts = COUNTER.draw(np.full((64, 64), 0.1), 0)
    assert (
        residual_checks(COUNTER, counts, np.full((2, 64, 64), 0.1), np.random.default_rng(0)) == ()
    )


def test_whitening_is_by_the_truths_own_noise():
    found = whitened(nc.PoissonGaussian(2.0, 100.0, 3.0), np.array(130.0), np.array(120.0))
    assert found == pytest.approx(10 / np.sqrt(2 * 20 + 9))


def test_a_denoised_image_as_the_truth_would_seem_too_easy():
    """Why the bootstrap's truth is a draw: a prior as wide as the noise, in closed form."""
    rng = np.random.default_rng(0)
    data = np.sqrt(2) * rng.standard_normal(200_000)
    held = {}
    for name, own in (("denoised image", 0.0), ("draw", np.sqrt(0.5))):
        truth = data / 2 + own * rng.standard_normal(data.shape)
        again = (truth + rng.standard_normal(data.shape)) / 2
        held[name] = np.mean(np.abs(again - truth) < 1.645 * np.sqrt(0.5))
    assert held["draw"] == pytest.approx(0.9, abs=0.003)
    assert held["denoised image"] == pytest.approx(0.942, abs=0.003)
