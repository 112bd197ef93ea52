"""Draws that are too large for memory answer as those at hand do, to the last digit."""

import gc
import json

import dask.array
import numpy as np
import pytest

import napari_credible as nc
from napari_credible import blocks, plan
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run, steps
from napari_credible.stored import Store, Stored

NOISE = nc.PoissonGaussian(2.0, 10.0, 3.0)
RECIPE = Recipe(method="sample", noise=NOISE, denoiser="unet_fast", n_draws=5, seed=3)
QUESTIONS = {
    "mean": lambda p: p.mean,
    "std": lambda p: p.std,
    "median": lambda p: p.quantile(0.5),
    "quantiles": lambda p: p.quantile([0.1, 0.9]),
    "lower": lambda p: p.interval(0.9)[0],
    "upper": lambda p: p.interval(0.9)[1],
    "wide": lambda p: p.interval(0.99)[1],
    "exceedance": lambda p: p.exceedance(5.5),
    "its error": lambda p: p.exceedance_error(5.5),
    "mean error": lambda p: p.mean_error,
    "std error": lambda p: p.std_error,
    "interval error": lambda p: p.interval_error(0.9),
    "mask": lambda p: p.mean_over(MASK).draws,
    "area": lambda p: p.area_above(5.0, MASK).draws,
    "total": lambda p: p.of(np.sum).draws,
}
MASK = np.zeros((65, 97), dtype=bool)
MASK[7:19, 80:95] = np.random.default_rng(1).random((12, 15)) > 0.5


@pytest.fixture(scope="module")
def draws():
    drawn = np.random.default_rng(0).gamma(5, 1, (37, 2, 65, 97)).astype(np.float32)
    drawn[:, 0, 3, 4] = np.nan
    return drawn


@pytest.fixture
def stored(draws, tmp_path):
    store = Store(draws.shape[1:], 40, 0.5, 1.2, tmp_path)
    for draw in draws:
        store.add(draw)
    return store.posterior()


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_answers_from_disk_are_those_from_memory(name, draws, stored, monkeypatch):
    monkeypatch.setattr(blocks, "_LARGEST_BYTES", 2**17)
    wanted = QUESTIONS[name](Posterior(draws, 0.5, 1.2))
    np.testing.assert_array_equal(QUESTIONS[name](stored), wanted)
    lazy = Posterior(dask.array.from_array(draws, chunks=(5, 1, 16, 32)), 0.5, 1.2)
    np.testing.assert_array_equal(QUESTIONS[name](lazy), wanted)


def test_a_lowest_value_of_each_pixel_is_cut_with_the_blocks(draws):
    lowest = np.linspace(0, 4, draws[0].size, dtype=np.float32).reshape(draws.shape[1:])
    lazy = Posterior(dask.array.from_array(draws, chunks=(5, 1, 16, 32)), lowest)
    wanted = Posterior(draws, lowest).interval(0.99)
    np.testing.assert_array_equal(lazy.interval(0.99), wanted)


def test_principal_components_agree(draws):
    draws = draws[:, 1]
    wanted = Posterior(draws).components(3)
    found = Posterior(dask.array.from_array(draws, chunks=(5, 16, 32))).components(3)
    np.testing.assert_allclose(found.variances, wanted.variances, rtol=1e-5)
    np.testing.assert_allclose(found.images, wanted.images, atol=1e-5)
    assert found.share == pytest.approx(wanted.share)


def test_blocks_are_small_and_cover_every_pixel_once():
    shape, chunks = (1000, 3, 257, 513), (1, 1, 256, 256)
    places = blocks.places(shape, chunks)
    seen = np.zeros(shape[1:], dtype=int)
    for place in places:
        seen[place] += 1
        assert 1000 * seen[place].size * 4 <= 2 * blocks._LARGEST_BYTES
        assert seen[place].size > 1
    assert (seen == 1).all()


def test_a_stored_array_is_indexed_like_an_array(draws, stored):
    array = stored.draws
    assert isinstance(array, Stored)
    assert (array.shape, array.ndim, len(array), array.dtype) == (draws.shape, 4, 37, np.float32)
    assert (array.size, array.nbytes) == (draws.size, draws.nbytes)
    for key in (0, -1, slice(3), slice(None, None, 2), (2, 1), (..., 3), (slice(1, 9), 1, 5),
                (3, 0, slice(2, 60), slice(None)), ([1, 5],)):  # fmt: skip
        np.testing.assert_array_equal(array[key], draws[key])
    np.testing.assert_array_equal(np.asarray(array), draws)
    assert sum(1 for _ in array) == 37
    with pytest.raises(IndexError):
        array[37]


@pytest.fixture(scope="module")
def photons_of_a_wave():
    light = 50 + 40 * np.sin(np.mgrid[:40, :52].sum(0) / 9)
    return NOISE.draw(np.stack([light, light[::-1]]), 1)


