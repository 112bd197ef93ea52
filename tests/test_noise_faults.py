"""Data that were changed, cut or damaged before they came: measured right, or said in words."""

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.flags import Flag
from napari_credible.noise import Gaussian, PoissonGaussian, estimate_noise
from napari_credible.noise.saturation import saturation_level


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def doubts(model):
    return " ".join(model.evidence.doubts)


@pytest.mark.parametrize(("shift", "divided_by"), [(-55.0, 1.0), (-30.0, 12.0)])
def test_counts_that_were_shifted_and_divided_keep_their_gain_and_their_mean(
    scene, rng, shift, divided_by
):
    light = (5 + 50 * scene + shift) / divided_by
    image = (rng.poisson(5 + 50 * scene) + shift) / divided_by
    found = estimate_noise(image)
    assert found.gain == pytest.approx(1 / divided_by, rel=0.05)
    assert abs(found.offset - shift / divided_by) < 3 * found.evidence.errors["offset"]
    result = nc.denoise(image, found, denoiser="tv")
    one = np.sqrt(light.var() / light.size + np.mean(image - light) ** 2)
    assert abs(np.mean(result.estimate - light)) < 0.02 * light.std() + one
    assert not np.any(result.flags & Flag.BELOW_OFFSET)


def test_an_offset_that_was_subtracted_already_is_flagged(scene, rng):
    image = rng.poisson(5 + 50 * scene) - 55.0
    result = nc.denoise(image, PoissonGaussian(1.0), denoiser="tv")
    wrong = result.flags & Flag.BELOW_OFFSET > 0
    np.testing.assert_array_equal(wrong, image < -0.5)
    assert "subtracted already" in " ".join(result.doubts)


def test_noise_below_the_offset_is_not_flagged(rng):
    model = PoissonGaussian(2.0, 100.0, 5.0)
    image = model.draw(np.full((256, 256), 100.0), 1)
    assert not model.impossible(image).any()
    assert model.impossible([60.0, 69.0, 71.0]).tolist() == [True, True, False]


def test_an_offset_must_fit_the_image(scene, rng):
    image = rng.poisson(5 + 50 * scene)
    with pytest.raises(ValueError, match="a finite number"):
        estimate_noise(image, offset=np.nan)
    with pytest.raises(ValueError, match="above every level"):
        estimate_noise(image, offset=500.0)
    assert "below the offset of 20" in doubts(estimate_noise(image, offset=20.0))
    assert "below the offset" not in doubts(estimate_noise(image, offset=0.0))


def test_an_offset_that_is_assumed_has_no_error_bar(scene):
    found = estimate_noise(PoissonGaussian(1.0, 0.0, 4.0).draw(50 * scene, 0))
    assert found.offset == 0
    assert found.evidence.errors["offset"] == np.inf
    assert "offset 0," in found.in_words()


@pytest.mark.parametrize("mean", [0.02, 0.05, 0.1, 0.2, 1.0])
def test_few_photons_do_not_saturate(rng, mean):
    assert saturation_level(rng.poisson(mean, (256, 256))) is None


def test_coarse_noise_does_not_saturate_but_a_limit_does(scene, rng):
    assert saturation_level(np.round(rng.normal(100, 0.5, (256, 256)))) is None
    assert saturation_level(np.minimum(rng.poisson(200 * scene), 150)) == 150


def test_a_plane_that_alone_reaches_the_limit_is_flagged(rng):
    stack = rng.poisson(50, (40, 64, 64)).astype(np.float64)
    stack[1] = np.minimum(rng.poisson(100, (64, 64)), 105)
    result = nc.denoise(stack, PoissonGaussian(1.0), denoiser="tv")
    np.testing.assert_array_equal(result.flags & Flag.SATURATED > 0, stack == 105)


def test_a_black_level_that_cuts_the_noise_is_said(scene, rng):
    light = 1 + 100 * np.maximum(scene - 0.2, 0)
    image = np.round(Gaussian(4.0).draw(light, 1))
    assert "noise is cut off there" in doubts(estimate_noise(np.maximum(image, 0)))
    assert "cut off" not in doubts(estimate_noise(image))
    counts = rng.poisson(5 * np.maximum(scene - 0.2, 0))
    assert "cut off" not in doubts(estimate_noise(counts))


