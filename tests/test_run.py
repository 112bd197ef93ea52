"""The run on every kind of image: right units, right place, nothing lost, nothing spread."""

import dask.array
import numpy as np
import pytest

import napari_credible as nc
from napari_credible import run as room
from napari_credible.denoise.oracles import GaussianPrior
from napari_credible.flags import Flag, describe
from napari_credible.plan import plan
from napari_credible.recipe import Recipe


@pytest.fixture(scope="module")
def small(scene):
    """A noisy image of 96 x 130 pixels in ADU, its truth and its noise."""
    light = 100 + 400 * scene[60:156, 200:330]
    model = nc.PoissonGaussian(2.0, 100.0, 4.0)
    return model.draw(light, 0), light, model


def error(result, truth):
    return float(np.mean((result.estimate - truth) ** 2))


def test_the_noise_goes_and_the_units_stay(small):
    noisy, light, model = small
    result = nc.denoise(noisy, model)
    assert result.estimate.dtype == np.float32
    assert result.estimate.shape == noisy.shape
    assert error(result, light) < 0.15 * np.mean((noisy - light) ** 2)
    bias = (result.estimate - light).mean()
    assert abs(bias) < 5 * np.sqrt(model.variance(light).mean() / light.size)


def test_exact_mean_for_an_exact_denoiser():
    """With a Gaussian prior the estimate is the closed form, in the image's units."""
    prior = GaussianPrior(50.0, 2.0)
    image = nc.Gaussian(3.0).draw(np.full((64, 64), 150.0), 0)
    found = nc.denoise(image, nc.Gaussian(3.0), denoiser=prior).estimate
    wanted = 3 * (50 + (image / 3 - 50) * 4 / 5)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_the_input_is_not_changed(small):
    image = small[0].copy()
    image[5, 5] = np.nan
    before = image.copy()
    nc.denoise(image, small[2])
    np.testing.assert_array_equal(image, before)


def test_the_same_call_gives_the_same_bits(small):
    one, two = (nc.denoise(small[0]).estimate for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "dtype", ["uint8", ">u2", "<u2", "int16", ">i4", "uint32", ">f4", "f8", "f2"]
)
def test_every_number_type_gives_the_same_answer(small, dtype):
    whole = np.clip(np.round(small[0] / 4), 0, 254)
    wanted = nc.denoise(whole.astype("f8"), nc.Gaussian(6.0)).estimate
    found = nc.denoise(whole.astype(dtype), nc.Gaussian(6.0)).estimate
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert found.dtype == np.float32
    assert found.dtype.isnative


@pytest.mark.parametrize("axes", ["YX", "TYX", "TZYX", "CYX", "ZCYX", "YXS", "XY", "TCZYX"])
def test_every_order_of_axes_gives_the_same_planes(small, axes):
    noisy, _, model = small
    length = {"T": 2, "Z": 2, "C": 2, "S": 3, "Y": noisy.shape[0], "X": noisy.shape[1]}
    leading = [a for a in axes if a not in "YX"]
    stack = np.broadcast_to(noisy, [*(length[a] for a in leading), *noisy.shape])
    order = [[*leading, "Y", "X"].index(a) for a in axes]
    image = nc.Image(stack.transpose(order), axes)
    result = nc.denoise(image, model)
    assert result.estimate.shape == image.shape
    planes = image.ordered().shape
    found = result.source.with_array(result.estimate).ordered().reshape(-1, *planes[-2:])
    wanted = nc.denoise(noisy, model).estimate
    # Repeated planes move the quantiles of the range by a hair: 0.05 of a noise of about 20.
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=0.05)


def test_each_channel_has_its_own_noise(scene):
    light = 300 * scene[:128, :128]
    two = np.stack([nc.Gaussian(5.0).draw(light, 0), nc.Gaussian(50.0).draw(light, 1)])
    result = nc.denoise(nc.Image(two, "CYX"))
    assert [m.sigma for m in result.noise] == pytest.approx([5, 50], rel=0.1)
    assert isinstance(result.recipe.noise, tuple)
    with pytest.raises(ValueError, match="3 noise models for 2 channels"):
        nc.denoise(nc.Image(two, "CYX"), [nc.Gaussian(1)] * 3)


def test_opacity_is_kept(small):
    noisy, _, _ = small
    colours = np.clip(np.stack([noisy / 4] * 3 + [np.full_like(noisy, 255)], -1), 0, 255)
    found = nc.denoise(nc.Image(colours.astype(np.uint8), "YXS")).estimate
    assert found.shape == colours.shape
    np.testing.assert_array_equal(found[..., 3], 255)