def test_a_run_on_disk_is_that_in_memory(photons_of_a_wave, tmp_path):
    image = nc.Image(photons_of_a_wave)
    wanted = run(RECIPE, image)
    going = steps(RECIPE.replace(keep="disk"), image, scratch=str(tmp_path))
    found = exhausted(going)
    assert isinstance(found.posterior.draws, Stored)
    assert isinstance(wanted.posterior.draws, np.ndarray)
    np.testing.assert_array_equal(found.posterior.draws[:], wanted.posterior.draws)
    np.testing.assert_array_equal(found.estimate, wanted.estimate)
    for name, each in wanted.maps.items():
        np.testing.assert_array_equal(found.maps[name], each)


def exhausted(going):
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def test_the_files_go_with_the_last_reference(photons_of_a_wave, tmp_path):
    going = steps(RECIPE.replace(keep="disk"), nc.Image(photons_of_a_wave), scratch=str(tmp_path))
    result = exhausted(going)
    del going
    (path,) = tmp_path.iterdir()
    draws = result.posterior.draws
    del result
    gc.collect()
    assert path.exists()
    assert np.isfinite(draws[0]).all()
    del draws
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_an_abandoned_run_leaves_no_files(photons_of_a_wave, tmp_path):
    going = steps(RECIPE.replace(keep="disk"), nc.Image(photons_of_a_wave), scratch=str(tmp_path))
    for step in going:
        if step.doing == "drawing":
            break
    assert list(tmp_path.iterdir())
    going.close()
    del going
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_large_draws_go_to_disk_by_themselves(monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda device: 2**30)
    large = nc.Image(np.broadcast_to(np.float32(0), (2048, 2048)))
    small = nc.Image(np.zeros((64, 64), np.float32))
    many = RECIPE.replace(n_draws=100)
    assert plan.plan(many, large).on_disk
    assert "1.6 GiB on disk" in plan.plan(many, large).describe()
    assert not plan.plan(many, small).on_disk
    assert not plan.plan(many.replace(keep="maps"), large).on_disk
    assert plan.plan(many.replace(keep="disk"), small).on_disk


def test_a_full_disk_and_a_missing_folder_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="GiB free; draw fewer"):
        Store((10**6, 10**6), 1000, folder=tmp_path)
    with pytest.raises(ValueError, match="no folder"):
        Store((8, 8), 2, folder=tmp_path / "missing")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["denoise", "sample", "spread"])
def test_a_region_is_that_part_of_the_whole(photons_of_a_wave, method):
    """Far from its edge; its noise and range are those of the whole image."""
    recipe = RECIPE.replace(method=method, noise=None)
    region = Region((1, 0, 0), (2, 40, 30))
    found = run(recipe, nc.Image(photons_of_a_wave), region=region)
    assert found.estimate.shape == found.flags.shape == found.source.shape == (1, 40, 30)
    assert found.recipe.noise == run(recipe, nc.Image(photons_of_a_wave)).recipe.noise
    np.testing.assert_array_equal(found.source.array, photons_of_a_wave[region.slices])
    assert json.loads(json.dumps(found.record()))["region"] == {
        "start": [1, 0, 0],
        "stop": [2, 40, 30],
    }
    if found.posterior is not None:
        assert found.posterior.std.shape == (1, 40, 30)
        assert found.posterior.interval(0.9)[0].shape == (1, 40, 30)
        assert found.posterior.exceedance(50.0).shape == (1, 40, 30)
    if method == "denoise":
        whole = nc.denoise(photons_of_a_wave, found.recipe.noise, denoiser="unet_fast").estimate
        off = np.abs(found.estimate[0] - whole[1, :, :30])[:, :20]
        assert off.max() < 0.5 * np.abs(whole - photons_of_a_wave).mean()


def test_a_region_cuts_maps_of_the_noise_and_picks_channels():
    offsets = np.linspace(0, 30, 40 * 52).reshape(40, 52)
    noise = (nc.PoissonGaussian(2.0, offsets, 3.0), nc.Gaussian(4.0))
    picture = np.stack([60 + offsets, np.full((40, 52), 90.0)])
    noisy = np.stack([noise[k].draw(picture[k], k) for k in range(2)])
    image = nc.Image(noisy, "CYX")
    recipe = Recipe(noise=noise, denoiser="unet_fast")
    found = run(recipe, image, region=Region((0, 5, 6), (1, 25, 36)))
    assert found.noise[0].offset.shape == (40, 52)
    second = run(recipe, image, region=Region((1, 5, 6), (2, 25, 36)))
    assert second.noise == (nc.Gaussian(4.0),)


@pytest.mark.parametrize("stop", [(2, 40, 53), (2, 40), (1, 0, 30)])
def test_a_region_outside_is_refused_in_words(photons_of_a_wave, stop):
    with pytest.raises(ValueError, match="does not lie in an image of shape"):
        run(RECIPE, nc.Image(photons_of_a_wave), region=Region((0, 0, 0), stop))
