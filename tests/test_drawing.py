"""nc.sample: draws in image units, the same bits whatever runs beside them, kept when stopped."""

import math

import dask.array as da
import numpy as np
import pytest

import napari_credible as nc
from napari_credible.denoise.oracles import GaussianPrior, MixturePrior
from napari_credible.flags import Flag
from napari_credible.noise import anscombe
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.run import run, steps
from napari_credible.samplers import Ancestral
from napari_credible.stopping import Stopped

PRIOR = GaussianPrior(50.0, 2.0)


@pytest.fixture(scope="module")
def image():
    """A 64 x 80 plane drawn from the prior, in units where its noise has std 0.1."""
    rng = np.random.default_rng(0)
    return 0.1 * (rng.normal(50, 2, (64, 80)) + rng.normal(size=(64, 80)))


def test_draws_are_those_of_the_posterior_in_image_units(image):
    """Pooled over pixels, since the law is the same for all."""
    result = nc.sample(image, nc.Gaussian(0.1), denoiser=PRIOR, n_draws=64)
    std = 0.1 * PRIOR.posterior_std(1.0)
    mean = 5 + (image - 5) * 4 / 5
    off = (result.posterior.mean - mean) / (std / 8)
    assert np.square(off).mean() == pytest.approx(1, abs=4 * math.sqrt(2 / image.size))
    # The default sampler's spread is right to 2 %.
    assert math.sqrt(np.square(result.posterior.std).mean()) == pytest.approx(std, rel=0.02)
    np.testing.assert_array_equal(result.estimate, result.posterior.mean)
    assert result.posterior.draws.shape == (64, 64, 80)
    assert result.posterior.draws.dtype == np.float32


def test_a_tenth_chosen_by_the_data_is_held_and_one_chosen_by_the_truth_is_not():
    """No posterior holds 90 % of the pixels that are bright in truth: the data took them darker."""
    rng = np.random.default_rng(0)
    clean = rng.normal(50, 0.7, (200, 200))
    noisy = clean + rng.normal(size=clean.shape)
    prior = GaussianPrior(50.0, 0.7)
    result = nc.sample(noisy, nc.Gaussian(1.0), denoiser=prior, n_draws=19)
    lower, upper = result.posterior.interval(0.9)
    held = (clean >= lower) & (clean <= upper)

    def tenth(values):
        return held[values >= np.quantile(values, 0.9)].mean()

    bar = 4 * math.sqrt(0.9 * 0.1 / (0.1 * clean.size))
    assert abs(tenth(result.estimate) - 0.9) < bar
    assert tenth(clean) < 0.9 - 5 * bar


# Means and stds of a mixture of stabilised values: about 4 to 9, 16 to 30 and 49 to 81 photons.
LIGHTS = [((4.0, 6.0), (0.4, 0.5)), ((8.0, 11.0), (0.5, 0.7)), ((14.0, 18.0), (0.6, 0.8))]


@pytest.fixture(scope="module", params=LIGHTS, ids=str)
def counted(request):
    """Light from a known prior, the posterior of it given its counts, and the stabilised draws."""
    means, stds = request.param
    rng = np.random.default_rng(0)
    which = rng.integers(0, 2, (80, 80))
    noise = nc.PoissonGaussian(2.0, 100.0)
    light = noise.restore(rng.normal(np.take(means, which), np.take(stds, which)))
    prior = MixturePrior((0.5, 0.5), means, stds)
    counts = noise.draw(light, 1)
    posterior = nc.sample(counts, noise, denoiser=prior, n_draws=19, seed=1).posterior
    return light, posterior, anscombe.expectation((posterior.draws.astype(float) - 100) / 2)


def test_the_truth_ranks_anywhere_among_draws_of_photon_counts(counted):
    light, posterior, _ = counted
    assert abs(rank_z(posterior.draws, light)) < 4
    lower, upper = posterior.interval(0.9)
    held = ((light >= lower) & (light <= upper)).mean()
    assert abs(held - 0.9) < 4 * math.sqrt(0.9 * 0.1 / light.size)


