"""Real files through napari's own open and save."""

import subprocess
import sys
from pathlib import Path

import dask.array
import numpy as np
import pytest
import tifffile
from napari.errors import ReaderPluginError
from npe2 import PluginManifest

import napari_credible as nc
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.readers import get_reader, open_zarr
from napari_credible.gui.writers import write_layer
from napari_credible.io import read_result

PLUGIN = "napari-credible"


@pytest.fixture
def stack(scene):
    image = nc.Gaussian(3.0).draw(np.stack([100 * scene[:64, :80]] * 3), 0).astype(np.float32)
    return nc.Image(image, "ZYX", (2.0, 0.5, 0.25), ("micrometer",) * 3, "ADU")


@pytest.mark.parametrize("suffix", [".ome.tif", ".fits", ".ome.zarr"])
def test_a_layer_is_saved_and_opened_again(make_napari_viewer, tmp_path, stack, suffix):
    """Pixels, scale, units, labels and the recipe survive; the flags come as labels."""
    viewer = make_napari_viewer()
    result = nc.denoise(stack, nc.Gaussian(3.0), denoiser="tv")
    viewer.add_image(
        result.estimate, name="kept", scale=stack.scale, units=stack.axis_units,
        axis_labels=("z", "y", "x"), metadata={METADATA_KEY: result.record(), "unit": "ADU"},
    )  # fmt: skip
    path = tmp_path / f"kept{suffix}"
    viewer.layers.save(str(path), plugin=PLUGIN)
    viewer.layers.clear()
    if suffix == ".ome.zarr":
        open_zarr(viewer, str(path))
    else:
        viewer.open(path, plugin=PLUGIN)
    layer = viewer.layers[0]
    np.testing.assert_array_equal(np.asarray(layer.data), result.estimate)
    np.testing.assert_allclose(layer.scale, stack.scale)
    assert [str(u) for u in layer.units] == list(stack.axis_units)
    assert layer.axis_labels == ("z", "y", "x")
    assert layer.metadata[METADATA_KEY]["recipe"] == result.record()["recipe"]
    image, _, record = read_result(path)
    assert image.unit == "ADU"
    assert record == result.record()


@pytest.mark.parametrize("suffix", [".ome.tif", ".fits", ".ome.zarr"])
def test_our_results_open_with_their_flags(make_napari_viewer, tmp_path, stack, suffix):
    viewer = make_napari_viewer()
    result = nc.denoise(stack, nc.Gaussian(3.0), denoiser="tv")
    flags = np.zeros(stack.shape, np.uint8)
    flags[1, 2, 3] = 2
    path = tmp_path / f"r{suffix}"
    nc.write(path, result.image, flags=flags, record=result.record())
    if suffix == ".ome.zarr":
        open_zarr(viewer, str(path))
    else:
        viewer.open(path, plugin=PLUGIN)
    estimate, labels = viewer.layers
    assert labels.name == f"{estimate.name} · flags"
    assert not labels.visible
    np.testing.assert_array_equal(labels.data, flags)
    np.testing.assert_allclose(labels.scale, estimate.scale)


def test_every_image_of_a_fits_file_is_a_layer(make_napari_viewer, tmp_path):
    from astropy.io import fits

    first = np.ones((32, 40), ">f4")
    first[3, 4] = np.nan
    hdus = fits.HDUList([fits.PrimaryHDU(first), fits.ImageHDU(np.arange(1200).reshape(30, 40))])
    hdus[0].header["GAIN"] = 2.0
    hdus[1].name = "SCI"
    hdus.writeto(tmp_path / "two.fits")
    viewer = make_napari_viewer()
    viewer.open(tmp_path / "two.fits", plugin=PLUGIN)
    assert len(viewer.layers) == 2
    assert np.isnan(viewer.layers[0].data[3, 4])
    assert viewer.layers[0].data.dtype.isnative
    assert viewer.layers[0].metadata["header"]["GAIN"] == 2.0
    low, high = viewer.layers[1].contrast_limits
    assert 0 < low < high < 1199


def test_imagej_voxel_sizes_are_read(make_napari_viewer, tmp_path):
    tifffile.imwrite(
        tmp_path / "ij.tif", np.zeros((3, 32, 32), np.uint16), imagej=True, resolution=(4, 4),
        metadata={"axes": "ZYX", "spacing": 0.7, "unit": "um"},
    )  # fmt: skip
    viewer = make_napari_viewer()
    viewer.open(tmp_path / "ij.tif", plugin=PLUGIN)
    np.testing.assert_allclose(viewer.layers[0].scale, (0.7, 0.25, 0.25), rtol=1e-6)
    assert str(viewer.layers[0].units[0]) == "micrometer"


def test_other_names_are_declined_at_once():
    assert get_reader("a.png") is None
    assert get_reader(["a.fits", "b.jpg"]) is None
    assert get_reader("A.FITS.GZ") is not None


