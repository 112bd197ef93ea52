"""The command ``sample``: maps in files, read again, and what is done is kept."""

import signal

import numpy as np
import pytest
import tifffile
from astropy.io import fits

import napari_credible as nc
from napari_credible import __main__ as command
from napari_credible.io.fits import recorded

ASKED = ("--noise", "gaussian:0.1", "--denoiser", "unet_fast", "--draws", "3", "--seed", "4")


@pytest.fixture(scope="module")
def source(tmp_path_factory, scene):
    path = tmp_path_factory.mktemp("sample") / "in.tif"
    noisy = nc.Gaussian(0.1).draw(scene[60:108, 200:256], 0).astype(np.float32)
    tifffile.imwrite(path, noisy, metadata={"axes": "YX"})
    return path


@pytest.fixture(scope="module")
def drawn(source):
    return nc.sample(
        nc.read(source), nc.Gaussian(0.1), denoiser="unet_fast", n_draws=3, seed=4
    ).posterior


def called(*arguments):
    with pytest.raises(SystemExit) as end:
        command.main([str(a) for a in arguments])
    return end.value.code


def wanted(drawn):
    lower, upper = drawn.interval(0.8)
    return {"std": drawn.std, "lower": lower, "upper": upper, "exceedance": drawn.exceedance(0.4)}


def test_sample_writes_series_of_an_ome_tiff(source, drawn, tmp_path, capsys):
    out = tmp_path / "out.ome.tif"
    code = called("sample", source, "-o", out, *ASKED, "--level", 0.8, "--threshold", 0.4)
    assert not code
    with tifffile.TiffFile(out) as file:
        series = {s.name: s.asarray() for s in file.series}
    for name, found in wanted(drawn).items():
        np.testing.assert_array_equal(series[name], found)
    np.testing.assert_array_equal(nc.read(out).array, drawn.mean)
    said = capsys.readouterr().out
    assert "3 draws: the std map is good to 50 %" in said
    assert "198 more draws" in said
    record = nc.read(out).header["napari-credible"]
    assert record["n_draws"] == 3
    assert record["recipe"]["sampler"] == "corrected"


def test_sample_writes_extensions_of_a_fits_file(source, drawn, tmp_path):
    out = tmp_path / "out.fits"
    code = called("sample", source, "-o", out, *ASKED, "--level", 0.8, "--threshold", 0.4, "-q")
    assert not code
    with fits.open(out) as file:
        names = [unit.name for unit in file]
        for name, hdu in (("std", "ERR"), ("lower", "LOWER"), ("upper", "UPPER")):
            np.testing.assert_array_equal(file[hdu].data, wanted(drawn)[name])
        np.testing.assert_array_equal(file["PROB"].data, wanted(drawn)["exceedance"])
    assert {"ERR", "LOWER", "UPPER", "PROB"} <= set(names)
    assert recorded(out)["recipe"]["level"] == 0.8


def test_without_a_threshold_there_is_no_exceedance(source, tmp_path):
    out = tmp_path / "out.fits"
    assert not called("sample", source, "-o", out, *ASKED, "-q", "--keep", "maps")
    with fits.open(out) as file:
        assert "PROB" not in [unit.name for unit in file]


def test_the_written_recipe_gives_the_file_again(source, tmp_path):
    first, recipe, again = (tmp_path / name for name in ("a.fits", "r.json", "b.fits"))
    assert not called("sample", source, "-o", first, *ASKED, "-q")
    import json

    recipe.write_text(json.dumps(recorded(first)["recipe"]))
    assert not called("run", recipe, source, "-o", again, "-q")
    with fits.open(first) as one, fits.open(again) as other:
        np.testing.assert_array_equal(one["UPPER"].data, other["UPPER"].data)


def test_ctrl_c_writes_the_draws_so_far(source, tmp_path, monkeypatch, capsys):
    """The key is pressed as soon as there are three draws."""
    monkeypatch.setattr("napari_credible.plan._FULL_CPU", 1)
    exhausted, out = command.exhausted, tmp_path / "out.fits"

    def pressed(going, quiet):
        def steps():
            while True:
                try:
                    step = next(going)
                except StopIteration as end:
                    return end.value
                if step.posterior is not None and step.posterior.n_draws == 3:
                    signal.raise_signal(signal.SIGINT)
                yield step

        return exhausted(steps(), quiet)

    monkeypatch.setattr(command, "exhausted", pressed)
    before = signal.getsignal(signal.SIGINT)
    many = [*ASKED[:4], "--draws", "400"]
    assert not called("sample", source, "-o", out, *many)
    assert "3 draws" in capsys.readouterr().out
    assert recorded(out)["n_draws"] == 3
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--draws", "1"], "n_draws"),
        (["--level", "1.5"], "level"),
        (["--sampler", "ddim"], "there is no sampler"),
        (["--sampler", "corrected:13"], "no table for 13"),
    ],
)
def test_bad_options_end_with_a_sentence_and_no_file(source, tmp_path, options, sentence, capsys):
    out = tmp_path / "out.fits"
    assert called("sample", source, "-o", out, *ASKED, *options) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