def repeats_of(scene, change):
    light = 5 + 50 * scene[:200, :200]
    return np.stack([np.random.default_rng(k).poisson(change(light, k)) for k in range(8)])


@pytest.mark.parametrize(
    "change",
    [lambda light, k: light * (1 - 0.04 * k), lambda light, k: np.roll(light, k, axis=0)],
    ids=["fades", "moves"],
)
def test_repeats_that_change_are_said_and_hardly_mislead(scene, change):
    found = estimate_noise(repeats_of(scene, change), repeats=True)
    assert "moves or fades" in doubts(found)
    assert found.gain == pytest.approx(1, rel=0.06)


def test_still_repeats_are_not_doubted(scene):
    frames = repeats_of(scene, lambda light, k: light)
    found = estimate_noise(frames, repeats=True)
    assert "moves or fades" not in doubts(found)
    assert abs(found.gain - 1) < 3 * found.evidence.errors["gain"]
    last = nc.Image(np.moveaxis(frames, 0, 2), "YXT")
    assert estimate_noise(last, repeats=True) == found


def test_missing_pixels_are_left_out(scene, rng):
    image = rng.poisson(5 + 50 * scene).astype(np.float64)
    holes = rng.random(image.shape) < 0.02
    hidden = estimate_noise(np.ma.masked_array(image, holes))
    assert hidden.gain == pytest.approx(1, rel=0.06)
    assert estimate_noise(np.where(holes, np.nan, image)) == hidden
    result = nc.denoise(np.ma.masked_array(image, holes), hidden, denoiser="tv")
    np.testing.assert_array_equal(result.flags & Flag.NOT_FINITE > 0, holes)


def test_a_small_image_gives_its_sigma():
    image = Gaussian(5.0).draw(np.full((16, 16), 100.0), 0)
    found = estimate_noise(image)
    assert abs(found.sigma - 5) < 3 * found.evidence.errors["sigma"]
    assert "smoothed" not in doubts(found)


def every_second_row_missing():
    image = np.random.default_rng(0).normal(100, 5, (64, 64))
    image[::2] = np.nan
    return image


RAMP = np.add.outer(np.arange(128.0), np.arange(128.0))


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (every_second_row_missing(), "only 0 places of 5 x 5 pixels"),
        (RAMP, "no noise was found"),
        ((RAMP / 7).astype(np.float32), "no noise was found"),
        (np.zeros((0, 64, 64)), "is empty"),
        (RAMP + 0j, "holds complex128 values"),
        (RAMP > 100, "holds bool values"),
        (nc.Image(np.stack([RAMP, RAMP]), "CYX"), r"2 channels .* image.channels\(\)"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        estimate_noise(image)


def test_channels_are_measured_one_by_one(rng):
    image = nc.Image(rng.poisson(20, (64, 64, 2)).astype(np.float32), "YXC", name="two")
    first, second = image.channels()
    assert (first.axes, first.shape, first.name) == ("YX", (64, 64), "two")
    np.testing.assert_array_equal(second.array, image.array[..., 1])
    assert estimate_noise(second).sigma == pytest.approx(np.sqrt(20), rel=0.1)


def test_header_numbers_that_are_none_are_passed_over():
    for header in ({"GAIN": float("nan")}, {"GAIN": True}, {"GAIN": -3}):
        assert nc.noise.from_header(header) is None
    assert nc.noise.from_header({"GAIN": float("inf"), "EGAIN": 2.0}).gain == 0.5


def test_a_given_offset_goes_with_the_headers_gain(scene):
    image = PoissonGaussian(1.0, 100.0, 3.0).draw(110 + 50 * scene, 0)
    header = {"GAIN": 1.0, "RDNOISE": 3.0}
    found = estimate_noise(nc.Image(image, header=header), offset=100.0)
    assert (found.gain, found.offset, found.read_noise) == (1.0, 100.0, 3.0)
    assert found.evidence.errors["offset"] == 0


def test_light_that_cannot_be_counted_is_refused():
    for light in (np.nan, np.inf, 1e20):
        with pytest.raises(ValueError, match="give finite light"):
            PoissonGaussian(1.0).draw(np.full((2, 2), light), 0)


def test_a_model_keeps_its_own_map():
    given = np.ones((4, 4))
    model = PoissonGaussian(given)
    given[:] = 7
    assert (model.gain == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        model.gain[:] = 3