def test_the_algebraic_inverse_of_a_draw_is_rejected(counted):
    """Squaring a draw puts the light a quarter of a photon too low: the ranks see it."""
    light, _, stabilised = counted
    wrong = 100 + 2 * (np.square(stabilised) / 4 - 3 / 8)
    assert rank_z(wrong, light) > 5


def rank_z(draws, truth):
    """Standard errors by which the mean rank of the truth differs from that of a draw."""
    n = len(draws)
    rank = (draws < truth).sum(0)
    return (rank.mean() - n / 2) / math.sqrt(((n + 1) ** 2 - 1) / 12 / truth.size)


def test_the_mean_of_draws_is_not_the_inverse_of_their_mean(counted):
    """By a quarter of the draws' variance, as the curve bends: times the gain."""
    light, posterior, stabilised = counted
    mean = nc.PoissonGaussian(2.0, 100.0).restore(stabilised.mean(0))
    bend = (posterior.mean - mean).mean() / 2
    assert bend == pytest.approx(stabilised.var(0).mean() / 4, rel=0.05)
    assert light.mean() == pytest.approx(posterior.mean.mean(), rel=0.02)


def test_intervals_of_photons_are_asymmetric_and_never_negative():
    noise = nc.PoissonGaussian(1.0, 10.0)
    light = np.full((40, 40), 10.6)
    counts = noise.draw(light, 0)
    posterior = nc.sample(counts, noise, denoiser=GaussianPrior(1.6, 0.6), n_draws=32).posterior
    lower, upper = posterior.interval(0.9)
    assert posterior.draws.min() >= 10
    assert lower.min() >= 10
    assert (upper - posterior.mean).mean() > 1.3 * (posterior.mean - lower).mean()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(image):
    def drawn(**changes):
        return nc.sample(image, nc.Gaussian(0.1), denoiser=PRIOR, **changes).posterior.draws

    first = drawn(n_draws=4)
    np.testing.assert_array_equal(drawn(n_draws=4), first)
    # A draw is the same whatever is drawn after it.
    np.testing.assert_array_equal(drawn(n_draws=7)[:4], first)
    assert (drawn(n_draws=4, seed=1) != first).mean() > 0.99


@pytest.mark.parametrize("denoiser", [PRIOR, "unet_fast"], ids=["oracle", "network"])
def test_draws_do_not_depend_on_how_many_are_made_at_once(image, denoiser, monkeypatch):
    def drawn():
        return nc.sample(image, nc.Gaussian(0.1), denoiser=denoiser, n_draws=5).posterior.draws

    together = drawn()
    monkeypatch.setattr("napari_credible.plan._FULL_CPU", 1)
    alone = drawn()
    if denoiser is PRIOR:
        np.testing.assert_array_equal(alone, together)
    np.testing.assert_allclose(alone, together, atol=2e-4)


def test_draws_do_not_depend_on_tiles(image, monkeypatch):
    def drawn(denoiser, shape=image.shape):
        return nc.sample(
            np.resize(image, shape), nc.Gaussian(0.1), denoiser=denoiser, n_draws=2,
            sampler=Ancestral(4),
        ).posterior.draws  # fmt: skip

    cases = [(PRIOR, image.shape, 0.0), ("unet_fast", (320, 272), 2e-4)]
    whole = [drawn(denoiser, shape) for denoiser, shape, _ in cases]
    monkeypatch.setattr("napari_credible.plan._LARGEST_CORE", 32)
    assert (drawn(PRIOR) == whole[0]).all()
    monkeypatch.setattr("napari_credible.plan._LARGEST_CORE", 160)
    np.testing.assert_allclose(drawn("unet_fast", (320, 272)), whole[1], atol=2e-4)


def test_draws_planes_and_channels_are_independent():
    """All pairs of draws of one image, of its planes and of its channels."""
    flat = np.full((2, 3, 64, 64), 5.0)
    result = nc.sample(nc.Image(flat, "CZYX"), nc.Gaussian(0.1), denoiser=PRIOR, n_draws=4)
    away = (result.posterior.draws - 5).reshape(24, -1)
    correlation = np.corrcoef(away)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 4.5 / 64


