"""A region of the data is restored as it is in the whole image, and lies where it did."""

from dataclasses import replace

import numpy as np
import pytest

import napari_credible as nc
from napari_credible import parted
from napari_credible.denoise.oracles import GaussianPrior
from napari_credible.flags import Flag
from napari_credible.operators import (
    Bayer,
    Blur,
    CompressedSensing,
    Decorrelated,
    Downsample,
    Identity,
    Mask,
    Radon,
    Whitened,
)
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run

PRIOR = GaussianPrior(100.0, 20.0)
SHAPE = (150, 160)
RNG = np.random.default_rng(0)
HOLES = Mask(RNG.random(SHAPE) < 0.7)
SOFT = Blur(np.outer([1, 2, 1], [1, 2, 1]))
EVEN = Blur(np.outer([1, 2], [1, 2, 2, 1]))
OPERATORS = {
    "identity": Identity(),
    "mask": HOLES,
    "blur": SOFT,
    "blur of even sides": EVEN,
    "blur, dark outside": replace(SOFT, boundary="zero"),
    "blur of a larger image": replace(EVEN, boundary="valid"),
    "downsample": Downsample(2),
    "bayer": Bayer("GRBG"),
    "all of it": HOLES @ Downsample(2) @ SOFT,
    "whitened": Whitened(SOFT, RNG.uniform(1, 2, SHAPE)),
}
REGION = Region((50, 60), (70, 90))
RECIPE = Recipe.of(method="restore", noise=nc.Gaussian(4.0), solver="pnp")


def measured(operator, shape=SHAPE, sigma=4.0):
    rng = np.random.default_rng(1)
    image = 100 + 20 * rng.standard_normal(operator.image_shape(shape))
    clean = operator(image)
    return clean + sigma * rng.standard_normal(clean.shape)


def restored(operator, data, region=None, recipe=RECIPE):
    image = data if isinstance(data, nc.Image) else nc.Image(data, scale=(2.0, 0.5))
    return run(recipe, image, denoiser=PRIOR, operator=operator, region=region)


@pytest.mark.parametrize("name", OPERATORS)
def test_a_region_is_restored_as_in_the_whole_image(name):
    operator = OPERATORS[name]
    noise = nc.Gaussian(1.0) if name == "whitened" else nc.Gaussian(4.0)
    recipe = RECIPE.replace(noise=noise)
    data = measured(operator)
    whole = restored(operator, data, recipe=recipe)
    part = restored(operator, data, REGION, recipe)
    assert part.region == REGION
    axes, scale = part.source.axes, part.source.scale
    step = dict(zip(axes, scale, strict=True))
    first = [
        round((b - a) / step[axis])
        for a, b, axis in zip(whole.translate, part.translate, axes, strict=True)
    ][-2:]
    rows, columns = part.estimate.shape[-2:]
    assert (rows, columns) == (20 * operator.coarser, 30 * operator.coarser)
    wanted = whole.estimate[..., first[0] : first[0] + rows, first[1] : first[1] + columns]
    np.testing.assert_allclose(part.estimate, wanted, atol=0.05 * 20)
    aside = whole.estimate[..., first[0] + 1 : first[0] + 1 + rows, first[1] : first[1] + columns]
    assert np.abs(part.estimate - aside).mean() > 5 * np.abs(part.estimate - wanted).mean()
    assert part.source.shape == part.estimate.shape == part.flags.shape


def test_of_a_stack_planes_are_chosen_whatever_the_operator():
    radon = Radon(np.arange(24) * 7.5)
    data = np.stack([measured(radon, (32, 24)) for _ in range(3)])
    data[1] += 5
    whole = restored(radon, nc.Image(data))
    part = restored(radon, nc.Image(data), Region((1, 0, 0), (2, 32, 24)))
    np.testing.assert_allclose(part.estimate, whole.estimate[1:2], rtol=1e-5)
    assert part.translate[0] == 1


@pytest.mark.parametrize(
    ("operator", "kept"),
    [
        (SOFT, Region((1, 60), (30, 159))),
        (Blur(np.ones((1, 9))), Region((0, 60), (30, 156))),
        (Downsample(4) @ Blur(np.ones((9, 1))), Region((1, 60), (30, 160))),
        (HOLES, Region((0, 60), (30, 160))),
        (Bayer(), Region((0, 60), (30, 160))),
        (replace(SOFT, boundary="valid"), Region((0, 60), (30, 160))),
    ],
    ids=str,
)
def test_only_data_for_which_h_looks_beyond_the_image_are_left_out(operator, kept):
    part = restored(operator, np.full(SHAPE, 100.0), Region((0, 60), (30, 160)))
    assert part.region == kept
    sides = tuple(operator.coarser * n for n in kept.shape)
    assert part.estimate.shape[-2:] == sides


