"""A copied script or command line gives the same result again."""

import shlex
import subprocess
import sys

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run
from napari_credible.script import as_command, as_python, result_path

RECIPES = {
    "plain": Recipe(),
    "typed noise": Recipe(noise=nc.PoissonGaussian(2.0, 1.5, 3.0), denoiser="tv", seed=3),
    "samples": Recipe(
        method="sample",
        noise=nc.Gaussian(4.0),
        denoiser="unet_fast",
        n_draws=3,
        sampler="multistep:4",
    ),
    "maps": Recipe(
        method="sample",
        noise=nc.Gaussian(4.0),
        denoiser="unet_fast",
        n_draws=3,
        keep="maps",
        threshold=90.0,
    ),
    "all": Recipe(noise=nc.Gaussian(4.0), memory=1.5, dtype="input", precision="float32"),
}


@pytest.fixture
def file(tmp_path, scene):
    path = tmp_path / "an image.tif"
    noisy = nc.PoissonGaussian(2.0, 0.0, 3.0).draw(300 * scene[:96, :96], 0)
    nc.write(path, nc.Image(np.round(np.maximum(noisy, 0)).astype(np.uint16)))
    return path


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_script_gives_the_result_again(name, file):
    exec(as_python(RECIPES[name], str(file)), {})
    wanted = run(RECIPES[name], nc.read(file)).image.array
    np.testing.assert_array_equal(nc.read(result_path(file, RECIPES[name].method)).array, wanted)


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "maps"])
def test_the_command_gives_the_result_again(name, file):
    words = shlex.split(as_command(RECIPES[name], str(file)))
    assert words[0] == "napari-credible"
    subprocess.run([sys.executable, "-m", "napari_credible", *words[1:], "--quiet"], check=True)
    wanted = run(RECIPES[name], nc.read(file)).image.array
    np.testing.assert_array_equal(nc.read(result_path(file, RECIPES[name].method)).array, wanted)


def test_axes_are_told_where_the_file_does_not(file):
    assert as_command(Recipe(), str(file), "TYX").endswith("--axes TYX")
    assert "'TYX'" in as_python(Recipe(), str(file), "TYX")


@pytest.mark.parametrize(
    "noise",
    [(nc.Gaussian(1.0), nc.Gaussian(2.0)), nc.Gaussian(np.ones((8, 8)))],
    ids=["channels", "map"],
)
def test_what_a_command_line_cannot_spell_is_refused(noise):
    with pytest.raises(ValueError, match="save the recipe"):
        as_command(Recipe(noise=noise), "a.tif")


@pytest.mark.parametrize(
    ("source", "target"),
    [("a.tif", "a-denoised.ome.tif"), ("b.ome.tiff", "b-denoised.ome.tif"),
     ("c.fits.gz", "c-denoised.fits"), ("d.v2.png", "d.v2-denoised.ome.tif"),
     ("e.ome.zarr", "e-denoised.ome.tif")],
)  # fmt: skip
def test_a_result_has_its_own_name(tmp_path, source, target):
    assert result_path(tmp_path / source) == tmp_path / target


def test_the_script_of_a_region_gives_it_again(file):
    recipe, region = RECIPES["samples"], Region((10, 20), (42, 61))
    exec(as_python(recipe, str(file), region=region), {})
    wanted = run(recipe, nc.read(file), region=region)
    np.testing.assert_array_equal(nc.read(result_path(file, "sample")).array, wanted.estimate)
    with pytest.raises(ValueError, match="whole image, and this result is of a region"):
        as_command(recipe, str(file), region=region)


def test_a_sampler_with_all_its_numbers_is_no_command(file):
    recipe = RECIPES["samples"].replace(sampler={"kind": "langevin", "ladder": 5, "inner": 2})
    with pytest.raises(ValueError, match="save the recipe"):
        as_command(recipe, str(file))
