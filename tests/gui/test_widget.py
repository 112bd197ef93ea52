"""The real widget in a real napari window."""

import subprocess
import sys
import time

import dask.array
import numpy as np
import pytest
import zarr
from napari.layers import Image as ImageLayer
from npe2 import PluginManifest

import napari_credible as nc
from napari_credible.gui.layers import METADATA_KEY, image_from_layer
from napari_credible.gui.widget import DenoiseWidget
from napari_credible.samples import SAMPLES


@pytest.fixture
def opened(make_napari_viewer):
    """A viewer with the widget docked, as from the plugin menu."""
    viewer = make_napari_viewer()
    widget = DenoiseWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Denoise")
    yield viewer, widget
    if widget._job is not None:
        widget._job.abandon()


def finish(widget, qtbot, seconds=60):
    qtbot.waitUntil(lambda: widget._job is None, timeout=1000 * seconds)


def test_the_manifest_is_valid_and_its_commands_exist():
    manifest = PluginManifest.from_distribution("napari-credible")
    manifest.validate_imports()
    assert {w.display_name for w in manifest.contributions.widgets} == {"Denoise"}
    assert "napari/layers/filter" in manifest.contributions.menus


def test_a_real_tiff_stack_from_layer_to_result(opened, qtbot):
    """From the file to a new layer: aligned, in its own units, with its recipe."""
    viewer, widget = opened
    image = SAMPLES["photons"].read()
    layer = viewer.add_image(
        image.array,
        name="counts",
        scale=(2.0, 0.5, 0.5),
        translate=(1.0, 3.0, 4.0),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        colormap="magma",
        gamma=0.7,
        contrast_limits=(0, 90),
        blending="additive",
    )
    before = image.array.copy()
    widget._run.native.click()
    assert not widget._run.enabled
    assert widget._cancel.enabled
    finish(widget, qtbot)
    result = viewer.layers[1]
    assert result.name == "counts · denoised"
    for name in ("scale", "translate", "rotate", "shear", "units", "axis_labels", "contrast_limits",
                 "gamma", "blending", "projection_mode", "rgb"):  # fmt: skip
        np.testing.assert_array_equal(getattr(result, name), getattr(layer, name), err_msg=name)
    np.testing.assert_array_equal(result.affine.affine_matrix, layer.affine.affine_matrix)
    assert result.colormap.name == "magma"
    assert result.data.dtype == np.float32
    wanted = nc.denoise(image)
    np.testing.assert_array_equal(result.data, wanted.estimate)
    assert result.metadata[METADATA_KEY]["recipe"]["noise"] == wanted.noise[0].to_dict()
    np.testing.assert_array_equal(layer.data, before)
    assert "gain" in widget._status.value
    assert widget._run.enabled


def test_typed_noise_is_used_and_names_are_unique(opened, qtbot, scene):
    viewer, widget = opened
    viewer.add_image(nc.Gaussian(5.0).draw(100 * scene[:64, :64], 0), name="a")
    widget._noise.value = "Gaussian"
    widget._sigma.value = 5.0
    for _ in range(2):
        widget._run.native.click()
        finish(widget, qtbot)
        widget._layer.value = viewer.layers["a"]
    assert {x.name for x in viewer.layers} == {"a", "a · denoised", "a · denoised 2"}
    recipe = viewer.layers["a · denoised"].metadata[METADATA_KEY]["recipe"]
    assert recipe["noise"] == {"kind": "Gaussian", "sigma": 5.0}


def test_measuring_fills_the_fields(opened, qtbot, scene):
    viewer, widget = opened
    viewer.add_image(nc.PoissonGaussian(2.0, 0.0, 8.0).draw(400 * scene, 1), name="a")
    widget._measure.native.click()
    finish(widget, qtbot)
    assert len(viewer.layers) == 1
    assert widget._gain.value == pytest.approx(2.0, rel=0.05)
    assert "gain 2" in widget._status.value or "gain 1.9" in widget._status.value
    widget._noise.value = "Poisson-Gaussian"
    assert widget.recipe().noise.gain == pytest.approx(2.0, rel=0.05)