def test_a_damaged_file_is_one_sentence(make_napari_viewer, tmp_path):
    (tmp_path / "bad.fits").write_bytes(b"no image")
    with pytest.raises(ReaderPluginError) as error:
        make_napari_viewer().open(tmp_path / "bad.fits", plugin=PLUGIN)
    assert "cannot be read as FITS" in str(error.value.__cause__)


def test_a_turned_layer_is_refused_before_anything_is_written(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((32, 32)), rotate=20)
    with pytest.raises(RuntimeError, match="rotate cannot be kept"):
        viewer.layers.save(str(tmp_path / "a.ome.tif"), plugin=PLUGIN)
    assert not list(tmp_path.iterdir())


def test_colours_survive(make_napari_viewer, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (32, 40, 3)).astype(np.uint8)
    viewer = make_napari_viewer()
    viewer.add_image(picture, rgb=True, name="c", scale=(2, 3))
    viewer.layers.save(str(tmp_path / "c.ome.tif"), plugin=PLUGIN)
    viewer.layers.clear()
    viewer.open(tmp_path / "c.ome.tif", plugin=PLUGIN)
    assert viewer.layers[0].rgb
    np.testing.assert_array_equal(viewer.layers[0].data, picture)
    np.testing.assert_allclose(viewer.layers[0].scale, (2, 3))


def test_the_manifest_names_real_commands():
    manifest = PluginManifest.from_distribution(PLUGIN)
    manifest.validate_imports()
    assert manifest.contributions.readers
    assert len(manifest.contributions.writers) == 3


def test_a_plain_tiff_is_left_to_napari(make_napari_viewer, tmp_path):
    """napari does not fall back by itself: a chosen reader that declines is told to the user."""
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.arange(1024, dtype=np.uint16).reshape(32, 32))
    assert get_reader(str(path)) is None
    viewer = make_napari_viewer()
    with pytest.raises(ValueError, match="refused the file"):
        viewer.open(path, plugin=PLUGIN)
    viewer.open(path)
    assert viewer.layers[0].source.reader_plugin == "napari"


def test_paths_come_in_every_form(tmp_path):
    for name in ("a.fits", "b.fits"):
        nc.write(tmp_path / name, nc.Image(np.zeros((16, 16), np.float32)))
    a, b = tmp_path / "a.fits", tmp_path / "b.fits"
    for asked, names in [(a, ["a"]), (str(a), ["a"]), ([a], ["a"]), ([str(a), b], ["a", "b"])]:
        reader = get_reader(asked)
        assert [layer[1]["name"] for layer in reader(asked)] == names
    assert get_reader([]) is None


def test_a_stack_of_files_opens_as_layers(make_napari_viewer, tmp_path):
    for name in ("a.fits", "b.fits"):
        nc.write(tmp_path / name, nc.Image(np.zeros((16, 16), np.float32)))
    viewer = make_napari_viewer()
    viewer.open([tmp_path / "a.fits", tmp_path / "b.fits"], stack=True, plugin=PLUGIN)
    assert [layer.name for layer in viewer.layers] == ["a", "b"]


def test_pixels_without_value_and_outliers_do_not_spoil_the_contrast(make_napari_viewer, tmp_path):
    array = np.random.default_rng(0).normal(100, 5, (3, 64, 64)).astype(np.float32)
    array[1, 3, 4], array[1, 5, 6], array[0] = np.nan, 1e9, -1e9
    nc.write(tmp_path / "a.fits", nc.Image(array, "ZYX"))
    viewer = make_napari_viewer()
    (layer,) = viewer.open(tmp_path / "a.fits", plugin=PLUGIN)
    middle = array[1].astype(float)
    limits = np.quantile(middle[np.isfinite(middle)], (0.005, 0.995))
    np.testing.assert_array_equal(layer.contrast_limits, limits)
    np.testing.assert_array_equal(layer.data, array)


@pytest.mark.parametrize("fill", [np.nan, 7.0])
def test_a_flat_image_has_limits_too(make_napari_viewer, tmp_path, fill):
    nc.write(tmp_path / "a.fits", nc.Image(np.full((16, 16), fill, np.float32)))
    (layer,) = make_napari_viewer().open(tmp_path / "a.fits", plugin=PLUGIN)
    low, high = layer.contrast_limits
    assert low < high


def test_units_that_napari_does_not_know_are_pixels(make_napari_viewer, tmp_path):
    image = nc.Image(np.zeros((16, 16)), "YX", (2.0, 3.0), ("furlongish", "micrometer"))
    nc.write(tmp_path / "a.fits", image)
    (layer,) = make_napari_viewer().open(tmp_path / "a.fits", plugin=PLUGIN)
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer"]


