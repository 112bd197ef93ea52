"""The real widget in a real napari window, from layer to result."""

import subprocess
import sys

import dask.array
import numpy as np
import pytest
import xarray
import zarr
from napari.layers import Image as ImageLayer
from npe2 import PluginManifest

import napari_credible as nc
from napari_credible.gui.layers import METADATA_KEY, image_from_layer
from napari_credible.gui.widget import DenoiseWidget
from napari_credible.samples import SAMPLES

# Ten degrees about the first axis.
IN_PLANE = [[1, 0, 0], [0, 0.9848077530122081, -0.17364817766693033],
            [0, 0.17364817766693033, 0.9848077530122081]]  # fmt: skip


def test_the_manifest_is_valid_and_its_commands_exist():
    manifest = PluginManifest.from_distribution("napari-credible")
    manifest.validate_imports()
    assert {w.display_name for w in manifest.contributions.widgets} >= {
        "Denoise",
        "Sample posterior",
    }
    assert "napari/layers/filter" in manifest.contributions.menus


def test_the_widget_opens_from_the_plugin_menu(make_napari_viewer):
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Denoise")
    assert isinstance(widget, DenoiseWidget)
    assert "Open an image" in widget.controls.status.text()


def test_a_real_tiff_stack_from_layer_to_result(opened, finish):
    """From the file to a new layer: aligned, in its own units, with its recipe."""
    viewer, widget = opened
    image = SAMPLES["photons"].read()
    layer = viewer.add_image(
        image.array,
        name="counts",
        scale=(2.0, 0.5, 0.5),
        translate=(1.0, 3.0, 4.0),
        rotate=IN_PLANE,
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        colormap="magma",
        gamma=0.7,
        contrast_limits=(0, 90),
        blending="additive",
        projection_mode="mean",
    )
    before = image.array.copy()
    widget.controls.run.native.click()
    assert not widget.controls.run.enabled
    assert widget.controls.cancel.enabled
    finish(widget)
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
    assert "gain" in widget.controls.status.text()
    assert widget.controls.run.enabled


def test_a_result_shares_the_contrast_of_its_input(opened, finish, scene, typed):
    viewer, widget = opened
    layer = viewer.add_image(100 * scene[:64, :64], name="a")
    typed(widget, 5.0)
    widget.controls.run.native.click()
    finish(widget)
    layer.contrast_limits = (3, 17)
    np.testing.assert_array_equal(viewer.layers["a · denoised"].contrast_limits, (3, 17))


def test_typed_noise_is_used_and_names_are_unique(opened, finish, scene, typed):
    viewer, widget = opened
    viewer.add_image(nc.Gaussian(5.0).draw(100 * scene[:64, :64], 0), name="a")
    for _ in range(2):
        typed(widget, 5.0)
        widget.controls.run.native.click()
        finish(widget)
        widget.controls.layer.value = viewer.layers["a"]
    assert {x.name for x in viewer.layers} == {"a", "a · denoised", "a · denoised 2"}
    recipe = viewer.layers["a · denoised"].metadata[METADATA_KEY]["recipe"]
    assert recipe["noise"] == {"kind": "Gaussian", "sigma": 5.0}


def test_measuring_fills_the_panel(opened, finish, scene):
    viewer, widget = opened
    viewer.add_image(nc.PoissonGaussian(2.0, 0.0, 8.0).draw(400 * scene, 1), name="a")
    widget.measure()
    finish(widget)
    assert len(viewer.layers) == 1
    assert widget.recipe().noise.gain == pytest.approx(2.0, rel=0.05)


def test_another_layer_forgets_what_was_measured(opened, finish, scene):
    viewer, widget = opened
    viewer.add_image(nc.Gaussian(5.0).draw(100 * scene, 1), name="a")
    widget.measure()
    finish(widget)
    assert widget.recipe().noise is not None
    viewer.add_image(nc.Gaussian(9.0).draw(100 * scene, 1), name="b")
    widget.controls.layer.value = viewer.layers["b"]
    assert widget.recipe().noise is None


def test_cancel_is_heard_at_once_and_adds_nothing(opened, qtbot, noisy):
    viewer, widget = opened
    viewer.add_image(np.tile(noisy, (30, 1, 1)), name="long")
    widget.controls.run.native.click()
    qtbot.waitUntil(lambda: "denoising" in widget.controls.status.text(), timeout=60_000)
    widget.controls.cancel.native.click()
    assert "run" not in widget.jobs
    assert widget.controls.run.enabled
    qtbot.wait(300)
    assert len(viewer.layers) == 1
    assert widget.controls.status.text() == "Stopped; nothing was added."