def test_odd_sides_of_a_mosaic_are_kept():
    data = np.full((151, 151), 100.0)
    part = restored(Bayer(), data, Region((101, 100), (151, 151)))
    assert part.estimate.shape == (3, 50, 51)


def test_data_that_a_wide_psf_brings_from_afar_are_read(monkeypatch):
    """The impostor reads 32 pixels around the region, whatever the PSF."""
    wide = Blur.gaussian(10.0)
    data = measured(wide, (300, 300), sigma=1.0)
    recipe = RECIPE.replace(noise=nc.Gaussian(1.0))
    region = Region((140, 140), (160, 160))
    whole = restored(wide, data, recipe=recipe).estimate[region.slices]
    part = restored(wide, data, region, recipe)
    monkeypatch.setattr(parted, "_margins", lambda _: (32, 32))
    near = restored(wide, data, region, recipe)
    off = np.abs(part.estimate - whole).mean()
    assert off < 0.3 * np.abs(near.estimate - whole).mean()


def test_the_noise_is_that_of_the_whole_image():
    """It is measured there, where the noise of one half is three times that of the region."""
    rng = np.random.default_rng(0)
    image = 100 + 8 * np.sin(np.arange(200) / 3) * np.ones((200, 1))
    level = np.where(np.arange(200) < 100, 10, 30)[:, None]
    data = nc.Image(image + level * rng.standard_normal(image.shape))
    recipe = Recipe.of(method="restore", denoiser="unet_fast", solver="pnp")
    region = Region((20, 20), (60, 60))
    whole, part, alone = (
        run(recipe, each, operator=SOFT, region=where)
        for each, where in (
            (data, None), (data, region), (data.with_array(data.array[:100]), region)
        )
    )  # fmt: skip
    assert part.noise[0].to_dict() == whole.noise[0].to_dict() == part.recipe.noise.to_dict()
    assert part.noise[0].to_dict() != alone.noise[0].to_dict()
    off = np.abs(part.estimate - whole.estimate[region.slices]).mean()
    assert off < 0.5 * np.abs(alone.estimate - whole.estimate[region.slices]).mean()


@pytest.mark.parametrize(
    ("operator", "region", "words"),
    [
        (Radon(np.arange(160) * 1.125), REGION, "no part of Radon.* can be told"),
        (CompressedSensing(0.25, 0), REGION, "no part of .* can be told from the rest"),
        (Decorrelated(Identity(), np.ones((1, 1))), REGION, "no part of .* can be told"),
        (Mask(np.hypot(*np.indices(SHAPE)) > 180), REGION, "nothing is seen in the 84 x 94 data"),
        (SOFT, Region((0, 0), (1, 9)), "looks beyond the image; give a region further inside"),
        (SOFT, Region((0, 0), (200, 2)), "does not lie in an image of shape"),
    ],
)
def test_what_cannot_be_restored_by_itself_is_refused(operator, region, words):
    with pytest.raises(ValueError, match=words):
        restored(operator, np.full(SHAPE, 100.0), region)


def test_a_method_that_needs_singular_values_is_refused_before_a_run():
    recipe = RECIPE.replace(solver="ddrm:4", n_draws=2)
    restored(SOFT, measured(SOFT), recipe=recipe)
    with pytest.raises(ValueError, match=r"no fast singular values .* take 'mmps'"):
        restored(SOFT, measured(SOFT), REGION, recipe)


def test_colours_are_restored_together():
    data = nc.Image(np.full((*SHAPE, 3), 100.0), "YXS")
    with pytest.raises(ValueError, match="cuts the colours"):
        restored(SOFT, data, Region((50, 60, 0), (70, 90, 2)))
    part = restored(SOFT, data, Region((50, 60, 0), (70, 90, 3)))
    assert part.estimate.shape == (20, 30, 3)


def test_a_doubt_in_a_mosaic_is_one_of_all_colours():
    data = np.full(SHAPE, 100.0)
    data[61, 71] = np.nan
    part = restored(Bayer("RGGB"), data, REGION)
    assert (part.flags[:, 11, 11] & Flag.NOT_FINITE).all()
    assert part.flags.astype(bool).sum() == 3


def test_draws_and_flags_are_those_of_the_region():
    """So few data are saturated in the region that it alone could not tell."""
    data = np.round(measured(SOFT, sigma=2.0))
    data[:10] = 140.0
    data = np.minimum(data, 140.0)
    data[60, 70:76] = 140.0
    data[55, 66] = np.nan
    recipe = RECIPE.replace(solver="mmps", n_draws=3, noise=nc.Gaussian(2.0))
    part = restored(SOFT, data, REGION, recipe)
    assert part.posterior.draws.shape == (3, 20, 30)
    assert part.flags[5, 6] & Flag.NOT_FINITE
    full = (data == 140.0)[REGION.slices]
    assert full.sum() == 6
    assert ((part.flags & Flag.SATURATED) > 0)[full].all()
    assert np.isnan(part.data.array).sum() == 7
    assert not (part.flags[~full & np.isfinite(data[REGION.slices])] > 0).any()


