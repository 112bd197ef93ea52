"""What frames without light tell of a camera, and what is refused or doubted."""

import dask.array
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian, estimate_noise
from napari_credible.noise.dark import look_at

CAMERA = PoissonGaussian(gain=2.0, offset=100.0, read_noise=6.0)
TRUTH = {"offset": 100.0, "read_noise": 6.0}


def dark_frames(count, seed, side=96, hot=0):
    rng = np.random.default_rng(seed)
    frames = CAMERA.draw(np.full((count, side, side), 100.0), rng)
    pixels = rng.choice(side * side, hot, replace=False)
    frames.reshape(count, -1)[:, pixels] += rng.uniform(0, 3000, hot)
    return frames


def scores(measured, truth):
    """Return z, shape (draws, parameters), of (value, error) pairs against the truth."""
    return np.array(
        [
            [(value - truth[name]) / error for name, (value, error) in one.items()]
            for one in measured
        ]
    )


def assert_unbiased_and_honest(z):
    """Means within 3 standard errors of zero, spreads within 4 of one."""
    count = len(z)
    assert (np.abs(z.mean(0)) < 3 / np.sqrt(count)).all(), z.mean(0)
    assert (np.abs(z.std(0) - 1) < 4 / np.sqrt(2 * count)).all(), z.std(0)


def of_dark(dark):
    return {
        "offset": (dark.offset, dark.offset_error),
        "read_noise": (dark.read_noise, dark.read_noise_error),
    }


@pytest.mark.parametrize("hot", [0, 60])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_offset_and_read_noise_are_unbiased_with_honest_errors(count, hot):
    """60 of 9216 pixels are hot, by up to 500 read noises: they do not matter."""
    draws = [dark_frames(count, seed, hot=hot) for seed in range(100)]
    assert_unbiased_and_honest(scores([of_dark(look_at(d, d)) for d in draws], TRUTH))


def test_the_bar_rejects_a_plain_mean_and_deviation():
    draws = [dark_frames(2, seed, hot=60) for seed in range(20)]
    plain = [
        {
            "offset": (d.mean(), 6 / np.sqrt(d.size)),
            "read_noise": (d.std(), 6 / np.sqrt(2 * d.size)),
        }
        for d in draws
    ]
    with pytest.raises(AssertionError):
        assert_unbiased_and_honest(scores(plain, TRUTH))


def test_a_fixed_pattern_is_not_counted_as_read_noise():
    pattern = Gaussian(9.0).draw(np.zeros((96, 96)), 1)
    found = look_at(dark_frames(4, 0) + pattern, np.zeros((96, 96)))
    assert abs(found.read_noise - 6) < 3 * found.read_noise_error
    assert found.pattern == pytest.approx(9.0, rel=0.03)
    assert "from pixel to pixel" in " ".join(found.doubts)


def test_one_frame_cannot_tell_the_pattern_and_says_so():
    assert "one dark frame cannot tell" in look_at(dark_frames(1, 0), np.zeros((96, 96))).doubts[0]
    assert not look_at(dark_frames(2, 0), np.zeros((96, 96))).doubts


@pytest.mark.parametrize("read_noise", [0.4, 3.0])
def test_whole_numbers_keep_their_rounding_noise(read_noise):
    frames = np.round(100 + read_noise * np.random.default_rng(0).standard_normal((4, 96, 96)))
    found = look_at(frames.astype(np.uint16), frames)
    assert found.read_noise == pytest.approx(frames.std(), rel=0.01)


def test_a_dark_frame_cut_off_at_zero_is_doubted():
    frames = np.maximum(dark_frames(2, 0) - 100, 0)
    assert "cut off at 0" in " ".join(look_at(frames, frames).doubts)


def test_many_hot_pixels_are_said():
    frames = dark_frames(2, 0, hot=300)
    assert "are hot" in " ".join(look_at(frames, frames).doubts)


def exposures(light, count, seed):
    rng = np.random.default_rng(seed)
    return np.stack([CAMERA.draw(light, rng) for _ in range(count)])


def test_the_gain_of_repeats_is_unbiased_with_an_honest_error(scene):
    light = 100 + 300 * scene[::4, ::4]
    found = [
        estimate_noise(
            exposures(light, 4, seed), repeats=True, dark=dark_frames(4, 1000 + seed, side=128)
        )
        for seed in range(30)
    ]
    measured = [{"gain": (f.gain, f.evidence.errors["gain"])} for f in found]
    assert_unbiased_and_honest(scores(measured, {"gain": 2.0}))


@pytest.mark.parametrize("smoothed", [0, 6])
def test_the_gain_of_one_image_lies_within_its_error(scene, smoothed):
    """The points of one image are low by a common share, which the error holds."""
    light = 100 + 300 * (gaussian_filter(scene, smoothed) if smoothed else scene)[-256:, :256]
    z = [
        (found.gain - 2.0) / found.evidence.errors["gain"]
        for found in (
            estimate_noise(CAMERA.draw(light, seed), dark=dark_frames(2, 1000 + seed, side=256))
            for seed in range(6)
        )
    ]
    assert np.sqrt(np.mean(np.square(z))) < 1.6
    assert max(np.abs(z)) < 3