def test_levels_of_an_ome_zarr_stay_lazy(make_napari_viewer, tmp_path):
    array = np.random.default_rng(0).normal(size=(2, 1024, 1100)).astype(np.float32)
    place = {"translate": (3.0, 4.0, 5.0)}
    nc.write(tmp_path / "a.ome.zarr", nc.Image(array, "ZYX", (2.0, 0.5, 0.5), header=place))
    viewer = make_napari_viewer()
    open_zarr(viewer, str(tmp_path / "a.ome.zarr"))
    layer = viewer.layers[0]
    assert [level.shape for level in layer.data] == [(2, 1024, 1100), (2, 512, 550), (2, 256, 275)]
    assert all(hasattr(level, "dask") for level in layer.data)
    viewer.layers.save(str(tmp_path / "b.ome.zarr"), plugin=PLUGIN)
    back = nc.read(tmp_path / "b.ome.zarr")
    np.testing.assert_array_equal(np.asarray(back.array), array)
    assert back.scale == (2.0, 0.5, 0.5)
    assert back.header["translate"] == place["translate"]


def test_the_menu_opens_an_ome_zarr(make_napari_viewer, tmp_path, monkeypatch):
    from napari._app_model import get_app_model
    from qtpy.QtWidgets import QFileDialog

    nc.write(tmp_path / "a.ome.zarr", nc.Image(np.zeros((32, 32), np.float32)))
    chosen = iter([str(tmp_path / "a.ome.zarr"), ""])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(chosen))
    viewer = make_napari_viewer()
    for _ in range(2):
        get_app_model().commands.execute_command(f"{PLUGIN}.open_zarr").result()
    assert [layer.name for layer in viewer.layers] == ["a"]


def test_a_cut_file_is_one_sentence(make_napari_viewer, tmp_path, stack):
    viewer = make_napari_viewer()
    for name, words in [("a.ome.tif", "cannot be read as TIFF"), ("a.fits", "cannot be read")]:
        path = tmp_path / name
        nc.write(path, stack)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ReaderPluginError, match=words):
            viewer.open(path, plugin=PLUGIN)
    assert not viewer.layers


def test_the_sentence_of_a_refused_save_is_not_lost(make_napari_viewer, tmp_path):
    """napari 0.9 would swallow a ValueError and say that no plugin can write the file."""
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((32, 32), bool))
    for name in ("a.ome.tif", "a.fits", "a.ome.zarr"):
        with pytest.raises(RuntimeError, match="holds bool values"):
            viewer.layers.save(str(tmp_path / name), plugin=PLUGIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".ome.tif", ".fits", ".ome.zarr"])
def test_a_save_that_fails_leaves_the_old_file(tmp_path, suffix):
    def fails(block, block_info=None):
        if block_info[0]["chunk-location"][0]:
            raise OSError("the disk is gone")
        return block

    path = tmp_path / f"a{suffix}"
    nc.write(path, nc.Image(np.ones((64, 64), np.float32)))
    lazy = dask.array.zeros((64, 64), chunks=32, dtype=np.float32)
    lazy = lazy.map_blocks(fails, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    with pytest.raises(OSError, match="the disk is gone"):
        write_layer(str(path), lazy, {})
    assert float(np.asarray(nc.read(path).array).mean()) == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_tiff_loses_is_said(make_napari_viewer, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari_credible.gui.writers.show_warning", said.append)
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((32, 32), np.float32), translate=(1, 2))
    for name in ("a.ome.zarr", "a.ome.tif"):
        viewer.layers.save(str(tmp_path / name), plugin=PLUGIN)
    assert said == ["a.ome.tif does not keep the layer's translate; OME-Zarr does"]


def test_napari_writes_tif_itself_unless_asked(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((32, 32), np.float32), scale=(2, 2), units="um")
    viewer.layers.save(str(tmp_path / "a.tif"))
    viewer.layers.save(str(tmp_path / "a.ome.tif"))
    viewer.layers.save(str(tmp_path / "b.tif"), plugin=PLUGIN)
    scales = {p.name: nc.read(p).scale for p in tmp_path.iterdir()}
    assert scales == {"a.tif": (1.0, 1.0), "a.ome.tif": (2.0, 2.0), "b.tif": (2.0, 2.0)}


def test_labels_of_axes_become_axes(make_napari_viewer, tmp_path):
    array = np.random.default_rng(0).normal(size=(2, 3, 32, 40)).astype(np.float32)
    viewer = make_napari_viewer()
    viewer.add_image(array, axis_labels=("time", "channel", "y", "x"), scale=(5, 1, 2, 3),
                     units=("ms", "pixel", "um", "um"))  # fmt: skip
    viewer.layers.save(str(tmp_path / "a.ome.zarr"), plugin=PLUGIN)
    back = nc.read(tmp_path / "a.ome.zarr")
    assert (back.axes, back.scale) == ("TCYX", (5.0, 1.0, 2.0, 3.0))
    assert back.axis_units == ("millisecond", "pixel", "micrometer", "micrometer")


def test_npe2_accepts_the_manifest():
    manifest = Path(nc.__file__).parent / "napari.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(manifest)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