@pytest.mark.parametrize("boundary", ["circular", "zero"])
def test_the_image_holds_the_offset_of_counts_as_the_whole_one_does(boundary):
    """Beyond a dark edge it is the light alone; a part, which sees no edge, could not tell."""
    operator = replace(SOFT, boundary=boundary)
    noise = nc.PoissonGaussian(1.0, 50.0, 3.0)
    data = noise.draw(operator(np.full(SHAPE, 100.0)), 0)
    recipe = RECIPE.replace(noise=noise)
    whole = restored(operator, data, recipe=recipe).estimate[REGION.slices]
    part = restored(operator, data, REGION, recipe).estimate
    assert part.mean() == pytest.approx(whole.mean(), abs=1.0)


def test_maps_of_the_noise_are_cut_to_what_is_read():
    std = np.where(np.arange(160) < 75, 2.0, 40.0) * np.ones((150, 1))
    recipe = RECIPE.replace(noise=nc.Gaussian(std))
    data = measured(SOFT)
    whole = restored(SOFT, data, recipe=recipe).estimate[REGION.slices]
    np.testing.assert_allclose(restored(SOFT, data, REGION, recipe).estimate, whole, atol=1.0)


@pytest.mark.parametrize("method", ["restore", "sample"])
def test_the_recipe_of_a_part_serves_the_part_alone(method):
    """Two channels with maps of noise, of which one is worked on."""
    data = np.stack([measured(SOFT), 2 * measured(SOFT)])
    noise = tuple(nc.Gaussian(np.full(SHAPE, 4.0) * (k + 1)) for k in range(2))
    recipe = Recipe.of(method=method, noise=noise, n_draws=2)
    recipe = recipe.replace(solver="pnp") if method == "restore" else recipe
    operator = SOFT if method == "restore" else None
    region = Region((1, 50, 60), (2, 70, 90))
    part = run(recipe, nc.Image(data, "CYX"), denoiser=PRIOR, operator=operator, region=region)
    assert part.estimate.shape == (1, 20, 30)
    alone = part.data or part.source
    again = run(part.recipe_of_part, alone, denoiser=PRIOR, operator=part.operator)
    wanted = (1, *part.operator.image_shape(alone.shape[1:])) if operator else (1, 20, 30)
    assert again.estimate.shape == wanted
    assert part.recipe_of_part.noise[0].sigma.max() == 8.0


@pytest.mark.parametrize("method", ["restore", "sample"])
def test_sky_coordinates_are_those_of_the_region(method):
    wcs = pytest.importorskip("astropy.wcs").WCS
    fits = pytest.importorskip("astropy.io.fits")
    header = fits.Header(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 30.0, "CRPIX2": 40.0,
         "CRVAL1": 10.0, "CRVAL2": 20.0, "CDELT1": -1e-3, "CDELT2": 1e-3}
    )  # fmt: skip
    cards = header.tostring(sep="\n", endcard=False, padding=False)
    image = nc.Image(measured(SOFT), header={"_cards": cards})
    recipe = Recipe.of(method=method, noise=nc.Gaussian(4.0), n_draws=2)
    recipe = recipe.replace(solver="pnp") if method == "restore" else recipe
    operator = SOFT if method == "restore" else None
    part = run(recipe, image, denoiser=PRIOR, operator=operator, region=REGION)
    own = fits.Header.fromstring(part.image.header["_cards"], sep="\n")
    found = wcs(own).all_pix2world(3, 4, 0)
    np.testing.assert_allclose(found, wcs(header).all_pix2world(63, 54, 0))


@pytest.mark.parametrize("method", ["denoise", "restore"])
def test_a_plane_of_a_cube_keeps_its_wavelength(method):
    fits = pytest.importorskip("astropy.io.fits")
    header = fits.Header({"CTYPE3": "WAVE", "CRPIX3": 1.0, "CRVAL3": 5e-7, "CDELT3": 1e-9})
    cards = header.tostring(sep="\n", endcard=False, padding=False)
    cube = nc.Image(np.full((6, 40, 40), 100.0), "ZYX", header={"_cards": cards})
    recipe = Recipe.of(method=method, noise=nc.Gaussian(4.0))
    recipe = recipe.replace(solver="pnp") if method == "restore" else recipe
    operator = SOFT if method == "restore" else None
    region = Region((5, 0, 0), (6, 40, 40))
    part = run(recipe, cube, denoiser=PRIOR, operator=operator, region=region)
    own = fits.Header.fromstring(part.image.header["_cards"], sep="\n")
    assert own["CRPIX3"] == -4.0
