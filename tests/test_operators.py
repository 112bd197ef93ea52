"""Every operator is linear, has its own adjoint and, where it says so, a true decomposition."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import skimage.measure
import skimage.transform
import torch

from impostors import BROKEN_OPERATORS, lost_tap, unmatched_radon
from napari_credible.operators import (
    Bayer,
    Blur,
    CompressedSensing,
    Decorrelated,
    Downsample,
    Identity,
    Mask,
    Operator,
    Radon,
    Whitened,
    autocovariance_of,
    check_operator,
    paired,
)
from napari_credible.operators.hartley import hartley

RNG = np.random.default_rng(3)
CLOSE = {"rtol": 0, "atol": 1e-12}
ANGLES = np.arange(0, 180, 20)
LOPSIDED = RNG.random((4, 5)) ** 3
CORRELATED = [[0.1, 0.2, 0.1], [0.3, 1, 0.3], [0.1, 0.2, 0.1]]


def mask(*shape):
    return np.random.default_rng(1).random(shape) > 0.4


def levels(*shape):
    found = np.random.default_rng(2).uniform(0.5, 2, shape)
    found[1, 1] = np.inf
    return found


# Operator, shape of the image, whether it has a fast decomposition.
TABLE = [
    (Identity(), (7, 10), True),
    (Mask(mask(7, 10)), (7, 10), True),
    (Blur.uniform(5), (12, 12), True),
    (Blur.uniform(5), (7, 10), True),
    (Blur.gaussian(0.8), (9, 11), True),
    (Blur(LOPSIDED), (8, 8), True),
    (Blur(LOPSIDED), (7, 9), True),
    (Blur(LOPSIDED), (10, 5), True),
    (Blur(LOPSIDED, "zero"), (7, 10), False),
    (Blur(LOPSIDED, "valid"), (9, 6), False),
    (Blur([[-1, 0, 1]], normalise=False), (6, 8), True),
    (Downsample(2), (8, 6), True),
    (Downsample(3), (6, 9), True),
    (Bayer("RGGB"), (3, 6, 8), True),
    (Bayer("GBRG"), (3, 5, 7), True),
    (CompressedSensing(0.125, 4), (16, 16), True),
    (CompressedSensing(0.25, 4), (12, 20), True),
    (CompressedSensing(0.5, 4), (9, 9), True),
    (CompressedSensing(0.3, 4, shape=(7, 11)), (7, 11), True),
    (Radon(ANGLES), (9, 9), False),
    (Radon(ANGLES), (12, 12), False),
    (Radon(ANGLES, circle=False), (10, 10), False),
    (Radon(ANGLES[:3], circle=False, shape=(6, 11)), (6, 11), False),
    (Downsample(2) @ Blur.uniform(3), (8, 10), False),
    (Blur.uniform(3, "valid") @ Mask(mask(8, 10)), (8, 10), False),
    (Identity() @ Blur.uniform(3), (8, 10), True),
    (Mask(mask(4, 5)) @ Downsample(2), (8, 10), True),
    (Mask(mask(7, 10)) @ Mask(~mask(10, 7).T | mask(7, 10)), (7, 10), True),
    (Mask(mask(5, 6)) @ Bayer(), (3, 5, 6), True),
    (Mask(mask(8, 10)) @ Blur.uniform(3), (8, 10), False),
    (Whitened(Blur.uniform(3), 0.3), (8, 7), True),
    (Whitened(Blur.uniform(3), levels(8, 7)), (8, 7), False),
    (Whitened(Mask(mask(8, 7)), levels(8, 7)), (8, 7), True),
    (Whitened(Downsample(2), levels(4, 3)), (8, 6), True),
    (Whitened(Bayer(), levels(5, 6)), (3, 5, 6), True),
    (Whitened(CompressedSensing(0.5), levels(4, 8)), (8, 8), True),
    (Decorrelated(Identity(), CORRELATED), (9, 8), True),
    (Decorrelated(Blur(LOPSIDED), CORRELATED), (8, 9), True),
    (Decorrelated(Downsample(2), CORRELATED), (10, 12), False),
]
IDS = [f"{i}-{type(operator).__name__}" for i, (operator, _, _) in enumerate(TABLE)]
every = pytest.mark.parametrize(("operator", "shape", "fast"), TABLE, ids=IDS)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads only wait for each other at these sizes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def dense(operator, shape):
    """Return H as a matrix, float64."""
    count = int(np.prod(shape))
    return operator(torch.eye(count, dtype=torch.float64).reshape(count, *shape)).flatten(1).T


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_every_operator_keeps_its_promises(operator, shape, fast, dtype):
    report = check_operator(operator, shape, dtype=dtype)
    assert (report.factors is not None) == fast
    assert str(report).startswith(f"images {shape} to data {report.data_shape}")


@every
def test_factors_are_the_singular_value_decomposition(operator, shape, fast):
    matrix = dense(operator, shape)
    expected = torch.linalg.svdvals(matrix)
    largest = check_operator(operator, shape).norm
    assert 0.99 * expected[0] <= largest <= (1 + 1e-9) * expected[0]
    if not fast:
        return
    factors = operator.factors(shape, matrix)
    values = factors.singular_values
    found = values.sort(descending=True).values
    torch.testing.assert_close(found[: len(expected)], expected, rtol=0, atol=1e-10)
    assert not found[len(expected) :].any()
    unit = torch.eye(len(values), dtype=torch.float64)
    basis = factors.from_spectral(unit).flatten(1).T
    torch.testing.assert_close(basis.T @ basis, unit, **CLOSE)
    images = unit.reshape(len(unit), *shape)
    torch.testing.assert_close(factors.to_spectral(images), basis, **CLOSE)
    seen = torch.diag((values > 0).double())
    left = factors.data_from_spectral(unit).flatten(1).T
    torch.testing.assert_close(left.T @ left, seen, **CLOSE)
    torch.testing.assert_close(left @ torch.diag(values) @ basis.T, matrix, **CLOSE)


@every
def test_arrays_and_tensors_of_any_batch_give_the_same(operator, shape, fast):
    images = RNG.standard_normal((2, 3, *shape))
    array = operator(images)
    assert array.dtype == np.float64
    tensor = operator(torch.tensor(images))
    np.testing.assert_array_equal(array, tensor.numpy())
    np.testing.assert_allclose(operator(images[1, 2]), array[1, 2], rtol=0, atol=1e-13)
    single = operator(images.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, array, rtol=0, atol=1e-4)
    assert operator.adjoint(single).shape == images.shape


def test_integers_and_foreign_bytes_become_floats():
    counts = RNG.integers(0, 4000, (6, 8))
    wanted = Blur.uniform(3)(counts.astype(np.float64))
    np.testing.assert_allclose(Blur.uniform(3)(counts.astype(">f8")), wanted, rtol=1e-12)
    found = Blur.uniform(3)(counts.astype(np.uint16))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@every
def test_derivatives_pass(operator, shape, fast):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = operator(x).clone()
    (gradient,) = torch.autograd.grad((operator(x.requires_grad_()) * y).sum(), x)
    torch.testing.assert_close(gradient, operator.adjoint(y), rtol=0, atol=1e-11)
    (back,) = torch.autograd.grad((operator.adjoint(y.requires_grad_()) * gradient).sum(), y)
    torch.testing.assert_close(back, operator(gradient), rtol=0, atol=1e-11)
    _, pushed = torch.func.jvp(operator, (x.detach(),), (gradient,))
    torch.testing.assert_close(pushed, back, rtol=0, atol=1e-11)


def test_blur_is_a_convolution_about_the_middle_pixel():
    image = RNG.standard_normal((9, 12))
    psf = Blur(LOPSIDED).psf
    for boundary, mode in (("circular", "wrap"), ("zero", "constant")):
        wanted = scipy.ndimage.convolve(image, psf, mode=mode)
        np.testing.assert_allclose(Blur(LOPSIDED, boundary)(image), wanted, atol=1e-12)
    wanted = scipy.signal.convolve2d(image, psf, mode="valid")
    np.testing.assert_allclose(Blur(LOPSIDED, "valid")(image), wanted, atol=1e-12)
    box = Blur.uniform(5)(image)
    np.testing.assert_allclose(box, scipy.ndimage.uniform_filter(image, 5, mode="wrap"), atol=1e-12)
    lost = lost_tap(np.full((5, 5), 1 / 25))(image)
    assert np.abs(lost - box).max() > 0.05


def test_a_blur_keeps_flux():
    image = RNG.random((10, 11))
    for blur in (Blur(7 * LOPSIDED), Blur.gaussian(0.7), Blur.uniform(3)):
        assert blur(image).sum() == pytest.approx(image.sum(), rel=1e-12)
    assert lost_tap(np.full((3, 3), 1 / 9))(image).sum() < 0.5 * image.sum()


def test_downsampling_takes_means():
    image = RNG.standard_normal((8, 12))
    wanted = skimage.measure.block_reduce(image, (4, 4), np.mean)
    np.testing.assert_allclose(Downsample(4)(image), wanted, atol=1e-13)


def test_a_bayer_filter_keeps_one_colour_a_pixel():
    image = RNG.standard_normal((3, 5, 6))
    found = Bayer("GRBG")(image)
    np.testing.assert_array_equal(found[::2, ::2], image[1, ::2, ::2])
    np.testing.assert_array_equal(found[::2, 1::2], image[0, ::2, 1::2])
    np.testing.assert_array_equal(found[1::2, ::2], image[2, 1::2, ::2])
    np.testing.assert_array_equal(found[1::2, 1::2], image[1, 1::2, 1::2])


@pytest.mark.filterwarnings("ignore:Radon transform")
@pytest.mark.parametrize("side", [16, 17])
@pytest.mark.parametrize("circle", [True, False])
def test_radon_is_that_of_scikit_image(side, circle):
    image, angles = RNG.random((side, side)), np.linspace(-30, 200, 12)
    wanted = skimage.transform.radon(image, angles, circle=circle)
    np.testing.assert_allclose(Radon(angles, circle)(image), wanted, atol=1e-11)


def test_radon_of_an_oblong_image_is_that_of_scikit_image():
    image = RNG.random((11, 18))
    wanted = skimage.transform.radon(image, ANGLES, circle=False)
    found = Radon(ANGLES, circle=False, shape=(11, 18))(image)
    np.testing.assert_allclose(found, wanted, atol=1e-11)


@pytest.mark.parametrize("shape", [(16, 16), (15, 15), (24, 16)])
def test_measurements_are_orthonormal_rows(shape):
    sensing = CompressedSensing(0.25, 1)
    data = RNG.standard_normal(sensing.data_shape(shape))
    assert data.size == pytest.approx(np.prod(shape) / 4, rel=0.1)
    np.testing.assert_allclose(sensing(sensing.adjoint(data)), data, atol=1e-12)


def test_rows_of_walsh_and_hadamard_are_signs_drawn_alike_everywhere():
    found = dense(CompressedSensing(0.5, 7), (4, 4)) * 4
    assert set(found.flatten().round(decimals=12).tolist()) == {-1.0, 1.0}
    # Of this seed, for ever: a recipe must mean the same on every machine.
    assert (found[0] > 0).int().tolist() == [1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0]


def test_seeds_differ():
    image = RNG.standard_normal((8, 8))
    assert np.abs(CompressedSensing(0.5, 1)(image) - CompressedSensing(0.5, 2)(image)).max() > 0.1


def test_hidden_data_are_never_looked_at():
    seen = mask(9, 8)
    image = RNG.standard_normal((9, 8))
    data = np.where(seen, image, np.nan)
    half = np.arange(72).reshape(9, 8) % 2 > 0
    for operator in (
        Mask(seen),
        Whitened(Identity(), np.where(seen, 2, np.inf)),
        Mask(seen | half) @ Mask(seen | ~half),
    ):
        assert (operator.observed((9, 8)) == seen).all()
        back = operator.adjoint(data)
        assert np.isfinite(back).all()
        assert not back[~seen].any()
        factors = operator.factors((9, 8), torch.zeros((), dtype=torch.float64))
        assert torch.isfinite(factors.data_to_spectral(torch.tensor(data))).all()
        assert np.isfinite(operator(data)).all()


def test_hartley_is_its_own_inverse():
    x = torch.tensor(RNG.standard_normal((3, 5, 6)))
    torch.testing.assert_close(hartley(hartley(x, 2), 2), x, **CLOSE)
    torch.testing.assert_close(hartley(hartley(x)), x, **CLOSE)


N_DRAWS = 4000


def worst_z(whitened):
    """Return how many standard errors whitened noise is from white, of variance 1."""
    flat = whitened.reshape(len(whitened), -1)
    found = flat.T @ flat / len(flat)
    error = np.where(np.eye(len(found)) > 0, np.sqrt(2 / len(flat)), 1 / np.sqrt(len(flat)))
    return np.abs((found - np.eye(len(found))) / error).max()


def test_uneven_noise_becomes_white():
    std = np.random.default_rng(0).uniform(0.5, 3, (5, 6))
    noise = std * np.random.default_rng(1).standard_normal((N_DRAWS, 5, 6))
    whiten = Whitened(Identity(), std).whiten
    assert worst_z(whiten(torch.tensor(noise)).numpy()) < 4.5
    assert worst_z(noise / std.mean()) > 4.5


def test_correlated_noise_becomes_white():
    kernel = np.array([[0.2, 0.3, 0], [0.1, 1, 0.3], [0, 0.1, 0.2]])
    lags = scipy.signal.correlate2d(kernel, kernel)
    white = np.random.default_rng(1).standard_normal((N_DRAWS, 6, 7))
    noise = Blur(kernel, normalise=False)(white)
    whiten = Decorrelated(Identity(), lags).whiten
    assert worst_z(whiten(torch.tensor(noise)).numpy()) < 4.5
    assert worst_z(noise / noise.std()) > 4.5


def test_an_autocovariance_is_measured():
    kernel = np.array([[0.5, 1, 0.5]])
    frames = 3 + Blur(kernel, normalise=False)(
        np.random.default_rng(0).standard_normal((4, 200, 200))
    )
    reach = 8
    found = autocovariance_of(frames, reach)
    # Bartlett's window pulls neighbours at distance 1 and 2 down by 1/9 and 2/9.
    wanted = np.array([0.25 * 7 / 9, 1 * 8 / 9, 1.5, 1 * 8 / 9, 0.25 * 7 / 9])
    np.testing.assert_allclose(found[reach, reach - 2 : reach + 3], wanted, atol=0.02)
    assert np.abs(found[: reach - 1]).max() < 0.02
    Decorrelated(Identity(), found).data_shape((32, 32))
    check_operator(Decorrelated(Identity(), found), (32, 32))


class Gradient(Operator):
    """A user's own: writes only what it does to an image."""

    def apply(self, x):
        return torch.stack([x.roll(-1, -1) - x, x.roll(-1, -2) - x], -3)

    data_ndim = 3

    def data_shape(self, image_shape):
        return (2, *image_shape)

    def image_shape(self, data_shape):
        return data_shape[1:]