def test_a_stack_has_one_range_and_one_noise(small):
    """A dark plane in a stack is not stretched: it comes out as it does alone, and dark."""
    noisy, _, model = small
    dark = model.draw(np.full(noisy.shape, 105.0), 3)
    found = nc.denoise(np.stack([noisy, dark]), model).estimate[1]
    assert found.std() < 2.5
    assert abs(found.mean() - 105) < 1


def test_what_is_not_finite_stays_and_does_not_spread(small):
    noisy, light, model = small
    image = noisy.copy()
    image[40:44, 50:53] = np.nan
    image[10, 10], image[80, 100] = np.inf, -np.inf
    result = nc.denoise(image, model)
    bad = ~np.isfinite(image)
    np.testing.assert_array_equal(result.estimate[bad], image[bad].astype(np.float32))
    np.testing.assert_array_equal((result.flags & Flag.NOT_FINITE) > 0, bad)
    assert np.isfinite(result.estimate[~bad]).all()
    near = np.zeros_like(bad)
    near[34:50, 44:59] = True
    assert np.mean((result.estimate - light)[near & ~bad] ** 2) < 3 * error_of(
        noisy, light, model, near & ~bad
    )
    assert any("NOT_FINITE" in sentence for sentence in result.doubts)


def error_of(noisy, light, model, where):
    return np.mean((nc.denoise(noisy, model).estimate - light)[where] ** 2)


def test_saturated_pixels_are_flagged_and_kept(small):
    noisy, _, model = small
    image = np.minimum(np.round(noisy), 380).astype(np.uint16)
    result = nc.denoise(image, model)
    limit = image == 380
    np.testing.assert_array_equal((result.flags & Flag.SATURATED) > 0, limit)
    np.testing.assert_array_equal(result.estimate[limit], 380)


def test_faint_pixels_are_flagged():
    model = nc.PoissonGaussian(1.0)
    light = np.full((64, 64), 0.3)
    light[:, 32:] = 30
    flags = nc.denoise(model.draw(light, 0), model).flags
    assert ((flags & Flag.FAINT) > 0)[:, :28].mean() > 0.95
    assert not ((flags & Flag.FAINT) > 0)[:, 36:].any()


def test_noise_above_the_range_is_flagged():
    image = nc.Gaussian(1.0).draw(np.zeros((32, 32)), 0)
    assert (nc.denoise(image, nc.Gaussian(100.0)).flags & Flag.OUT_OF_RANGE).all()
    assert not nc.denoise(image, nc.Gaussian(1.0)).flags.any()


def test_a_lazy_array_is_read_plane_by_plane(small):
    noisy, _, model = small
    stack = np.stack([noisy, noisy + 50])
    lazy = dask.array.from_array(stack, chunks=(1, 50, 60))
    found = nc.denoise(lazy, model).estimate
    np.testing.assert_array_equal(found, nc.denoise(stack, model).estimate)


@pytest.mark.parametrize("memory", [8 * 10**7, 6 * 10**7])
def test_less_memory_means_smaller_tiles_and_the_same_result(scene, memory, monkeypatch):
    noisy = nc.Gaussian(0.1).draw(scene[:400, :300], 0)
    whole = nc.denoise(noisy, nc.Gaussian(0.1)).estimate
    monkeypatch.setattr("napari_credible.plan.free_memory", lambda device: memory)
    todo = plan(Recipe(), nc.Image(noisy), nc.load_denoiser("unet"))
    assert todo.memory <= memory / 2
    assert todo.tiles > 1
    assert str(todo.tiles) in todo.describe()
    np.testing.assert_allclose(nc.denoise(noisy, nc.Gaussian(0.1)).estimate, whole, atol=1e-5)


def test_running_out_of_memory_halves_the_tiles(scene):
    """A denoiser that fails on large tiles, as a full GPU does, still gives its result."""
    calls = []

    class Hungry(GaussianPrior):
        def __call__(self, x, sigma):
            calls.append(x.numel())
            if x.numel() > 30_000:
                raise MemoryError
            return super().__call__(x, sigma)

    image = scene[:300, :300]
    found = nc.denoise(image, nc.Gaussian(0.1), denoiser=Hungry(5.0, 2.0)).estimate
    wanted = nc.denoise(image, nc.Gaussian(0.1), denoiser=GaussianPrior(5.0, 2.0)).estimate
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert calls[0] > 30_000 > calls[-1]