def test_cancel_adds_nothing(opened, qtbot, scene):
    viewer, widget = opened
    viewer.add_image(np.tile(scene, (30, 1, 1)), name="long")
    widget._run.native.click()
    qtbot.waitUntil(lambda: "denoising" in widget._status.value, timeout=60_000)
    widget._cancel.native.click()
    finish(widget, qtbot)
    assert len(viewer.layers) == 1
    assert widget._status.value == "Stopped; nothing was added."


def test_the_input_may_be_deleted_while_running(opened, qtbot, scene):
    viewer, widget = opened
    layer = viewer.add_image(np.tile(scene[:128, :128], (4, 1, 1)), name="gone")
    widget._noise.value = "Gaussian"
    widget._run.native.click()
    viewer.layers.remove(layer)
    finish(widget, qtbot)
    assert [x.name for x in viewer.layers] == ["gone · denoised"]


def test_the_window_stays_alive_during_a_run(opened, qtbot, scene):
    """Timers of the GUI thread fire while the worker computes."""
    from qtpy.QtCore import QTimer

    viewer, widget = opened
    viewer.add_image(np.tile(scene, (4, 1, 1)), name="a")
    beats = []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start(10)
    widget._run.native.click()
    finish(widget, qtbot)
    timer.stop()
    assert len(beats) > 20


def test_without_a_layer_the_widget_says_what_to_do(opened):
    _, widget = opened
    widget._run.native.click()
    assert "Open an image" in widget._status.value
    assert widget._job is None


def test_an_error_is_shown_as_the_cores_sentence(opened, qtbot):
    viewer, widget = opened
    viewer.add_image(np.zeros((64, 64)), name="empty")
    widget._run.native.click()
    finish(widget, qtbot)
    assert "no noise to measure" in widget._status.value
    assert len(viewer.layers) == 1


KINDS = {
    "dask": lambda a: dask.array.from_array(a, chunks=(1, 32, 32)),
    "zarr": lambda a: zarr.array(a, chunks=(1, 32, 32)),
    "multiscale": lambda a: [a, a[:, ::2, ::2]],
    "big-endian": lambda a: a.astype(">u2"),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_layer_is_taken(scene, kind):
    stack = np.stack([200 * scene[:64, :64]] * 2).astype(np.uint16)
    layer = ImageLayer(KINDS[kind](stack), axis_labels=("z", "y", "x"), scale=(2, 1, 1))
    image = image_from_layer(layer)
    assert (image.axes, image.scale) == ("ZYX", (2.0, 1.0, 1.0))
    wanted = nc.denoise(stack, nc.Gaussian(2.0)).estimate
    np.testing.assert_array_equal(nc.denoise(image, nc.Gaussian(2.0)).estimate, wanted)


def test_colour_layers_come_back_in_colour(opened, qtbot, scene):
    viewer, widget = opened
    picture = np.stack([200 * scene[:64, :64]] * 3, axis=-1) + 20
    noisy = np.clip(nc.Gaussian(10.0).draw(picture, 0), 0, 255).astype(np.uint8)
    viewer.add_image(noisy, name="rgb", rgb=True, scale=(0.5, 0.5))
    widget._run.native.click()
    finish(widget, qtbot)
    result = viewer.layers["rgb · denoised"]
    assert result.rgb
    assert result.data.shape == noisy.shape
    assert result.data.dtype == np.uint8
    np.testing.assert_array_equal(result.scale, (0.5, 0.5))


@pytest.mark.parametrize("name", list(SAMPLES))
def test_sample_data_opens_with_its_scale(make_napari_viewer, name):
    viewer = make_napari_viewer()
    viewer.open_sample("napari-credible", name)
    image = SAMPLES[name].read()
    assert tuple(viewer.layers[0].scale) == pytest.approx(image.scale)
    assert viewer.layers[0].metadata["licence"]


def test_opening_the_widget_does_not_import_torch():
    code = "import sys, napari_credible.gui.widget; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