def test_the_input_may_be_deleted_while_running(opened, finish, scene, typed):
    viewer, widget = opened
    layer = viewer.add_image(np.tile(scene[:128, :128], (4, 1, 1)), name="gone")
    typed(widget, 1.0)
    widget.controls.run.native.click()
    viewer.layers.remove(layer)
    finish(widget)
    assert [x.name for x in viewer.layers] == ["gone · denoised"]


def test_a_layer_may_be_renamed_and_the_list_follows(opened, scene):
    viewer, widget = opened
    layer = viewer.add_image(scene[:64, :64], name="before")
    layer.name = "after"
    box = widget.controls.layer.native
    assert [box.itemText(k) for k in range(box.count())] == ["after"]


def test_two_viewers_run_at_once(opened, make_napari_viewer, finish, scene, typed):
    viewer, widget = opened
    other = make_napari_viewer()
    second = DenoiseWidget(other)
    other.window.add_dock_widget(second)
    for v, w in ((viewer, widget), (other, second)):
        v.add_image(100 * scene[:128, :128], name="a")
        typed(w, 2.0)
        w.controls.run.native.click()
    finish(widget)
    finish(second)
    np.testing.assert_array_equal(viewer.layers[1].data, other.layers[1].data)
    second.close()


def test_without_a_layer_the_widget_says_what_to_do(opened):
    _, widget = opened
    widget.start()
    assert "Open an image" in widget.controls.status.text()
    assert not widget.jobs


def test_an_error_is_shown_as_the_cores_sentence(opened, finish):
    viewer, widget = opened
    viewer.add_image(np.zeros((64, 64)), name="empty")
    widget.start()
    finish(widget)
    assert "no noise to measure" in widget.controls.status.text()
    assert len(viewer.layers) == 1
    assert widget.controls.run.enabled


def test_the_plan_is_said_before_the_run(opened, qtbot, scene):
    viewer, widget = opened
    viewer.add_image(np.tile(scene, (3, 1, 1)), name="a")
    qtbot.waitUntil(lambda: "GiB" in widget.controls.plan.text(), timeout=60_000)
    said = widget.controls.plan.text()
    assert "3 planes of 512 × 512 in 3 tiles on cpu" in said
    assert said.endswith("s") or said.endswith("second")


def test_flags_come_as_labels_where_asked(opened, finish, scene, typed):
    viewer, widget = opened
    image = 100 * scene[:64, :64]
    image[3, 4] = np.nan
    viewer.add_image(image, name="a", contrast_limits=(0, 100), scale=(2, 2))
    typed(widget, 5.0)
    widget.controls.flags.value = True
    widget.start()
    finish(widget)
    labels = viewer.layers["a · denoised · flags"]
    assert labels.data[3, 4] == 1
    assert labels.data.sum() == 1
    np.testing.assert_array_equal(labels.scale, (2, 2))


KINDS = {
    "dask": lambda a: dask.array.from_array(a, chunks=(1, 32, 32)),
    "zarr": lambda a: zarr.array(a, chunks=(1, 32, 32)),
    "xarray": lambda a: xarray.DataArray(a, dims=("z", "y", "x")),
    "multiscale": lambda a: [a, a[:, ::2, ::2]],
    "big-endian": lambda a: a.astype(">u2"),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_layer_is_taken(scene, kind):
    stack = np.stack([200 * scene[:64, :64]] * 2).astype(np.uint16)
    layer = ImageLayer(KINDS[kind](stack), axis_labels=("z", "y", "x"), scale=(2, 1, 1))
    image = image_from_layer(layer)
    assert (image.axes, image.scale) == ("ZYX", (2.0, 1.0, 1.0))
    wanted = nc.denoise(stack, nc.Gaussian(2.0)).estimate
    np.testing.assert_array_equal(nc.denoise(image, nc.Gaussian(2.0)).estimate, wanted)


def test_colour_layers_come_back_in_colour(opened, finish, scene):
    viewer, widget = opened
    picture = np.stack([200 * scene[:64, :64]] * 3, axis=-1) + 20
    noisy = np.clip(nc.Gaussian(10.0).draw(picture, 0), 0, 255).astype(np.uint8)
    viewer.add_image(noisy, name="rgb", rgb=True, scale=(0.5, 0.5))
    widget.start()
    finish(widget)
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