def test_a_denoiser_of_unknown_reach_is_called_with_a_halo(scene, monkeypatch):
    monkeypatch.setattr("napari_credible.plan._LARGEST_CORE", 100)
    seen = []

    def gentle(x, sigma):
        seen.append(tuple(x.shape))
        return x * 0.5

    found = nc.denoise(scene[:250, :250], nc.Gaussian(0.1), denoiser=gentle)
    np.testing.assert_allclose(found.estimate, scene[:250, :250] / 2, atol=1e-5)
    assert len(seen) == 9
    assert all(shape[:2] == (1, 1) for shape in seen)


def test_progress_rises_to_the_total(small):
    going = room.steps(Recipe(noise=small[2]), nc.Image(np.stack([small[0]] * 3)))
    said = list(going)
    done = [step.done for step in said]
    assert done == sorted(done)
    assert said[-1].done == said[-1].total == 3


def test_a_run_can_be_closed_between_tiles(small):
    going = room.steps(Recipe(noise=small[2]), nc.Image(np.stack([small[0]] * 3)))
    next(going)
    next(going)
    going.close()
    with pytest.raises(StopIteration):
        next(going)


def test_the_resolved_recipe_replays_the_result(small):
    first = nc.denoise(small[0])
    recipe = Recipe.from_json(first.recipe.to_json())
    assert recipe.noise is not None
    again = room.run(recipe, nc.Image(small[0]))
    np.testing.assert_array_equal(first.estimate, again.estimate)


def test_the_record_says_what_made_the_result(small):
    record = nc.denoise(small[0]).record()
    assert record["recipe"]["noise"]["kind"] == "PoissonGaussian"
    assert len(record["weights_sha256"]) == 64
    assert {"torch", "numpy", "napari-credible", "python"} <= set(record["versions"])
    assert any("Makitalo" in source for source in record["citations"])


def test_a_custom_denoiser_cannot_be_replayed_from_its_name(small):
    result = nc.denoise(small[0], small[2], denoiser=GaussianPrior())
    with pytest.raises(ValueError, match="hand it over again"):
        room.run(result.recipe, nc.Image(small[0]))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: nc.denoise(np.zeros((64, 64, 3))), "if the last axis counts them"),
        (lambda: nc.denoise(np.zeros(64)), "do not name the 1 dimensions"),
        (lambda: nc.denoise(np.zeros((64, 64), complex)), "complex128 values"),
        (lambda: nc.denoise(np.array([["a"] * 9] * 9)), "values; give integers"),
        (lambda: nc.denoise(np.full((64, 64), np.nan), nc.Gaussian(1)), "no pixel"),
        (lambda: nc.denoise(np.zeros((64, 64))), "no noise to measure"),
        (lambda: nc.denoise(np.eye(64), 3.0), "give Gaussian, PoissonGaussian"),
        (lambda: nc.denoise(np.eye(64), nc.Gaussian(np.ones((3, 3)))), r"shape \(3, 3\)"),
        (lambda: nc.denoise(np.eye(64), denoiser="dncnn"), "no denoiser 'dncnn'"),
        (lambda: nc.denoise(np.eye(64), nc.Gaussian(1), device="tpu"), "no device 'tpu'"),
        (lambda: nc.denoise(np.eye(64), seed=-1), "seed is -1"),
        (lambda: nc.Image(np.zeros((64, 64)), "YZ"), "lack Y or X"),
        (lambda: nc.Image(np.zeros((64, 64)), "YX", (1.0,)), "give one each"),
        (
            lambda: nc.denoise(np.eye(64), nc.Gaussian(1), denoiser=lambda x, s: x[..., :5]),
            "check_denoiser",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_flags_speak():
    flags = np.array([0, 1, 3], dtype=np.uint8)
    assert describe(flags)[0].startswith("2 pixels NOT_FINITE: not a number")
    assert describe(flags)[1].startswith("1 pixel SATURATED")
    assert describe(flags * 0) == []


@pytest.mark.parametrize("name", ["photons", "cells", "stars"])
def test_real_samples_lose_noise_and_keep_their_light(name, request):
    image = request.getfixturevalue(name)
    result = nc.denoise(image)
    finite = np.asarray(image.array, dtype=float)
    model = result.noise[0]
    z = (finite - result.estimate) / np.sqrt(model.variance(result.estimate))
    calm = result.flags == 0
    assert abs((result.estimate - finite).mean()) < 0.02 * finite.std()
    assert 0.75 < z[calm].std() < 1.1