def test_a_dark_frame_tells_more_than_the_image_alone(scene):
    image = CAMERA.draw(100 + 10 * (1 + scene[:256, :256]), 0)
    alone = estimate_noise(image)
    pinned = estimate_noise(image, dark=dark_frames(2, 1, side=256))
    assert pinned.evidence.source == "dark frame"
    assert abs(pinned.read_noise - 6) < 3 * pinned.evidence.errors["read_noise"]
    assert pinned.evidence.errors["offset"] < 0.1
    named = getattr(alone, "gain", np.inf)
    assert abs(pinned.gain - 2.0) <= abs(named - 2.0)


def test_a_flat_image_and_a_dark_frame_give_the_gain():
    image = CAMERA.draw(np.full((256, 256), 300.0), 3)
    found = estimate_noise(image, dark=dark_frames(2, 4, side=256))
    assert abs(found.gain - 2.0) < 3 * found.evidence.errors["gain"]


def test_a_fixed_pattern_does_not_bend_the_line(scene):
    pattern = Gaussian(9.0).draw(np.zeros((256, 256)), 1)
    image = CAMERA.draw(100 + 300 * scene[:256, :256], 0) + pattern
    found = estimate_noise(image, dark=dark_frames(4, 2, side=256) + pattern)
    assert abs(found.gain - 2.0) < 3 * found.evidence.errors["gain"]


def test_the_covariance_is_that_of_the_line(scene):
    """Where no light falls the band is as narrow as the dark frame; far from it, wide."""
    frames = dark_frames(2, 4, side=256)
    found = estimate_noise(CAMERA.draw(100 + 300 * scene[:256, :256], 3), dark=frames)
    dark, bright = found.evidence.line_error([100.0, 400.0])
    assert dark == pytest.approx(36 * np.sqrt(2 / 256**2), rel=0.2)
    assert bright == pytest.approx(300 * found.evidence.errors["gain"], rel=0.05)


def test_every_measured_model_knows_the_error_of_its_line(scene):
    image = CAMERA.draw(100 + 300 * scene[:256, :256], 3)
    for found in (
        estimate_noise(image),
        estimate_noise(image, offset=100.0),
        estimate_noise(Gaussian(5.0).draw(50 * scene, 0)),
        estimate_noise(Image(image, header={"GAIN": 0.5, "RDNOISE": 3.0})),
    ):
        errors = found.evidence.line_error(found.evidence.means)
        assert (errors > 0).all()
        assert (errors < found.variance(found.evidence.means)).all()


def test_lazy_frames_and_images_are_taken_alike(scene):
    image = CAMERA.draw(100 + 300 * scene[:128, :128], 3)
    frames = dark_frames(3, 4, side=128)
    wanted = estimate_noise(image, dark=frames)
    lazy = dask.array.from_array(frames, chunks=(1, 64, 64))
    assert estimate_noise(Image(image), dark=Image(lazy)) == wanted
    assert estimate_noise(image, dark=frames.astype(">f8")) == wanted


def test_pixels_that_are_not_finite_are_left_out():
    frames = dark_frames(2, 0)
    frames[0, :10] = np.nan
    found = look_at(frames, frames)
    assert abs(found.read_noise - 6) < 3 * found.read_noise_error


def test_an_image_darker_than_its_dark_frame_is_doubted(scene):
    image = CAMERA.draw(100 + 300 * scene[:128, :128], 3) - 200
    doubts = " ".join(estimate_noise(image, dark=dark_frames(2, 0, side=128)).evidence.doubts)
    assert "darker than the dark frame" in doubts


def test_a_dark_frame_of_other_settings_is_doubted(scene):
    image = CAMERA.draw(100 + 300 * scene[:256, :256], 3)
    frames = 100 + 5 * (dark_frames(2, 0, side=256) - 100)
    assert "other settings" in " ".join(estimate_noise(image, dark=frames).evidence.doubts)


def test_a_dark_frame_that_fits_raises_no_doubt(scene):
    for seed in range(3):
        image = CAMERA.draw(100 + 300 * scene[:256, :256], seed)
        assert not estimate_noise(image, dark=dark_frames(2, seed, side=256)).evidence.doubts


def test_light_without_more_noise_is_called_gaussian():
    """The dark frame itself, taken for an image, has nothing but read noise."""
    found = estimate_noise(dark_frames(1, 5, side=256)[0], dark=dark_frames(2, 6, side=256))
    assert isinstance(found, Gaussian)
    assert "light adds no noise" in " ".join(found.evidence.doubts)


@pytest.mark.parametrize(
    ("image", "arguments", "sentence"),
    [
        (np.ones((64, 64)), {"dark": np.ones((32, 32))}, "same region and binning"),
        (np.ones((64, 64)), {"dark": np.ones(64)}, "same region and binning"),
        (np.ones((64, 64)), {"dark": np.ones((0, 64, 64))}, "same region and binning"),
        (np.ones((64, 64)), {"dark": np.full((64, 64), np.nan)}, "are finite"),
        (np.ones((64, 64)), {"dark": np.ones((64, 64)), "offset": 3.0}, "give one"),
        (
            Image(np.ones((64, 64)), unit="ADU"),
            {"dark": Image(np.ones((64, 64)), unit="electron")},
            "give both in one unit",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(image, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        estimate_noise(image, **arguments)
