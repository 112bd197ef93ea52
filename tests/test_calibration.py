"""Coverage, ranks, scores and factors: exact where a closed form exists, and able to fail."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from napari_credible.__main__ import main
from napari_credible.calibration import reliability, widening
from napari_credible.geometry import frame
from napari_credible.io.image import Image
from napari_credible.jacobian import Linearised
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.operators import Blur, Downsample
from napari_credible.pooling import blocked
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.scores import crps, crps_normal, pit, ranks
from napari_credible.widen import simulated, widened

SIDE, DRAWS = 64, 40


SMOOTH = 2.0
# Standard deviation that white noise keeps under the filter.
KEPT = 1 / (2 * np.sqrt(np.pi) * SMOOTH)


def field(rng):
    """Return a field of variance 1 whose neighbours agree."""
    return gaussian_filter(rng.standard_normal((SIDE, SIDE)), SMOOTH, mode="wrap") / KEPT


def pair(rng, spread=1.0, shift=0.0, draws=DRAWS):
    """Return draws whose spread is ``spread`` times that of the truth around them."""
    drawn = np.stack([field(rng) for _ in range(draws)])
    return Posterior(spread * drawn + shift), field(rng)


def pairs(count, seed=0, **how):
    rng = np.random.default_rng(seed)
    return [pair(rng, **how) for _ in range(count)]


@pytest.mark.parametrize("scale", [1, 4])
def test_right_draws_hold_what_they_promise(scale):
    found = reliability(pairs(40), scale=scale)
    off = (found.coverage - found.levels) / found.errors
    assert np.abs(off).max() < 4
    assert found.errors.max() < 0.05
    assert found.n[0] == 40 * (SIDE // scale) ** 2


@pytest.mark.parametrize("wrong", [{"spread": 0.5}, {"spread": 2.0}, {"shift": 0.7}], ids=repr)
def test_the_bar_rejects(wrong):
    found = reliability(pairs(40, **wrong))
    assert np.abs((found.coverage - found.levels) / found.errors).max() > 4


def test_errors_are_those_of_repetition():
    """Over 40 images the coverage of each scatters by the error that each states, within 25 %."""
    each = [reliability([p], [0.9]) for p in pairs(40, seed=3)]
    scatter = np.std([e.coverage[0] for e in each])
    stated = np.sqrt(np.mean([e.errors[0] ** 2 for e in each]))
    binomial = np.sqrt(0.9 * 0.1 / SIDE**2)
    assert 0.7 < stated / scatter < 1.4
    assert binomial < 0.5 * scatter  # what independent pixels would give


def test_pixels_without_truth_are_left_out():
    posterior, truth = pairs(1)[0]
    truth[:10] = np.nan
    assert reliability([(posterior, truth)]).n[0] == (SIDE - 10) * SIDE


def test_a_linearised_posterior_is_held_to_the_same():
    rng = np.random.default_rng(0)
    each = [
        (
            Linearised(np.zeros((SIDE, SIDE), np.float32), np.ones((SIDE, SIDE), np.float32)),
            field(rng),
        )
        for _ in range(20)
    ]
    found = reliability(each)
    assert np.abs((found.coverage - found.levels) / found.errors).max() < 4


def test_blocks_are_means():
    array = np.arange(24.0).reshape(4, 6)
    np.testing.assert_allclose(blocked(array, 2), [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]])
    with pytest.raises(ValueError, match="no square of 5"):
        blocked(array, 5)


def uniforms(count, seed=0, **how):
    rng = np.random.default_rng(seed + 100)
    return [pit(p.draws, t, rng) for p, t in pairs(count, seed, **how)]


def test_ranks_of_right_draws_are_even():
    """And p is uniform: of 60 histograms few are below 0.05."""
    values = np.array([ranks(uniforms(1, seed)).p for seed in range(60)])
    assert (values < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 60)
    assert np.abs(ranks(uniforms(30)).shares - 0.1).max() < 0.02


@pytest.mark.parametrize("wrong", [{"spread": 0.6}, {"spread": 1.7}, {"shift": 0.6}], ids=repr)
def test_ranks_reject(wrong):
    assert ranks(uniforms(10, **wrong)).p < 1e-3


def test_a_test_that_takes_pixels_for_independent_would_cry_wolf():
    found = [ranks(uniforms(1, seed)) for seed in range(20)]
    plain = [SIDE**2 * np.square(f.shares - 0.1).sum() / 0.1 for f in found]
    assert np.median(plain) > 28  # which independent pixels reach once in 1000 times


def test_ties_are_broken_evenly():
    draws = np.zeros((9, 60, 60))
    u = pit(draws, np.zeros((60, 60)), np.random.default_rng(0))
    assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * u.size)


def test_the_score_of_draws_is_fair_and_that_of_the_normal_law():
    """Mean over many ensembles of any size equals the closed form."""
    rng = np.random.default_rng(1)
    wanted = crps_normal(np.array(0.3), np.array(1.7), np.array(1.0))
    for n in (2, 5, 40):
        found = crps(rng.normal(0.3, 1.7, (n, 40_000)), np.full(40_000, 1.0))
        assert abs(found.mean() - wanted) < 4 * found.std() / 200
    z = (1.0 - 0.3) / 1.7
    by_hand = 1.7 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert wanted == pytest.approx(by_hand)


def test_the_score_by_its_definition():
    draws, truth = np.array([3.0, -1.0, 0.5, 2.0]), 0.7
    apart = np.abs(draws[:, None] - draws).sum() / (2 * 4 * 3)
    assert crps(draws, truth) == pytest.approx(np.abs(draws - truth).mean() - apart)
    unfair = np.abs(draws - truth).mean() - apart * 3 / 4
    assert crps(draws, truth) != pytest.approx(unfair)
    with pytest.raises(ValueError, match="no spread"):
        crps(draws[:1], truth)


def varied(count, spread, seed=0):
    """Return images that are each of another difficulty, as real ones are."""
    rng = np.random.default_rng(seed)
    return [
        (Linearised(np.zeros((12, 12), np.float32), np.full((12, 12), spread, np.float32)),
         rng.lognormal(0, 0.4) * rng.standard_normal((12, 12)))
        for _ in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_the_promise_holds_over_random_splits(spread):
    """Risk on held-out images, averaged over 80 splits, is at most 10 %, and hardly less."""
    images = varied(60, spread)
    rng = np.random.default_rng(5)
    risks = []
    for _ in range(80):
        order = rng.permutation(60)
        factor = widening([images[k] for k in order[:20]], 0.9).factor
        held_out = [images[k] for k in order[20:]]
        risks.append(
            np.mean([np.mean(np.abs(t) > factor * p.interval(0.9)[1]) for p, t in held_out])
        )
    error = np.std(risks) / np.sqrt(80)
    assert np.mean(risks) < 0.1 + 4 * error
    assert np.mean(risks) > 0.04  # and not by widening without end


def test_a_wrong_scale_is_repaired_to_the_same_interval():
    wide, narrow = (widening(varied(30, s), 0.9).factor for s in (2.0, 0.5))
    assert narrow / wide == pytest.approx(4, rel=1e-4)


def test_a_higher_level_needs_a_larger_factor_against_its_misses():
    images = varied(60, 1.0)
    for level in (0.5, 0.8, 0.9, 0.95):
        factor = widening(images, level).factor
        wider = [(_wider(posterior, factor), truth) for posterior, truth in images]
        assert reliability(wider, [level]).coverage[0] >= level


def _wider(posterior, factor):
    return Linearised(posterior.centre, posterior.spread, widen=factor)


def test_the_recipe_keeps_the_factor_and_what_it_rests_on():
    learned = widening(varied(12, 0.5), 0.9)
    recipe = learned.on(Recipe.of(method="sample"))
    assert recipe.widen == pytest.approx(learned.factor)
    assert "12 calibration images by conformal risk control" in recipe.guarantee
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize(("count", "level"), [(8, 0.9), (18, 0.95), (0, 0.9)])
def test_too_few_images_promise_nothing(count, level):
    with pytest.raises(ValueError, match="promise nothing"):
        widening(varied(count, 1.0), level)


def test_a_factor_is_no_cure_for_another_model():
    shifted = [(p, t + 50) for p, t in varied(12, 1.0)]
    with pytest.raises(ValueError, match="look for another cause"):
        widening(shifted, 0.9)


def test_learned_on_a_folder_and_kept_in_the_recipe(tmp_path, capsys):
    """Too small a noise makes intervals that miss; the factor learned mends them."""
    rng = np.random.default_rng(0)
    for folder in ("noisy", "truth"):
        (tmp_path / folder).mkdir()
    for number in range(9):
        truth = gaussian_filter(rng.standard_normal((32, 32)), 3).astype(np.float32)
        tifffile.imwrite(tmp_path / "truth" / f"{number}.tif", truth)
        noisy = truth + 0.2 * rng.standard_normal(truth.shape).astype(np.float32)
        tifffile.imwrite(tmp_path / "noisy" / f"{number}.tif", noisy)
    asked, learned = tmp_path / "asked.json", tmp_path / "learned.json"
    told = Recipe.of(method="spread", noise=Gaussian(0.05), denoiser="unet_fast", probes=1)
    asked.write_text(told.to_json())
    with pytest.raises(SystemExit) as end:
        main(["widen", str(asked), *(str(tmp_path / f) for f in ("noisy", "truth")), "-o",
              str(learned), "-q"])  # fmt: skip
    assert not end.value.code
    found = Recipe.from_json(learned.read_text())
    assert found.widen > 1.5
    assert "9 calibration images" in found.guarantee
    assert found.guarantee in capsys.readouterr().out


def test_learned_on_data_that_are_made_of_clean_images(tmp_path, capsys):
    """Finer pixels than the data's: the truth has the shape of what is found."""
    rng = np.random.default_rng(0)
    for number in range(9):
        truth = gaussian_filter(rng.standard_normal((16, 24)), 1.5).astype(np.float32)
        tifffile.imwrite(tmp_path / f"{number}.tif", truth)
    asked, learned = tmp_path / "asked.json", tmp_path / "learned.json"
    told = Recipe.of(
        method="restore", noise=Gaussian(0.05), denoiser="unet_fast", operator="downsample:2",
        solver="ddrm", n_draws=3, level=0.8,
    )  # fmt: skip
    asked.write_text(told.to_json())

    def learn(*given):
        with pytest.raises(SystemExit) as end:
            main(["widen", str(asked), *given, "-o", str(learned), "-q", "--overwrite"])
        return end.value.code

    (tmp_path / "images").mkdir()
    for path in tmp_path.glob("*.tif"):
        path.rename(tmp_path / "images" / path.name)
    assert not learn("--clean", str(tmp_path / "images"))
    found = Recipe.from_json(learned.read_text())
    assert found.widen > 1.2
    assert "made by the recipe's own operator" in found.guarantee
    assert learn(str(tmp_path / "images")) == 2
    assert "--clean FOLDER alone" in capsys.readouterr().err