@pytest.mark.parametrize("axes", ["YX", "TYX", "CZYX", "YXC", "ZTYX"])
def test_every_order_of_axes_is_drawn(image, axes):
    sizes = {"Y": 16, "X": 20, "C": 2, "Z": 2, "T": 3}
    shape = tuple(sizes[a] for a in axes)
    array = np.random.default_rng(0).normal(5, 0.2, shape)
    result = nc.sample(nc.Image(array, axes), nc.Gaussian(0.1), denoiser=PRIOR, n_draws=3)
    assert result.estimate.shape == shape
    assert result.posterior.draws.shape == (3, *shape)
    assert np.corrcoef(result.estimate.ravel(), array.ravel())[0, 1] > 0.95
    assert {m.shape for m in result.maps.values()} == {shape}


def test_opacity_has_no_spread(image):
    colours = np.stack([image, image, image, np.full_like(image, 7)], -1)
    result = nc.sample(nc.Image(colours, "YXS"), nc.Gaussian(0.1), denoiser=PRIOR, n_draws=3)
    assert (result.posterior.draws[..., 3] == 7).all()
    assert (result.posterior.std[..., 3] == 0).all()
    assert (result.posterior.std[..., :3] > 0).all()


def test_each_channel_has_its_own_floor():
    array = np.random.default_rng(0).poisson(2, (2, 24, 24)) + np.array([10, 50])[:, None, None]
    noise = [nc.PoissonGaussian(1.0, 10.0), nc.PoissonGaussian(1.0, 50.0)]
    result = nc.sample(nc.Image(array, "CYX"), noise, denoiser=GaussianPrior(3, 1), n_draws=3)
    lower, _ = result.posterior.interval(0.9)
    assert 10 <= lower[0].min() < 12 < 50 <= lower[1].min()


def test_a_lazy_stack_is_drawn_plane_by_plane(image):
    stack = np.stack([image, image + 0.1])
    lazy = da.from_array(stack, chunks=(1, 64, 80))
    found = nc.sample(lazy, nc.Gaussian(0.1), denoiser=PRIOR, n_draws=2)
    whole = nc.sample(stack, nc.Gaussian(0.1), denoiser=PRIOR, n_draws=2)
    np.testing.assert_array_equal(found.posterior.draws, whole.posterior.draws)


def test_what_the_data_say_nothing_about_has_no_spread_but_its_value(image):
    holed = image.copy()
    holed[3, 4] = np.nan
    holed[20:26, 30:36] = np.nanmax(holed) + 1  # a flat top: saturated
    result = nc.sample(holed, nc.Gaussian(0.1), denoiser=PRIOR, n_draws=3)
    assert result.flags[3, 4] & Flag.NOT_FINITE
    assert (result.flags[20:26, 30:36] & Flag.SATURATED).all()
    missing = result.flags & (Flag.NOT_FINITE | Flag.SATURATED) > 0
    for found in result.maps.values():
        np.testing.assert_array_equal(np.isnan(found), missing)
    np.testing.assert_array_equal(result.estimate[missing], holed.astype(np.float32)[missing])
    assert np.isfinite(result.estimate[~missing]).all()


def test_maps_without_draws_are_the_same_maps(image):
    recipe = Recipe(
        method="sample", noise=nc.Gaussian(0.1), n_draws=9, level=0.8, threshold=5.1, widen=1.1
    )
    kept = run(recipe, nc.Image(image), denoiser=PRIOR)
    streamed = run(recipe.replace(keep="maps"), nc.Image(image), denoiser=PRIOR)
    assert list(kept.maps) == list(streamed.maps) == ["std", "lower", "upper", "exceedance"]
    for name, found in streamed.maps.items():
        np.testing.assert_allclose(found, kept.maps[name], rtol=3e-7, atol=3e-7)


def test_the_resolved_recipe_draws_the_same_again(image):
    first = run(Recipe(method="sample", denoiser="unet_fast", n_draws=2), nc.Image(image))
    again = run(Recipe.from_json(first.recipe.to_json()), nc.Image(image))
    np.testing.assert_array_equal(again.posterior.draws, first.posterior.draws)
    assert first.record()["n_draws"] == 2
    assert any("Kawar" in cited for cited in first.citations)


