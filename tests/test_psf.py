"""Point-spread functions: resampled without loss of flux, centred, measured from stars."""

from functools import cache

import numpy as np
import pytest
from scipy.special import erf

import napari_credible as nc
from napari_credible.noise import Gaussian
from napari_credible.operators import Blur, Downsample, Whitened, operator_of, psf_blur
from napari_credible.operators.psf_image import centred, pixel_size, resampled
from napari_credible.operators.psf_stars import psf_from_stars


def gaussian(std, reach, centre=(0.0, 0.0)):
    """Return the exact integral of a Gaussian over each pixel."""
    edges = np.arange(-reach, reach + 2) - 0.5
    lines = [np.diff(erf((edges - c) / std / np.sqrt(2))) / 2 for c in centre]
    return np.outer(*lines)


@pytest.mark.parametrize(
    ("std", "size", "bar"),
    [(6, 1 / 3, 1e-5), (2, 2, 2e-3), (2, 1 / 1.5, 2e-3), (2, 1.3, 2e-3), (1, 2, 3e-2)],
)
def test_a_resampled_psf_is_that_of_the_new_pixels(std, size, bar):
    psf = gaussian(std, 6 * std)
    found = resampled(psf, (size, size))
    wanted = gaussian(std * size, len(found) // 2)
    assert found.sum() == pytest.approx(psf.sum(), rel=1e-9)
    assert np.abs(found - wanted).sum() < bar
    assert found.min() >= 0


def test_interpolated_values_would_lose_flux():
    import scipy.ndimage

    zoomed = scipy.ndimage.zoom(gaussian(6, 36), 1 / 3)
    assert abs(zoomed.sum() - 1) > 0.5


def test_oblong_pixels_resample_each_axis():
    found = resampled(gaussian(3, 18), (1, 0.5))
    assert found.shape == (37, 19)
    wanted = gaussian(1.5, 9)[9] / gaussian(1.5, 9)[9].sum()
    np.testing.assert_allclose(found[18] / found[18].sum(), wanted, atol=2e-3)


@pytest.mark.parametrize("offset", [(0, 0), (3, -2), (-1, 4)])
@pytest.mark.parametrize("cut", [slice(None), slice(1, None)], ids=["odd", "even"])
def test_a_psf_is_centred_whole(offset, cut):
    psf = np.roll(gaussian(1.5, 12), offset, (0, 1))[cut, cut]
    found = centred(psf)
    assert all(n % 2 for n in found.shape)
    assert np.unravel_index(found.argmax(), found.shape) == tuple(n // 2 for n in found.shape)
    assert found.sum() == pytest.approx(psf.sum())


MICRONS = ("micrometer", "micrometer")


def test_a_psf_of_a_file_is_resampled_to_the_image(tmp_path):
    fine = nc.Image(gaussian(6, 30).astype(np.float32), scale=(0.02, 0.02), axis_units=MICRONS)
    nc.write(tmp_path / "psf.ome.tif", fine)
    blur = operator_of(f"blur:{tmp_path / 'psf.ome.tif'},valid", nc.read)
    assert blur.pixel == pytest.approx((0.02, 0.02))
    fitted = blur.for_pixels((60, 60), "nm")
    assert fitted.boundary == "valid"
    np.testing.assert_allclose(fitted.psf, gaussian(2, 10), atol=1e-5)
    assert fitted.for_pixels((0.06, 0.06), "um").psf is not None
    # Binned data come from pixels half as large, whose PSF has twice as many.
    chain = Whitened(Downsample(2) @ blur, 0.1)
    assert chain.coarser == 2
    assert chain.for_pixels((30, 30), "nm").operator.first.psf.shape == (41, 41)
    with pytest.raises(ValueError, match="both in a length or both in an angle"):
        blur.for_pixels((1, 1), "arcsec")


def test_a_psf_of_the_images_own_pixels_stays():
    blur = psf_blur(nc.Image(gaussian(1.2, 5), scale=(0.1, 0.1), axis_units=MICRONS))
    np.testing.assert_array_equal(blur.for_pixels((100.01, 100), "nm").psf, blur.psf)
    unknown = psf_blur(gaussian(1.2, 5))
    assert unknown.for_pixels((0.2, 0.2), "um") is unknown


def test_the_sky_tells_the_size_of_pixels():
    header = {"CD1_1": -0.2 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.2 / 3600}
    size, unit = pixel_size(nc.Image(np.zeros((4, 4)), header=header))
    assert unit == "arcsec"
    assert size == pytest.approx((0.2, 0.2))
    assert pixel_size(nc.Image(np.zeros((4, 4)))) is None


def moffat(down, right, width, power=3.0):
    """An elongated Moffat star, not symmetric to the axes; its light falls slowly."""
    u, v = (0.83 * down + 0.56 * right) / 1.15, (-0.56 * down + 0.83 * right) / 0.85
    radius = width / 2 / np.sqrt(2 ** (1 / power) - 1)
    return (1 + (u**2 + v**2) / radius**2) ** -power


def star(centre, reach, width):
    """Return a star integrated over each pixel, of peak near 1."""
    fine = (np.arange(-reach, reach + 1)[:, None] + (np.arange(5) - 2) / 5).ravel()
    light = moffat(fine[:, None] - centre[0], fine - centre[1], width)
    return light.reshape(2 * reach + 1, 5, 2 * reach + 1, 5).mean((1, 3))


def field(width, seed=0, shape=(300, 320), count=45):
    """Return a field of stars on a slope of sky, some cut off, some galaxies, cosmic rays."""
    rng = np.random.default_rng(seed)
    reach = 16
    light = np.zeros(np.add(shape, 2 * reach))
    for number in range(count):
        y, x = rng.uniform(reach, np.array(shape) - reach)
        peak = 40 * 10 ** rng.uniform(0, 2)
        extent = 2.5 * width if number % 9 == 0 else width
        square = star((y - round(y), x - round(x)), reach, extent)
        light[round(y) : round(y) + 2 * reach + 1, round(x) : round(x) + 2 * reach + 1] += (
            peak * square
        )
    light = light[reach:-reach, reach:-reach]
    sky = 100 + np.linspace(0, 30, shape[0])[:, None] + np.zeros(shape[1])
    std = np.sqrt(1 + 0.02 * light)
    image = light + sky + std * rng.standard_normal(shape)
    image[tuple(rng.integers(0, np.array(shape)[:, None], (2, 60)))] += 500
    return np.minimum(image, 2500), std


def relative_error(psf, width):
    wanted = star((0, 0), len(psf) // 2, width)
    wanted /= wanted.sum()
    return np.linalg.norm(psf - wanted) / np.linalg.norm(wanted)


SIZE = 19
BAR = 0.03


@cache
def measured(width):
    return psf_from_stars(*field(width), SIZE)


@pytest.mark.parametrize("width", [2.2, 3.0])
def test_the_psf_of_simulated_stars_is_found(width):
    found = measured(width)
    assert relative_error(found.psf, width) < BAR
    assert found.psf.sum() == pytest.approx(1)
    assert found.relative_error < 0.02
    assert found.fwhm == pytest.approx(width, rel=0.08)
    assert len(found.positions) >= 12
    assert str(found).startswith(f"PSF of {len(found.positions)} stars")
    assert Blur(found.psf)(np.zeros((40, 50))).shape == (40, 50)


def test_stars_stacked_by_whole_pixels_are_too_broad():
    image, _ = field(2.2)
    places = measured(2.2).positions.round().astype(int)
    reach = SIZE // 2
    squares = np.array([image[y - reach : y + reach + 1, x - reach : x + reach + 1]
                        for y, x in places])  # fmt: skip
    squares = squares - np.median(squares[:, 0], 1)[:, None, None]
    stacked = np.median(squares / squares.sum((1, 2), keepdims=True), 0)
    assert relative_error(stacked / stacked.sum(), 2.2) > BAR


def test_noise_is_measured_or_a_model():
    image, _ = field(3.0)
    for noise in (None, Gaussian(1.0)):
        found = psf_from_stars(nc.Image(image), noise, SIZE)
        # Noise that is said to be the same in bright pixels costs half as much again.
        assert relative_error(found.psf, 3.0) < 1.5 * BAR


@pytest.mark.parametrize(
    ("image", "words", "options"),
    [
        (np.random.default_rng(0).standard_normal((90, 90)), "0 isolated unsaturated stars", {}),
        (np.zeros((20, 20)), "more than twice the size", {}),
        (np.zeros((3, 90, 90)), "give one plane", {}),
        (np.zeros((90, 90)), "odd size", {"size": 8}),
        (np.zeros((90, 90)), "not above 0 everywhere", {}),
        (np.ones((90, 90)), "does not fit an image", {"noise": np.ones((3, 4))}),
    ],
)
def test_an_image_without_stars_is_refused(image, words, options):
    with pytest.raises(ValueError, match=words):
        psf_from_stars(image, **{"size": 19, **options})


def test_saturated_stars_are_left_out():
    image, std = field(3.0)
    found = psf_from_stars(image, std, SIZE, saturation=800.0)
    assert all(image[tuple(p.round().astype(int))] < 800 for p in found.positions)
