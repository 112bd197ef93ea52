"""What the data tell of their noise, and what they cannot tell."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian, estimate_noise, from_header
from napari_credible.noise.patches import points_of

# gain, read noise, brightest pixel in photoelectrons
CAMERAS = [(2.0, 8.0, 200), (1.0, 1.0, 30), (0.5, 4.0, 800), (60.0, 120.0, 40)]


@pytest.mark.parametrize(("gain", "read", "peak"), CAMERAS)
def test_gain_and_read_noise_are_found_in_one_image(scene, gain, read, peak):
    model = PoissonGaussian(gain, 0.0, read)
    found = estimate_noise(model.draw(gain * peak * scene, 1))
    assert isinstance(found, PoissonGaussian)
    assert found.gain == pytest.approx(gain, rel=0.05)
    assert found.read_noise == pytest.approx(read, rel=0.15)


def test_errors_cover_the_truth(scene):
    """The truth lies within 3 stated errors of the gain in 9 of 10 draws or more."""
    model = PoissonGaussian(2.0, 0.0, 8.0)
    within = 0
    for seed in range(10):
        found = estimate_noise(model.draw(400 * scene[:256, :256], seed))
        within += abs(found.gain - 2.0) < 3 * found.evidence.errors["gain"]
    assert within >= 9


def test_a_given_offset_separates_read_noise(scene):
    model = PoissonGaussian(2.0, 100.0, 6.0)
    found = estimate_noise(model.draw(100 + 300 * (0.2 + scene), 1), offset=100.0)
    assert found.read_noise == pytest.approx(6.0, rel=0.15)
    assert not any("offset" in doubt for doubt in found.evidence.doubts)


def thirds_z(noisy, gain, offset):
    """Return the mean z of the third cumulants against gain^2 (mean - offset)."""
    found = points_of(noisy, np.ones(noisy.shape, bool), np.random.default_rng(0))
    z = (found.thirds - gain**2 * (found.means - offset)) / found.third_errors
    return abs(z.mean()) * np.sqrt(len(z))


@pytest.fixture(scope="module")
def smooth(scene):
    """Two planes, so that what is wrong stands out from what is chance."""
    return np.stack([gaussian_filter(scene, 6)] * 2)


def test_third_cumulants_are_those_of_counting(smooth):
    model = PoissonGaussian(1.0, 50.0, 0.2)
    assert thirds_z(model.draw(50.6 + 2 * smooth, 2), 1.0, 50.0) < 4


def test_the_bar_rejects_noise_that_is_not_counted(smooth):
    light = 50.6 + 2 * smooth
    noise = np.sqrt(light - 50 + 0.2**2) * np.random.default_rng(2).standard_normal(light.shape)
    assert thirds_z(light + noise, 1.0, 50.0) > 6


@pytest.mark.parametrize("darkest", [3.0, 15.0])
def test_the_offset_is_found_within_its_error_where_nothing_is_dark(scene, darkest):
    model = PoissonGaussian(1.0, 50.0, 2.0)
    found = estimate_noise(model.draw(50 + darkest + 50 * scene, 2))
    assert abs(found.offset - 50) < 3 * found.evidence.errors["offset"]
    assert abs(found.read_noise - 2) < 3 * found.evidence.errors["read_noise"]


def test_a_dark_background_gives_the_offset(scene):
    light = 100 + 500 * np.maximum(scene - 0.3, 0)
    found = estimate_noise(PoissonGaussian(2.0, 100.0, 6.0).draw(light, 1))
    assert found.offset == pytest.approx(100, abs=3)
    assert found.read_noise == pytest.approx(6.0, rel=0.15)
    assert any("hardly told apart" in d for d in found.evidence.doubts)


@pytest.mark.parametrize("sigma", [0.02, 3.0, 500.0])
def test_gaussian_noise_is_recognised(scene, sigma):
    found = estimate_noise(Gaussian(sigma).draw(10 * sigma * scene, 2))
    assert isinstance(found, Gaussian)
    assert found.sigma == pytest.approx(sigma, rel=0.03)


def test_a_flat_image_is_called_gaussian():
    found = estimate_noise(PoissonGaussian(2.0, 0.0, 3.0).draw(np.full((128, 128), 50.0), 3))
    assert isinstance(found, Gaussian)
    assert found.sigma == pytest.approx(np.sqrt(2 * 50 + 9), rel=0.03)


def test_repeats_see_through_texture():
    rng = np.random.default_rng(0)
    light = 20 + 400 * rng.random((128, 128))
    frames = np.stack([PoissonGaussian(2.0, 0.0, 5.0).draw(light, k) for k in range(6)])
    found = estimate_noise(frames, repeats=True)
    assert found.gain == pytest.approx(2.0, rel=0.05)
    assert found.evidence.source == "repeats"


def test_saturation_and_bad_pixels_are_left_out_and_said(scene):
    image = PoissonGaussian(2.0, 0.0, 8.0).draw(400 * scene, 1)
    image = np.minimum(image, 300.0)
    image[:20, :20] = np.nan
    found = estimate_noise(image)
    assert found.gain == pytest.approx(2.0, rel=0.08)
    doubts = " ".join(found.evidence.doubts)
    assert "saturated" in doubts
    assert "not finite" in doubts


def test_a_smoothed_image_is_called_processed(scene):
    image = gaussian_filter(Gaussian(5.0).draw(100 * scene, 4), 1.0)
    assert "already smoothed" in " ".join(estimate_noise(image).evidence.doubts)


def test_white_noise_is_not_called_processed(scene):
    for model in (Gaussian(5.0), PoissonGaussian(2.0, 0.0, 8.0)):
        doubts = estimate_noise(model.draw(400 * scene, 4)).evidence.doubts
        assert "already smoothed" not in " ".join(doubts)


def test_coarse_numbers_are_called_coarse():
    image = np.round(Gaussian(0.1).draw(np.linspace(0, 50, 128**2).reshape(128, 128), 0))
    assert "finer than the steps" in " ".join(estimate_noise(image).evidence.doubts)


def test_byte_order_and_stacks_do_not_matter(photons):
    native = estimate_noise(photons.array)
    swapped = photons.array.astype(photons.array.dtype.newbyteorder(">"))
    assert estimate_noise(swapped) == native
    assert estimate_noise(photons.array[None]) == native


def test_counted_photons_have_gain_one(photons):
    found = estimate_noise(photons)
    assert abs(found.gain - 1) < 2 * found.evidence.errors["gain"]


HEADER = {"GAIN": 2.0, "RDNOISE": 5.0}


def test_a_header_gives_photoelectrons_per_adu():
    found = from_header(HEADER)
    assert (found.gain, found.read_noise) == (0.5, 2.5)
    assert from_header({"GAIN": "unknown"}) is None
    assert from_header({"EGAIN": 4, "PEDESTAL": 100}).offset == 100


def test_header_and_image_together_give_the_offset(scene):
    light = 300 + 200 * scene
    image = PoissonGaussian(0.5, 300.0, 2.5).draw(light, 0)
    found = estimate_noise(Image(image, header=HEADER))
    assert found.evidence.source == "header"
    assert found.offset == pytest.approx(300, abs=5)
    assert found.read_noise == 2.5


def test_a_header_that_the_image_contradicts_is_not_used(scene):
    image = PoissonGaussian(3.0, 0.0, 8.0).draw(600 * scene, 0)
    found = estimate_noise(Image(image, header=HEADER))
    assert found.gain == pytest.approx(3.0, rel=0.05)
    assert "does not fit the measured" in " ".join(found.evidence.doubts)


def test_the_real_ccd_frame_agrees_with_its_header(stars):
    found = estimate_noise(stars)
    assert found.evidence.source == "header"
    assert found.gain == pytest.approx(1 / 1.9)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((64, 64)), "no noise to measure"),
        (np.full((64, 64), np.nan), "of the pixels are finite"),
        (np.zeros((8, 64)), "too small"),
        (np.zeros(64), "too small"),
    ],
)
def test_what_tells_nothing_is_refused(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        estimate_noise(image)


def test_one_exposure_is_no_repeat():
    with pytest.raises(ValueError, match="at least two exposures"):
        estimate_noise(np.ones((1, 64, 64)), repeats=True)