@pytest.mark.parametrize("keep", ["draws", "maps"])
def test_stopping_keeps_the_draws_that_are_done(image, keep, monkeypatch):
    monkeypatch.setattr("napari_credible.plan._FULL_CPU", 1)
    recipe = Recipe(method="sample", noise=nc.Gaussian(0.1), n_draws=6, keep=keep)
    whole = run(recipe, nc.Image(image), denoiser=PRIOR).posterior
    for calls in (2 * 13 + 1, 3 * 13, 5 * 13 + 7):
        stopped = exhausted(recipe, image, after=calls)
        assert 2 <= stopped.posterior.n_draws < 6
        assert np.isfinite(stopped.estimate).all()
        if keep == "draws":
            n = stopped.posterior.n_draws
            np.testing.assert_array_equal(stopped.posterior.draws, whole.draws[:n])


def test_stopping_before_two_draws_leaves_nothing(image, monkeypatch):
    monkeypatch.setattr("napari_credible.plan._FULL_CPU", 1)
    recipe = Recipe(method="sample", noise=nc.Gaussian(0.1), n_draws=6)
    with pytest.raises(Stopped):
        exhausted(recipe, image, after=5)


def exhausted(recipe, image, after):
    """Run until the stop is asked for the ``after``-th time."""
    asked = []

    def stop():
        asked.append(None)
        return len(asked) > 2 * after

    going = steps(recipe, nc.Image(image), denoiser=PRIOR, stop=stop)
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def test_progress_carries_the_draws_so_far(image, monkeypatch):
    monkeypatch.setattr("napari_credible.plan._FULL_CPU", 1)
    recipe = Recipe(method="sample", noise=nc.Gaussian(0.1), n_draws=4)
    seen = list(steps(recipe, nc.Image(np.stack([image] * 2)), denoiser=PRIOR))
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert seen[-1].done == seen[-1].total
    counts = [step.posterior.n_draws for step in seen if step.posterior is not None]
    assert set(counts) == {2, 3}
    assert isinstance(seen[-1].posterior, Posterior)


def test_faint_light_has_its_own_noise_level():
    """Of dark pixels the stabilised counts vary less than 1: the denoiser is told so."""
    told = []

    class Listening(GaussianPrior):
        def __call__(self, x, sigma):
            told.append(sigma)
            return super().__call__(x, sigma)

    counts = nc.PoissonGaussian(1.0).draw(np.full((32, 32), 0.3), 0)
    nc.sample(counts, nc.PoissonGaussian(1.0), denoiser=Listening(1.6, 0.3), n_draws=2)
    first = [level for level in told if hasattr(level, "shape")]
    assert first
    assert 0.3 < float(first[0].mean()) < 0.8


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_draws": 1}, "n_draws"),
        ({"n_draws": 2.5}, "n_draws"),
        ({"sampler": "ddim"}, "there is no sampler"),
        ({"sampler": 3}, "sampler"),
        ({"denoiser": 3}, "callable"),
        ({"noise": [nc.Gaussian(1.0)] * 2}, "2 noise models for 1 channels"),
        ({"seed": -1}, "seed"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_bad_input_gets_a_sentence(image, changes, sentence):
    asked = {"noise": nc.Gaussian(0.1), "denoiser": PRIOR, **changes}
    with pytest.raises(ValueError, match=sentence) as found:
        nc.sample(image, **asked)
    assert "\n" not in str(found.value)


def test_a_sampler_of_ones_own_draws(image):
    """Any object with start, step, steps and evaluations."""

    class Straight:
        steps, evaluations = 1, 2

        def start(self, denoise, y, sigma):
            return Ancestral(2).start(denoise, y, sigma)

        def step(self, state, number, denoise, noise):
            return Ancestral(2).step(state, number, denoise, noise)

    result = nc.sample(image, nc.Gaussian(0.1), denoiser=PRIOR, sampler=Straight(), n_draws=2)
    assert np.isfinite(result.estimate).all()
    assert result.recipe.sampler.startswith("custom:")