class Numpy(Operator):
    """A user's own in numpy, with its adjoint."""

    def apply(self, x):
        return paired(x, self._there, self._back)

    def transpose(self, y):
        return paired(y, self._back, self._there)

    @staticmethod
    def _there(x):
        return torch.tensor(np.cumsum(x.numpy(), -1))

    @staticmethod
    def _back(y):
        return torch.tensor(np.cumsum(y.numpy()[..., ::-1], -1)[..., ::-1].copy())


@pytest.mark.parametrize("own", [Gradient(), Numpy()], ids=["torch", "numpy"])
def test_a_users_own_operator_passes_and_composes(own):
    assert check_operator(own).norm > 1
    check_operator(own @ Blur.uniform(3), (8, 7))
    test_derivatives_pass(own, (5, 4), False)


@pytest.mark.parametrize(
    ("words", "impostor"), BROKEN_OPERATORS.items(), ids=list(BROKEN_OPERATORS)
)
def test_the_check_rejects_an_impostor(words, impostor):
    with pytest.raises(ValueError, match=words):
        check_operator(impostor, (8, 8))


def test_an_unmatched_backprojector_is_rejected():
    check_operator(Radon(ANGLES), (16, 16))
    with pytest.raises(ValueError, match="adjoint is not the operator's"):
        check_operator(unmatched_radon(ANGLES), (16, 16))


def test_the_check_finds_a_shape():
    assert check_operator(Mask(mask(5, 8))).image_shape == (5, 8)
    assert check_operator(Bayer()).image_shape == (3, 32, 32)
    assert check_operator(Blur(np.ones((40, 3)))).image_shape == (64, 64)
    valid = Mask(mask(6, 6)) @ Blur.uniform(3, "valid")
    assert check_operator(valid).image_shape == (8, 8)


def test_equal_operators_are_equal():
    assert Blur.uniform(3) == Blur(np.ones((3, 3)))
    assert hash(Blur.uniform(3)) == hash(Blur(np.ones((3, 3))))
    assert Blur.uniform(3) != Blur.uniform(5)
    assert Mask(mask(3, 4)) != Mask(~mask(3, 4))
    with pytest.raises(ValueError, match="read-only"):
        Blur.uniform(3).psf[0] = 1