def test_data_are_made_with_the_psf_of_the_images_pixels():
    """A PSF of finer pixels is resampled to those of the clean image, whose size the data keep."""
    psf = Blur.gaussian(2.0).psf
    fine = Blur(psf, "valid", pixel=(0.05, 0.05), unit="micrometer")
    clean = Image(
        gaussian_filter(np.random.default_rng(0).standard_normal((50, 50)), 2), "YX",
        scale=(0.1, 0.1), axis_units=("micrometer",) * 2,
    )  # fmt: skip
    recipe = Recipe.of(method="restore", operator=fine, noise=Gaussian(1e-9))
    data, truth = simulated(recipe, clean)
    own = fine.for_pixels((0.1, 0.1), "micrometer")
    assert own.psf.shape < psf.shape
    np.testing.assert_allclose(data.array, own(truth), atol=1e-6)
    assert data.scale == (0.1, 0.1)
    assert frame(own, data).shape == truth.shape


def test_colours_and_odd_sides_are_taken_and_stacks_refused():
    rng = np.random.default_rng(0)
    noise = Gaussian(1.0)
    bayer = Recipe.of(method="restore", operator="bayer:RGGB", noise=noise)
    data, truth = simulated(bayer, Image(rng.random((32, 48, 4)), "YXS"))
    assert (data.shape, truth.shape) == ((32, 48), (3, 32, 48))
    finer = Recipe.of(method="restore", operator="downsample:2", noise=noise)
    data, truth = simulated(finer, Image(rng.random((31, 48)), "YX", scale=(1.0, 0.5)))
    assert (data.shape, truth.shape, data.scale) == ((15, 24), (30, 48), (2.0, 1.0))
    for image in (Image(rng.random((5, 32, 48)), "ZYX"), Image(rng.random((32, 48, 3)), "YXS")):
        with pytest.raises(ValueError, match="takes one plane"):
            simulated(finer, image)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_data_are_made_as_they_are_read(offset):
    """Mean and variance of what an image becomes: H of the light above the offset."""
    operator = Downsample(2)
    recipe = Recipe.of(method="restore", operator=operator, noise=PoissonGaussian(2.0, offset, 1.0))
    light = offset + np.full((200, 200), 50.0)
    data, truth = simulated(recipe, Image(light), 0)
    assert data.shape == (100, 100)
    np.testing.assert_array_equal(truth, light)
    n = data.array.size
    assert abs(data.array.mean() - (offset + 50)) < 4 * np.sqrt(101 / n)
    assert abs(data.array.var() / 101 - 1) < 4 * np.sqrt(2.1 / n)


def test_widened_refuses_before_it_computes():
    with pytest.raises(ValueError, match="has no intervals"):
        next(widened(Recipe.of(method="denoise"), []))
    with pytest.raises(ValueError, match="promise nothing"):
        next(widened(Recipe.of(method="sample"), [(None, None)] * 8))
