"""The Restore widget, from the physics to layers that lie where they should."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from napari.layers import Labels
from qtpy.QtWidgets import QApplication

import napari_credible as nc
from napari_credible.gui.area import THIS_PLANE
from napari_credible.gui.family import family_of, role_of
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.physics_question import (
    BOX,
    FILE,
    GAUSSIAN,
    ITSELF,
    LAYER,
    PAINTED,
    STARS,
)
from napari_credible.gui.preview import PREVIEW_KEY
from napari_credible.gui.restoring import seen_of
from napari_credible.operators import Blur, Downsample, Radon, psf_blur
from napari_credible.parted import parted
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run

MAPS = {"mean", "std", "lower", "upper", "draws"}
TURNED = [[0.8, -0.6], [0.6, 0.8]]
NOISE = nc.Gaussian(5.0)


def by_role(viewer):
    return {role_of(layer): layer for layer in viewer.layers if role_of(layer)}


def temporary(viewer):
    return [layer for layer in viewer.layers if PREVIEW_KEY in layer.metadata]


def physics(widget, kind, source=None, **values):
    """Choose an operator and what it is made from."""
    panel = widget.physics
    panel.operator.value = kind
    if source is not None:
        panel.sources[kind].value = source
    for name, value in values.items():
        field = panel.numbers.get(kind, {}).get(name)
        (getattr(panel, name) if field is None else field).value = value


def fast(widget, solver="ddrm"):
    widget.controls.fields["solver"].value = solver


@pytest.fixture(scope="session")
def tiny(scene):
    """A noisy plane of 24 x 32 pixels, sigma 5."""
    noise = 5 * np.random.default_rng(3).standard_normal((24, 32))
    return (100 * scene[200:224, 100:132] + noise).astype(np.float32)


@pytest.fixture(scope="session")
def clear(scene):
    """A plane of 32 x 32 pixels without noise."""
    return (100 * scene[200:232, 100:132]).astype(np.float32)


@pytest.fixture
def warned(monkeypatch):
    """What is said in notifications of napari."""
    said = []
    for place in ("job", "restore_widget"):
        monkeypatch.setattr(f"napari_credible.gui.{place}.show_warning", said.append)
    return said


# ── what comes out ──


def test_missing_pixels_come_back_with_a_larger_std_and_a_recipe(restoring, finish, typed, tiny):
    """Maps, draws and metadata are those of the core; the recipe in them gives them again."""
    viewer, widget = restoring
    data = tiny.copy()
    data[8:14, 10:18] = np.nan
    before = data.copy()
    layer = viewer.add_image(
        data, name="a", scale=(0.5, 0.4), translate=(3, 4), rotate=TURNED, units=("um", "um")
    )
    typed(widget, 5.0)
    widget.controls.fields["threshold"].value = "60"
    widget.controls.fields["n_draws"].value = 4
    widget.start()
    finish(widget)
    found = by_role(viewer)
    assert set(found) == {*MAPS, "exceedance"}
    asked = Recipe.of(**found["std"].metadata[METADATA_KEY]["recipe"])
    assert (asked.method, asked.operator, asked.noise) == ("restore", "identity", NOISE)
    wanted = run(asked, nc.Image(data))
    family = family_of(found["mean"])
    assert all(family_of(each) is family for each in found.values())
    np.testing.assert_array_equal(family.posterior.draws, wanted.posterior.draws)
    np.testing.assert_array_equal(found["mean"].data, wanted.estimate)
    for role, wanted_map in wanted.maps.items():
        np.testing.assert_array_equal(found[role].data, wanted_map)
    hole = found["std"].data[9:13, 11:17].mean()
    assert hole > 1.5 * found["std"].data[:6].mean()
    for each in (found["mean"], found["std"]):
        np.testing.assert_allclose(each.data_to_world((7, 11)), layer.data_to_world((7, 11)))
    assert found["draws"].axis_labels[0] == "sample"
    np.testing.assert_array_equal(data, before)
    assert "4 draws" in widget.controls.status.text()


def test_finer_pixels_lie_in_their_coarse_ones(restoring, finish, typed, tiny):
    """The four pixels of a block surround the centre of the one that they were, turned or not."""
    viewer, widget = restoring
    layer = viewer.add_image(
        tiny, name="a", scale=(0.5, 0.4), translate=(3, 4), rotate=TURNED, shear=[0.2],
        units=("um", "um"),
    )  # fmt: skip
    typed(widget, 5.0)
    fast(widget)
    physics(widget, "downsample", factor=2)
    widget.start()
    finish(widget)
    mean = by_role(viewer)["mean"]
    assert mean.data.shape == (48, 64)
    np.testing.assert_allclose(mean.scale, (0.25, 0.2))
    assert mean.units == layer.units
    np.testing.assert_allclose(mean.data_to_world((10.5, 20.5)), layer.data_to_world((5, 10)))
    np.testing.assert_allclose(by_role(viewer)["draws"].data_to_world((1, 10.5, 20.5))[1:],
                               layer.data_to_world((5, 10)))  # fmt: skip
    assert by_role(viewer)["std"].metadata[METADATA_KEY]["recipe"]["operator"] == "downsample:2"
    assert "ddrm: spread not calibrated" in widget.controls.status.text()
    np.testing.assert_array_equal(mean.contrast_limits, layer.contrast_limits)


def test_a_solver_gives_one_image_and_no_uncertainty(restoring, finish, typed, tiny):
    viewer, widget = restoring
    stack = np.stack([tiny, tiny[::-1]])
    viewer.add_image(stack, name="a", scale=(2, 1, 1))
    typed(widget, 5.0)
    fast(widget, "pnp")
    assert not widget.controls.fields["n_draws"].enabled
    physics(widget, "blur", GAUSSIAN, std=1.0)
    for _ in range(2):
        widget.controls.layer.value = viewer.layers["a"]
        widget.start()
        finish(widget)
    assert {layer.name for layer in viewer.layers} == {"a", "a · restored", "a · restored 2"}
    layer = viewer.layers["a · restored"]
    wanted = nc.restore(stack, "blur:gaussian,1", NOISE, method="pnp", denoiser="unet_fast")
    np.testing.assert_allclose(layer.data, wanted.estimate, rtol=1e-4, atol=1e-3)
    assert layer.metadata[METADATA_KEY]["recipe"]["operator"] == "blur:gaussian,1"
    assert "one image, no uncertainty" in widget.controls.status.text()


def test_what_reaches_beyond_the_data_begins_before_them(restoring, tiny):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a", scale=(0.5, 0.5), translate=(3, 4))
    physics(widget, "blur", GAUSSIAN, std=1.0, boundary="valid")
    asked = widget.asked()
    operator = asked.physics.answer(asked.image).operator
    seen = seen_of(parted(asked.image, operator, None), asked)
    reach = operator.psf.shape[0] // 2
    assert seen.image.shape == (24 + 2 * reach, 32 + 2 * reach)
    np.testing.assert_allclose(seen.attributes["translate"], (3 - reach / 2, 4 - reach / 2))


@pytest.mark.parametrize("solver", ["ddrm", "pnp"])
def test_a_shape_in_a_plane_is_restored_where_it_lies(solver, restoring, finish, typed, tiny):
    viewer, widget = restoring
    stack = np.stack([tiny, np.tile(tiny, (3, 3))[:24, :32][::-1]])
    layer = viewer.add_image(stack, name="a", scale=(2, 0.5, 0.4), translate=(1, 3, 4))
    corners = [
        layer.data_to_world((1, *corner)) for corner in [(-9, 5.6), (-9, 19.6), (15.6, 19.6)]
    ]
    shapes = viewer.add_shapes([np.array(corners)], shape_type="polygon", name="here")
    viewer.dims.set_point(0, layer.data_to_world((1, 0, 0))[0])
    typed(widget, 5.0)
    widget.controls.layer.value = layer
    fast(widget, solver)
    physics(widget, "downsample", factor=2)
    widget.controls.area.value = shapes
    widget.controls.planes.value = THIS_PLANE
    widget.start()
    finish(widget)
    found = viewer.layers["a · restored" if solver == "pnp" else "a · mean"]
    region = Region((1, 0, 6), (2, 16, 20))
    asked = Recipe.of(**found.metadata[METADATA_KEY]["recipe"])
    wanted = run(asked, nc.Image(stack), region=region)
    np.testing.assert_allclose(found.data, wanted.estimate, rtol=1e-5)
    assert found.data.shape == (1, 32, 28)
    place = found.data_to_world((0, 0.5, 0.5))
    np.testing.assert_allclose(place, layer.data_to_world((1, 0, 6)))
    assert found.metadata[METADATA_KEY]["region"] == {"start": (1, 0, 6), "stop": (2, 16, 20)}


def test_a_part_that_h_does_not_allow_is_refused_before_a_run(restoring, typed, tiny, qtbot):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a")
    shapes = viewer.add_shapes([[(4, 4), (4, 12), (12, 12), (12, 4)]], name="here")
    typed(widget, 5.0)
    widget.controls.layer.value = viewer.layers["a"]
    physics(widget, "radon")
    widget.controls.area.value = shapes
    told = widget.controls.plan.text
    qtbot.waitUntil(lambda: "told from the rest" in told(), timeout=60_000)
    assert "Adjoint checked" in widget.physics.found.text()
    assert widget.recipe_to_keep().operator
    physics(widget, "blur", GAUSSIAN, std=1.0)
    said = "outermost pixels"
    qtbot.waitUntil(lambda: said in widget.physics.found.text(), timeout=60_000)


def test_a_sinogram_gives_an_image_with_axes_of_its_own(restoring, finish, typed, clear, qtbot):
    viewer, widget = restoring
    data = Radon(np.arange(20) * 9.0)(clear) + 5 * np.random.default_rng(0).standard_normal(
        (32, 20)
    )
    layer = viewer.add_image(
        data.astype(np.float32), name="s", scale=(0.5, 9), units=("um", "deg"),
        axis_labels=("detector", "angle"),
    )  # fmt: skip
    fast(widget, "pnp")
    physics(widget, "radon")
    typed(widget, 5.0)
    qtbot.waitUntil(lambda: "Adjoint checked" in widget.physics.found.text(), timeout=60_000)
    assert "Data of 32 × 20 from an image of 32 × 32." in widget.physics.found.text()
    widget.start()
    finish(widget)
    found = viewer.layers["s · restored"]
    assert found.data.shape == (32, 32)
    assert found.axis_labels == ("y", "x")
    np.testing.assert_allclose(found.scale, (0.5, 0.5))
    assert [str(unit) for unit in found.units] == ["micrometer"] * 2
    assert tuple(found.contrast_limits) != tuple(layer.contrast_limits)


def test_a_mosaic_gives_three_colours(restoring, finish, typed, tiny):
    viewer, widget = restoring
    layer = viewer.add_image(tiny, name="raw", scale=(0.5, 0.5))
    typed(widget, 5.0)
    fast(widget)
    physics(widget, "bayer", pattern="GRBG")
    widget.start()
    finish(widget)
    mean = by_role(viewer)["mean"]
    assert mean.data.shape == (3, *tiny.shape)
    assert mean.axis_labels[0] == "c"
    np.testing.assert_allclose(mean.data_to_world((0, 3, 4))[1:], layer.data_to_world((3, 4)))
    assert by_role(viewer)["draws"].data.shape == (2, 3, *tiny.shape)


def test_few_measurements_give_an_image(restoring, finish, typed, clear):
    viewer, widget = restoring
    viewer.add_image(np.asarray(nc.operators.CompressedSensing(0.5, 3)(clear)), name="m")
    typed(widget, 1.0)
    fast(widget, "pnp")
    physics(widget, "cs", ratio=0.5, seed=3)
    widget.start()
    finish(widget)
    assert viewer.layers["m · restored"].data.shape == (32, 32)


# ── masks and point-spread functions ──


def test_what_is_painted_drawn_or_flagged_is_missing(restoring, tiny):
    """The mask of the question is False exactly there, for each of the three, or the reverse."""
    viewer, widget = restoring
    layer = viewer.add_image(tiny, name="a", scale=(0.5, 0.5), translate=(3, 4))
    labels = np.zeros((24, 32), dtype=np.uint8)
    labels[4:8, 5:9] = 2
    painted = viewer.add_labels(labels, name="painted", scale=(0.5, 0.5), translate=(3, 4))
    corners = [layer.data_to_world(at) for at in ((3.6, 4.6), (3.6, 8.4), (7.4, 8.4), (7.4, 4.6))]
    drawn = viewer.add_shapes([np.array(corners)], shape_type="polygon", name="drawn")
    flags = viewer.add_labels(2 * labels // 2 + 4, name="flags", metadata={"flags": {}})
    widget.controls.layer.value = layer
    physics(widget, "mask", PAINTED)
    for marks in (painted, drawn, flags):
        widget.physics.marks.choose(marks)
        asked = widget.asked()
        found = asked.physics.answer(asked.image)
        np.testing.assert_array_equal(found.operator.mask, labels == 0, err_msg=marks.name)
        assert "16 of 768 pixels" in found.words
    widget.physics.marks.choose(painted)
    widget.physics.meaning.value = "all that is seen"
    asked = widget.asked()
    np.testing.assert_array_equal(asked.physics.answer(asked.image).operator.mask, labels > 0)


def test_painting_asks_anew(restoring, qtbot, tiny):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a")
    marks = viewer.add_labels(np.zeros((24, 32), dtype=np.uint8), name="marks")
    physics(widget, "mask", PAINTED)
    widget.physics.marks.choose(marks)
    qtbot.waitUntil(lambda: "nothing is painted" in widget.physics.found.text(), timeout=60_000)
    marks.paint((5, 5), 1)
    qtbot.waitUntil(lambda: "pixels are restored" in widget.physics.found.text(), timeout=60_000)


def test_a_psf_layer_is_resampled_to_the_pixels_of_the_data(restoring, qtbot, tiny):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a", scale=(0.1, 0.1), units=("um", "um"))
    fine = Blur.gaussian(3.0).psf
    viewer.add_image(fine, name="psf", scale=(50, 50), units=("nm", "nm"))
    widget.controls.layer.value = viewer.layers["a"]
    physics(widget, "blur", LAYER)
    widget.physics.psf.choose(viewer.layers["psf"])
    qtbot.waitUntil(lambda: "PSF" in widget.physics.found.text(), timeout=60_000)
    size = psf_blur(nc.Image(fine, "YX", (50.0, 50.0), ("nanometer",) * 2)).for_pixels(
        (0.1, 0.1), "micrometer"
    ).psf.shape  # fmt: skip
    assert (
        f"PSF of 27 × 27 pixels resampled to {size[0]} × {size[1]}" in widget.physics.found.text()
    )


def test_a_file_and_a_square_are_spelled_as_on_the_command_line(restoring, tmp_path, tiny):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a")
    tifffile.imwrite(tmp_path / "psf.tif", Blur.gaussian(1.0).psf)
    physics(widget, "blur", FILE, file=tmp_path / "psf.tif", boundary="zero")
    asked = widget.asked()
    spelling = asked.physics.answer(asked.image).spelling
    assert spelling.startswith(f"blur:{tmp_path / 'psf.tif'}#sha256:")
    assert spelling.endswith(",zero")
    physics(widget, "blur", BOX, side=5, boundary="circular")
    asked = widget.asked()
    assert asked.physics.answer(asked.image).spelling == "blur:uniform,5"


def test_a_psf_is_measured_from_the_stars_once(restoring, qtbot):
    rng = np.random.default_rng(1)
    points = np.zeros((128, 128))
    points[tuple(12 + 26 * np.indices((5, 5)).reshape(2, -1))] = rng.uniform(2e4, 6e4, 25)
    frame = Blur.gaussian(1.4)(points) + 100 + 3 * rng.standard_normal(points.shape)
    viewer, widget = restoring
    viewer.add_image(frame.astype(np.float32), name="stars")
    physics(widget, "blur", STARS, size=15)
    qtbot.waitUntil(lambda: "PSF of 25 stars" in widget.physics.found.text(), timeout=60_000)
    question = widget.asked().physics
    assert question.stars is not None
    operator = question.answer(widget.asked().image).operator
    truth = Blur.gaussian(1.4).psf
    reach = truth.shape[0] // 2
    middle = slice(7 - reach, 8 + reach)
    assert np.abs(operator.psf[middle, middle] - truth).max() < 0.05 * truth.max()


# ── what is shown before ──


def test_the_simulation_is_h_of_the_layer_and_goes_again(restoring, qtbot, clear):
    viewer, widget = restoring
    layer = viewer.add_image(np.stack([clear, clear[::-1]]), name="a", scale=(1, 0.5, 0.5))
    viewer.dims.set_current_step(0, 1)
    physics(widget, "downsample", factor=4)
    widget.controls.preview.value = True
    qtbot.waitUntil(lambda: bool(temporary(viewer)), timeout=60_000)
    shown = temporary(viewer)[0]
    assert shown.name == "a · simulated"
    np.testing.assert_allclose(shown.data[0], Downsample(4)(clear[::-1]), rtol=1e-5)
    np.testing.assert_allclose(shown.data_to_world((0, 2, 3)), layer.data_to_world((1, 9.5, 13.5)))
    physics(widget, "radon", count=10)
    qtbot.waitUntil(
        lambda: any(each.data.shape == (1, 32, 10) for each in temporary(viewer)), timeout=60_000
    )
    shown = temporary(viewer)[0]
    assert shown.axis_labels[1:] == ("detector", "angle")
    np.testing.assert_allclose(shown.data[0], Radon(np.arange(10) * 18.0)(clear[::-1]), rtol=1e-4)
    widget.controls.preview.value = False
    assert list(viewer.layers) == [layer]


def test_a_colour_layer_is_seen_through_a_bayer_filter(restoring, qtbot):
    viewer, widget = restoring
    picture = np.random.default_rng(0).integers(0, 255, (16, 18, 3)).astype(np.uint8)
    viewer.add_image(picture, rgb=True, name="a")
    physics(widget, "bayer")
    widget.controls.preview.value = True
    qtbot.waitUntil(lambda: bool(temporary(viewer)), timeout=60_000)
    shown = temporary(viewer)[0]
    assert not shown.rgb
    np.testing.assert_allclose(shown.data[::2, ::2], picture[::2, ::2, 0])
    np.testing.assert_allclose(shown.data[1::2, ::2], picture[1::2, ::2, 1])


def test_the_plan_and_the_check_are_said_before(restoring, qtbot, tiny):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a")
    physics(widget, "downsample", factor=2)
    qtbot.waitUntil(lambda: "2 draws" in widget.controls.plan.text(), timeout=60_000)
    assert "1 plane of 48 × 64" in widget.controls.plan.text()
    assert "Data of 24 × 32 from an image of 48 × 64." in widget.physics.found.text()
    assert "norm 0.5" in widget.physics.found.text()


# ── elsewhere ──


def test_python_command_and_recipe_give_the_result_again(
    restoring, finish, typed, tiny, tmp_path, qtbot, monkeypatch
):
    from napari_credible.__main__ import main

    viewer, widget = restoring
    nc.write(tmp_path / "in.tif", nc.Image(tiny))
    viewer.open(tmp_path / "in.tif", plugin="napari-credible")
    typed(widget, 5.0)
    fast(widget)
    physics(widget, "downsample", factor=2)
    with pytest.raises(ValueError, match="still being looked at"):
        widget.recipe_to_keep()
    qtbot.waitUntil(lambda: "Adjoint checked" in widget.physics.found.text(), timeout=60_000)
    widget.actions.save_recipe(str(tmp_path / "r.json"))
    kept = Recipe.from_json((tmp_path / "r.json").read_text())
    assert (kept.operator, kept.solver, kept.noise) == ("downsample:2", "ddrm", NOISE)
    widget.start()
    finish(widget)
    mean = by_role(viewer)["mean"]
    viewer.layers.selection.active = mean
    widget.actions.copy_python()
    script = QApplication.clipboard().text()
    assert "nc.restore(image, 'downsample:2', nc.Gaussian(sigma=5.0), " in script
    exec(script, {})
    again = nc.read(tmp_path / "in-restored.ome.tif")
    np.testing.assert_array_equal(again.array, mean.data)
    (tmp_path / "in-restored.ome.tif").unlink()
    widget.actions.copy_command()
    words = QApplication.clipboard().text().split()
    with pytest.raises(SystemExit) as ended:
        main(words[1:])
    assert not ended.value.code
    np.testing.assert_array_equal(nc.read(tmp_path / "in-restored.ome.tif").array, mean.data)


def test_a_painted_mask_travels_in_the_recipe(restoring, finish, typed, tiny):
    viewer, widget = restoring
    viewer.add_image(tiny, name="a")
    labels = np.zeros((24, 32), dtype=np.uint8)
    labels[4:8, 5:9] = 1
    marks = viewer.add_labels(labels, name="marks")
    widget.controls.layer.value = viewer.layers["a"]
    typed(widget, 5.0)
    fast(widget, "pnp")
    physics(widget, "mask", PAINTED)
    widget.physics.marks.choose(marks)
    widget.start()
    viewer.layers.remove(marks)
    finish(widget)
    layer = viewer.layers["a · restored"]
    recipe = Recipe.of(**layer.metadata[METADATA_KEY]["recipe"])
    np.testing.assert_allclose(run(recipe, nc.Image(tiny)).estimate, layer.data, atol=1e-3)
    viewer.layers.selection.active = layer
    with pytest.raises(ValueError, match="save the recipe"):
        widget.actions.copy_command()
    other = viewer.add_image(2 * tiny, name="b")
    viewer.layers.selection.active = layer
    widget.actions.other_layers([other])
    finish(widget)
    np.testing.assert_allclose(
        viewer.layers["b · restored"].data, run(recipe, nc.Image(2 * tiny)).estimate, atol=1e-3
    )


def test_doubtful_pixels_are_handed_over_from_denoise(opened, finish, typed, tiny):
    viewer, denoise = opened
    denoise.controls.fields["denoiser"].value = "unet_fast"
    layer = viewer.add_image(tiny, name="fine")
    typed(denoise, 5.0)
    denoise.start()
    finish(denoise)
    assert not denoise.controls.inpaint.visible
    spoilt = tiny.copy()
    spoilt[3:6, 4:8] = np.nan
    layer = viewer.add_image(spoilt, name="spoilt")
    denoise.controls.layer.value = layer
    denoise.start()
    finish(denoise)
    denoise.controls.inpaint.native.click()
    _, restore = viewer.window.add_plugin_dock_widget("napari-credible", "Restore")
    assert restore.controls.layer.value is layer
    assert (restore.physics.kind, restore.physics.source()) == ("mask", ITSELF)
    asked = restore.asked()
    assert "12 of 768 pixels are restored" in asked.physics.answer(asked.image).words
    viewer.layers.remove(layer)
    denoise.controls.inpaint.native.click()
    assert "gone" in denoise.controls.status.text()
    restore.close()


# ── what goes wrong ──


def psf_of(array):
    def choose(viewer, widget):
        viewer.add_image(array, name="psf")
        widget.controls.layer.value = viewer.layers["a"]
        physics(widget, "blur", LAYER)
        widget.physics.psf.choose(viewer.layers["psf"])

    return choose


def marks_of(array):
    def choose(viewer, widget):
        viewer.add_layer(Labels(array, name="marks"))
        widget.controls.layer.value = viewer.layers["a"]
        physics(widget, "mask", PAINTED)
        widget.physics.marks.choose(viewer.layers["marks"])

    return choose


def chosen(kind, source=None, **values):
    return lambda viewer, widget: physics(widget, kind, source, **values)


BAD = {
    "no PSF": (chosen("blur", LAYER), "no point-spread function is chosen"),
    "no mask": (chosen("mask", PAINTED), "no mask is chosen"),
    "no file": (chosen("blur", FILE), "no file is chosen"),
    "missing file": (chosen("blur", FILE, file="/nowhere/psf.tif"), "there is no file"),
    "PSF not finite": (psf_of(np.full((5, 5), np.nan)), "not finite"),
    "PSF zero": (psf_of(np.zeros((5, 5))), "zero everywhere"),
    "PSF too large": (psf_of(np.ones((64, 64))), "and the image"),
    "PSF of several planes": (psf_of(np.ones((2, 5, 5))), "the PSF has shape"),
    "mask empty": (marks_of(np.zeros((24, 32), np.uint8)), "nothing is painted"),
    "mask full": (marks_of(np.ones((24, 32), np.uint8)), "nothing is seen"),
    "mask of another size": (marks_of(np.ones((8, 8), np.uint8)), "planes of"),
    "angles": (chosen("radon", count=7), "angles"),
    "even square": (chosen("blur", BOX, side=4), "odd"),
    "few stars": (chosen("blur", STARS, size=5), "stars"),
}


def test_bad_physics_are_one_notification_and_no_layer(restoring, finish, typed, tiny, warned):
    """One sentence each, by the first of worker and window that can tell."""
    viewer, widget = restoring
    for name, (act, words) in BAD.items():
        viewer.layers.clear()
        viewer.add_image(tiny, name="a")
        typed(widget, 5.0)
        act(viewer, widget)
        widget._stop("plan")
        count, before = len(viewer.layers), len(warned)
        widget.start()
        finish(widget)
        assert len(warned) == before + 1, name
        assert words in warned[-1], name
        assert len(warned[-1].splitlines()) == 1, name
        assert len(viewer.layers) == count, name
        assert widget.controls.run.enabled, name


def test_noise_that_cannot_be_measured_is_asked_for(restoring, finish, warned, clear):
    viewer, widget = restoring
    viewer.add_image(np.asarray(Radon(np.arange(10) * 18.0)(clear)), name="s")
    physics(widget, "radon")
    widget.start()
    finish(widget)
    assert "no picture whose noise can be measured" in warned[0]
    assert len(viewer.layers) == 1


# ── while it runs ──


@pytest.fixture
def busy(restoring, qtbot, typed, clear):
    """A run of many draws with its first maps shown."""
    viewer, widget = restoring
    layer = viewer.add_image(clear, name="a")
    typed(widget, 5.0)
    fast(widget)
    widget.controls.fields["n_draws"].value = 50_000
    widget.controls.fields["memory"].value = "0.01"  # a draw at a time
    physics(widget, "downsample", factor=2)
    widget.start()
    qtbot.waitUntil(lambda: len(by_role(viewer)) == 4, timeout=90_000)
    return viewer, widget, layer


def test_stop_keeps_the_draws_that_are_done(busy, finish):
    viewer, widget, layer = busy
    viewer.layers.remove(layer)
    widget.cancel()
    finish(widget, seconds=20)
    posterior = family_of(by_role(viewer)["std"]).posterior
    assert 2 <= posterior.n_draws < 50_000
    assert "Stopped after" in widget.controls.status.text()


def test_closing_the_dock_is_clean(busy, qtbot):
    viewer, widget, _ = busy
    count = len(viewer.layers)
    widget.close()
    assert not widget.jobs
    qtbot.wait(300)
    assert len(viewer.layers) == count


_OPENED = """
import sys
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari_credible.gui.restore_widget import RestoreWidget
widget = RestoreWidget(ViewerModel())
for kind in ("blur", "downsample", "bayer", "radon", "cs"):
    widget.physics.operator.value = kind
assert "torch" not in sys.modules
widget.close()
"""


def test_opening_it_imports_no_torch():
    subprocess.run([sys.executable, "-c", _OPENED], check=True)
