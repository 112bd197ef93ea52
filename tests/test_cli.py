"""The command line says the same as the library, in files."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.io.fits import recorded
from napari_credible.samples import SAMPLES


@pytest.fixture
def noisy(tmp_path, scene):
    """A TIFF stack of two noisy 64 x 80 planes."""
    path = tmp_path / "in put.tif"
    light = 100 + 400 * scene[60:124, 200:280]
    stack = np.stack([nc.PoissonGaussian(2.0, 100.0, 4.0).draw(light, k) for k in range(2)])
    metadata = {"axes": "TYX", "finterval": 2.0, "unit": "um"}
    tifffile.imwrite(
        path, stack.astype(np.float32), imagej=True, metadata=metadata, resolution=(5, 5)
    )
    return path


def called(*arguments):
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code


def test_denoise_writes_what_the_library_computes(noisy, tmp_path, capsys):
    out = tmp_path / "out.tif"
    assert not called("denoise", noisy, "-o", out, "--noise", "poisson-gaussian:2,100,4")
    written = nc.read(out)
    wanted = nc.denoise(nc.read(noisy), nc.PoissonGaussian(2, 100, 4))
    np.testing.assert_array_equal(written.array, wanted.estimate)
    assert written.scale == pytest.approx((2.0, 0.2, 0.2))
    assert written.axis_units == ("second", "micrometer", "micrometer")
    assert written.header["napari-credible"]["recipe"]["noise"]["gain"] == 2
    assert f"wrote {out}" in capsys.readouterr().out


def test_a_saved_recipe_runs_again(noisy, tmp_path):
    first, recipe = tmp_path / "a.tif", tmp_path / "r.json"
    assert not called("denoise", noisy, "-o", first, "-q")
    recipe.write_text(json.dumps(nc.read(first).header["napari-credible"]["recipe"]))
    assert not called("run", recipe, noisy, "-o", tmp_path / "b.fits", "-q")
    np.testing.assert_array_equal(nc.read(tmp_path / "b.fits").array, nc.read(first).array)
    assert recorded(tmp_path / "b.fits")["recipe"] == json.loads(recipe.read_text())


def test_noise_is_told_with_errors_and_doubts(capsys):
    assert not called("noise", SAMPLES["stars"].path)
    said = capsys.readouterr().out
    assert said.startswith("PoissonGaussian: gain 0.5263, offset 21")
    assert "from the header" in said
    assert not called("noise", "--json", SAMPLES["photons"].path)
    (model,) = json.loads(capsys.readouterr().out)
    assert model["kind"] == "PoissonGaussian"
    assert model["errors"]["gain"] > 0


def test_models_lists_every_denoiser(capsys):
    assert not called("models")
    said = capsys.readouterr().out
    assert all(name in said for name in nc.denoisers())


def test_the_demo_leaves_results_and_a_picture(tmp_path, capsys):
    assert not called("demo", "-o", tmp_path / "d", "--no-show")
    said = capsys.readouterr().out
    for name in ("photons.ome.tif", "cells.ome.tif", "stars.fits", "before_after.png"):
        assert str(tmp_path / "d" / name) in said
        assert nc.read(tmp_path / "d" / name).array.size


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["denoise", "no.tif", "-o", "{out}.tif"], "there is no file no.tif"),
        (["denoise", "{in}", "-o", "{out}.png"], "cannot keep 32-bit"),
        (["denoise", "{in}", "-o", "{in}"], "exists; choose another name"),
        (["denoise", "{in}", "-o", "{in}", "--overwrite"], "is the input"),
        (["denoise", "{in}", "-o", "{out}.tif", "--noise", "loud"], "--noise loud: write auto"),
        (["denoise", "{in}", "-o", "{out}.tif", "--noise", "gaussian:-1"], "sigma is -1"),
        (["denoise", "{in}", "-o", "{out}.tif", "--noise", "gaussian:x"], "write auto"),
        (["denoise", "{in}", "-o", "{out}.tif", "--denoiser", "best"], "no denoiser 'best'"),
        (["denoise", "{in}", "-o", "{out}.tif", "--axes", "TZ"], "do not name the 3"),
        (["denoise", "{in}", "-o", "{out}.tif", "--hdu", "SCI"], "no image HDU SCI"),
        (["denoise", "{in}", "-o", "{out}.tif", "--seed", "-4"], "seed is -4"),
        (["run", "no.json", "{in}", "-o", "{out}.tif"], "there is no file no.json"),
        (["run", "{in}", "{in}", "-o", "{out}.tif"], "is not text; give a recipe"),
        (["noise", "{in}", "--repeats", "--axes", "CYX"], "at least two exposures"),
    ],
)
def test_bad_input_ends_with_code_2_and_a_sentence(arguments, sentence, noisy, tmp_path, capsys):
    import re

    filled = [a.format(**{"in": noisy, "out": tmp_path / "out"}) for a in arguments]
    before = noisy.read_bytes()
    assert called(*filled) == 2
    said = capsys.readouterr().err
    assert re.search(sentence, said)
    assert said.count("\n") == 1
    assert noisy.read_bytes() == before
    assert list(tmp_path.iterdir()) == [noisy]


def test_the_installed_command_answers():
    done = subprocess.run(
        [sys.executable, "-m", "napari_credible", "denoise", "no.tif", "-o", "x.tif"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "napari-credible: there is no file no.tif\n"


def test_spread_writes_the_maps_of_the_library(noisy, tmp_path):
    out = tmp_path / "out.fits"
    asked = ["--noise", "poisson-gaussian:2,100,4", "--denoiser", "unet_fast", "--probes", "4"]
    assert not called("spread", noisy, "-o", out, *asked, "--threshold", "300", "-q")
    from astropy.io import fits

    with fits.open(out) as units:
        lower, upper = units["LOWER"].data, units["UPPER"].data
        assert {"ERR", "PROB"} <= {unit.name for unit in units}
        assert (lower >= 100).all()
        assert (upper > lower).all()


def test_calibrate_prints_table_checks_and_verdict(noisy, tmp_path, capsys):
    """Its exit code tells a script whether to believe."""
    out = tmp_path / "residual.tif"
    asked = ["--denoiser", "unet_fast", "--draws", "2", "-o", out]
    code = called("calibrate", noisy, "--noise", "poisson-gaussian:2,100,400", *asked, "-q")
    said = capsys.readouterr().out
    assert code == 1
    assert "FAILED  variance of the residual" in said
    assert "Not believable as it is" in said
    assert said.splitlines()[0].split() == ["interval", "holds", "error"]
    assert np.isfinite(nc.read(out).array).any()


def test_calibrate_restores_only_with_an_operator(noisy, capsys):
    assert called("calibrate", noisy, "--method", "ddrm") == 2
    assert "say with --operator" in capsys.readouterr().err
