"""One recipe on a folder of real files."""

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.batch import batch, files_of
from napari_credible.recipe import Recipe

RECIPE = Recipe(noise=nc.Gaussian(5.0), denoiser="tv")


@pytest.fixture
def folder(tmp_path, scene):
    source = tmp_path / "in"
    source.mkdir()
    for k in (1, 2):
        nc.write(source / f"{k}.tif", nc.Image(100 * k * scene[:64, :64]))
    nc.write(source / "3.fits", nc.Image(300 * scene[:64, :64]))
    (source / "4.tif").write_bytes(b"no image")
    (source / "notes.txt").write_text("not an image")
    return source


def exhausted(going):
    seen = []
    while True:
        try:
            seen.append(next(going))
        except StopIteration as end:
            return end.value, seen


def test_each_file_stands_for_itself(folder, tmp_path):
    """The damaged file is told with its sentence, and the others are done."""
    report, seen = exhausted(batch(RECIPE, files_of(folder), tmp_path / "out"))
    assert [p.name for p in report.done] == ["1-denoised.ome.tif", "2-denoised.ome.tif",
                                             "3-denoised.fits"]  # fmt: skip
    assert [p.name for p in report.failed] == ["4.tif"]
    assert "cannot be read as TIFF" in report.in_words()
    for path in report.done:
        source = next(folder.glob(f"{path.name[0]}.*"))
        wanted = nc.denoise(nc.read(source), nc.Gaussian(5.0), denoiser="tv").estimate
        np.testing.assert_array_equal(nc.read(path).array, wanted)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [p.name for p in report.done]
    done = [step.done for step in seen]
    assert done == sorted(done)
    assert seen[-1].done == seen[-1].total == 400


def test_a_stopped_batch_goes_on_where_it_was(folder, tmp_path):
    going = batch(RECIPE, files_of(folder, "[12].tif"), tmp_path / "out")
    while "2.tif" not in next(going).doing:
        pass
    going.close()
    first = (tmp_path / "out" / "1-denoised.ome.tif").stat().st_mtime_ns
    report, _ = exhausted(batch(RECIPE, files_of(folder, "[12].tif"), tmp_path / "out"))
    assert [p.name for p in report.skipped] == ["1-denoised.ome.tif"]
    assert [p.name for p in report.done] == ["2-denoised.ome.tif"]
    assert (tmp_path / "out" / "1-denoised.ome.tif").stat().st_mtime_ns == first


def test_the_suffix_chooses_the_kind(folder, tmp_path):
    report, _ = exhausted(batch(RECIPE, files_of(folder, "1.tif"), tmp_path / "out", ".fits"))
    assert [p.name for p in report.done] == ["1-denoised.fits"]


def test_each_kind_stays_what_it_is(folder, tmp_path, scene):
    nc.write(folder / "5.ome.zarr", nc.Image(500 * scene[:64, :64]))
    report, _ = exhausted(batch(RECIPE, files_of(folder, "[35].*"), tmp_path / "out"))
    assert [p.name for p in report.done] == ["3-denoised.fits", "5-denoised.ome.zarr"]
    wanted = nc.denoise(nc.read(folder / "5.ome.zarr"), nc.Gaussian(5.0), denoiser="tv").estimate
    np.testing.assert_array_equal(np.asarray(nc.read(report.done[1]).array), wanted)


def test_results_beside_their_inputs_are_not_run_again(folder):
    """Also where they are to be made anew: an input is never replaced."""
    report, _ = exhausted(batch(RECIPE, files_of(folder, "[12].tif"), folder))
    assert len(report.done) == 2
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    again, _ = exhausted(batch(RECIPE, files_of(folder, "[12]*.tif"), folder))
    assert again.skipped == report.done
    assert not again.done
    assert not again.failed
    anew, _ = exhausted(batch(RECIPE, files_of(folder, "[12]*.tif"), folder, overwrite=True))
    assert not anew.done
    assert all("is among the inputs" in sentence for sentence in anew.failed.values())
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_two_inputs_do_not_share_a_result(folder, tmp_path, scene):
    nc.write(folder / "1.tiff", nc.Image(700 * scene[:64, :64]))
    for _ in range(2):
        report, _ = exhausted(batch(RECIPE, files_of(folder, "1.*"), tmp_path / "out"))
        assert list(report.failed) == [folder / "1.tiff"]
        assert "has the name of that of 1.tif;" in report.in_words()
    wanted = nc.denoise(nc.read(folder / "1.tif"), nc.Gaussian(5.0), denoiser="tv").estimate
    np.testing.assert_array_equal(nc.read(report.skipped[0]).array, wanted)


def test_whatever_goes_wrong_with_a_file_the_others_are_done(folder, tmp_path, monkeypatch):
    def fails(path):
        if path.name == "1.tif":
            raise KeyError("no such codec")
        return nc.read(path)

    monkeypatch.setattr("napari_credible.batch.read", fails)
    report, _ = exhausted(batch(RECIPE, files_of(folder, "[12].tif"), tmp_path / "out"))
    assert [p.name for p in report.done] == ["2-denoised.ome.tif"]
    assert "1.tif: KeyError" in report.in_words()


@pytest.mark.parametrize(("place", "words"), [("none", "no folder"), ("empty", "has no TIFF")])
def test_a_folder_without_images_is_refused(tmp_path, place, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=words):
        files_of(tmp_path / place)


def test_the_command_line_runs_a_folder(folder, tmp_path, capsys):
    (tmp_path / "r.json").write_text(RECIPE.to_json())
    arguments = ["batch", str(tmp_path / "r.json"), str(folder), "-o", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--quiet"])
    assert end.value.code == 1
    assert capsys.readouterr().out.startswith("3 done, 1 failed.")
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--quiet", "--pattern", "[123].*"])
    assert end.value.code == 0
    assert "3 were there already" in capsys.readouterr().out
