"""The Sample posterior widget in a real napari window: maps while it draws, and what stays."""

import gc
import threading
from copy import deepcopy

import numpy as np
import pytest
from napari.layers import Image as ImageLayer
from qtpy.QtWidgets import QApplication

import napari_credible as nc
from napari_credible import plan
from napari_credible.composite import composite
from napari_credible.gui.area import THIS_PLANE, VIEW
from napari_credible.gui.family import ROLES, Family, family_of, role_of
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.picture import LEGEND_KEY
from napari_credible.gui.placing import with_samples
from napari_credible.gui.preview import PREVIEW_KEY
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run
from napari_credible.stored import Stored

TURNED = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
PLACE = {
    "scale": (2.0, 0.5, 0.5), "translate": (1.0, 3.0, 4.0), "rotate": TURNED,
    "shear": (0.0, 0.0, 0.2), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x"),
}  # fmt: skip
# More than are ever drawn here.
MANY = 20_000


def by_role(viewer):
    return {role_of(layer): layer for layer in viewer.layers if role_of(layer)}


def recipe(**changes):
    sigma = nc.Gaussian(5.0)
    return Recipe(method="sample", denoiser="unet_fast", n_draws=3, noise=sigma).replace(**changes)


@pytest.fixture
def sampled(sampling, finish, typed, small):
    """A plane that was sampled, with an exceedance."""
    viewer, widget = sampling
    layer = viewer.add_image(small, name="a", scale=(0.5, 0.5), units=("um", "um"))
    typed(widget, 5.0)
    widget.controls.fields["threshold"].value = "60"
    widget.start()
    finish(widget)
    return viewer, widget, layer


@pytest.fixture
def drawing(sampling, qtbot, typed, small, monkeypatch):
    """A run of many draws, two at once, of which some are done and shown."""
    monkeypatch.setattr(plan, "_FULL_CPU", 2 * small.size)
    viewer, widget = sampling
    layer = viewer.add_image(small, name="a")
    typed(widget, 5.0)
    widget.controls.fields["n_draws"].value = MANY
    widget.start()
    qtbot.waitUntil(lambda: "std" in by_role(viewer), timeout=90_000)
    return viewer, widget, layer


def test_a_time_series_from_layer_to_maps_and_draws(sampling, finish, typed, small):
    """Every map is that of the core, where its input is; the input is untouched."""
    viewer, widget = sampling
    stack = np.stack([small, small[::-1]])
    before = stack.copy()
    layer = viewer.add_image(
        stack, name="a", colormap="magma", contrast_limits=(0, 90), gamma=0.7, **PLACE
    )
    typed(widget, 5.0)
    widget.controls.fields["threshold"].value = "60"
    widget.controls.run.native.click()
    assert not widget.controls.run.enabled
    finish(widget)
    wanted = run(recipe(threshold=60.0), nc.Image(stack, "TYX"))
    found = by_role(viewer)
    assert set(found) == set(ROLES) - {"composite"}
    maps = {"mean": wanted.estimate, "draws": wanted.posterior.draws, **wanted.maps}
    for role, each in maps.items():
        np.testing.assert_array_equal(found[role].data, each, err_msg=role)
        assert found[role].name == f"a · {role}"
        corner = (0,) * (found[role].ndim - 3)
        for pixel in ((0, 0, 0), (1, 7, 11)):
            world = found[role].data_to_world((*corner, *pixel))[-3:]
            np.testing.assert_allclose(world, layer.data_to_world(pixel))
        assert tuple(map(str, found[role].units[-3:])) == tuple(map(str, layer.units))
        assert found[role].metadata[METADATA_KEY]["recipe"] == wanted.record()["recipe"]
        assert family_of(found[role]) is family_of(found["mean"])
    assert found["draws"].axis_labels == ("sample", "t", "y", "x")
    assert viewer.dims.axis_labels[0] == "sample"
    family = family_of(found["std"])
    np.testing.assert_array_equal(family.posterior.std, wanted.posterior.std)
    assert family.roles["input"] is layer
    assert family.roles["std"] is found["std"]
    np.testing.assert_array_equal(layer.data, before)
    assert "more draws for 5 %" in widget.controls.status.text()
    assert widget.controls.run.enabled


def test_draws_are_scrolled_contrast_is_linked_and_names_are_unique(sampled, finish):
    viewer, widget, layer = sampled
    found = by_role(viewer)
    found["draws"].visible = True
    for number in (0, 2):
        viewer.dims.set_current_step(0, number)
        np.testing.assert_array_equal(found["draws"]._data_view, found["draws"].data[number])
    found["lower"].contrast_limits = (3, 30)
    for each in (layer, found["mean"], found["upper"], found["draws"]):
        np.testing.assert_array_equal(each.contrast_limits, (3, 30))
    assert found["exceedance"].contrast_limits == [0, 1]
    assert found["std"].contrast_limits[0] == 0
    assert list(widget.controls.layer.choices) == [layer]
    viewer.layers.selection.active = layer
    widget.start()
    finish(widget)
    names = [each.name for each in viewer.layers]
    assert len(set(names)) == len(names) == 13
    assert "a · mean 2" in names


def test_a_shape_chooses_the_part(sampling, finish, typed, small):
    viewer, widget = sampling
    stack = np.stack([small, small[::-1]])
    layer = viewer.add_image(stack, name="a", **PLACE)
    corners = [layer.data_to_world((1, row, column)) for row, column in
               ((9.5, 19.5), (9.5, 49.5), (33.5, 49.5), (33.5, 19.5))]  # fmt: skip
    shapes = viewer.add_shapes(
        [np.array(corners)], shape_type="polygon", name="here", units=layer.units
    )
    viewer.dims.set_point(0, layer.data_to_world((1, 0, 0))[0])
    typed(widget, 5.0)
    widget.controls.layer.value = layer
    widget.controls.area.value = shapes
    widget.controls.planes.value = THIS_PLANE
    widget.start()
    finish(widget)
    region = Region((1, 10, 20), (2, 34, 50))
    wanted = run(recipe(), nc.Image(stack, "TYX"), region=region)
    found = by_role(viewer)
    np.testing.assert_array_equal(found["std"].data, wanted.posterior.std)
    np.testing.assert_allclose(
        found["std"].data_to_world((0, 3, 5)), layer.data_to_world((1, 13, 25))
    )
    np.testing.assert_array_equal(family_of(found["std"]).result.source.array, stack[region.slices])
    shapes.data = []
    widget.start()
    assert "draw a rectangle" in widget.controls.status.text()


def test_what_is_in_view_is_sampled_or_mapped_at_once(sampling, finish, typed, small, qtbot):
    viewer, widget = sampling
    layer = viewer.add_image(small, name="a", scale=(0.5, 0.5))
    layer.corner_pixels = np.array([[0, 0], [47, 63]])
    typed(widget, 5.0)
    widget.controls.preview.value = True

    def maps():
        return [each for each in viewer.layers if PREVIEW_KEY in each.metadata]

    qtbot.waitUntil(lambda: bool(maps()), timeout=60_000)
    wanted = run(recipe(method="spread"), nc.Image(small), region=Region((0, 0), small.shape))
    np.testing.assert_array_equal(maps()[0].data, wanted.posterior.std)
    assert maps()[0].name == "a · quick std"
    assert viewer.layers[-1] is maps()[0]
    layer.contrast_limits = (3, 30)
    assert maps()[0].contrast_limits[0] == 0
    widget.controls.preview.value = False
    assert not maps()
    layer.data = np.tile(small, (4, 3))
    layer.corner_pixels = np.array([[50, 40], [120, 150]])
    widget.controls.area.value = VIEW
    widget.start()
    finish(widget)
    found = by_role(viewer)["mean"]
    np.testing.assert_array_equal(found.data_to_world((0, 0)), layer.data_to_world((50, 40)))
    assert found.data.shape == (71, 111)


def test_colours_are_sampled_in_colour(sampling, finish, small):
    viewer, widget = sampling
    picture = np.clip(np.stack([small, small, small[::-1]], axis=-1) + 20, 0, 255).astype(np.uint8)
    viewer.add_image(picture, name="rgb", rgb=True)
    widget.controls.fields["threshold"].value = "60"
    widget.start()
    finish(widget)
    found = by_role(viewer)
    assert found["mean"].rgb
    assert found["draws"].rgb
    assert found["draws"].data.shape == (3, *picture.shape)
    assert found["draws"].data.dtype == np.uint8
    std = family_of(found["std"]).posterior.std
    np.testing.assert_allclose(found["std"].data, np.sqrt(np.mean(np.square(std), axis=-1)))
    assert found["exceedance"].data.shape == picture.shape[:2]
    widget.picture.compose()
    assert "this image has colours" in widget.controls.status.text()


# ── while it runs ──


def test_the_maps_grow_and_stop_keeps_what_is_done(drawing, finish, qtbot):
    viewer, widget, _ = drawing
    first = by_role(viewer)["std"].data
    assert np.isfinite(first).all()
    qtbot.waitUntil(lambda: by_role(viewer)["std"].data is not first, timeout=30_000)
    widget.controls.cancel.native.click()
    assert "Stopping" in widget.controls.status.text()
    finish(widget, seconds=10)
    posterior = family_of(by_role(viewer)["std"]).posterior
    assert 2 <= posterior.n_draws < MANY
    assert f"Stopped after {posterior.n_draws} of {MANY} draws" in widget.controls.status.text()
    np.testing.assert_array_equal(by_role(viewer)["std"].data, posterior.std)
    assert by_role(viewer)["draws"].data.shape[0] == posterior.n_draws


def test_layers_and_input_may_be_removed(drawing, finish):
    """A map that is removed does not come back; without the input the maps stay linked."""
    viewer, widget, layer = drawing
    viewer.layers.remove(by_role(viewer)["lower"])
    viewer.layers.remove(layer)
    widget.cancel()
    finish(widget)
    found = by_role(viewer)
    assert set(found) == {"mean", "std", "upper", "draws"}
    found["mean"].contrast_limits = (3, 30)
    np.testing.assert_array_equal(found["draws"].contrast_limits, (3, 30))


def test_stop_twice_keeps_nothing_and_without_layers_it_stops(drawing, qtbot):
    viewer, widget, layer = drawing
    widget.cancel()
    widget.cancel()
    assert not widget.jobs
    assert list(viewer.layers) == [layer]
    assert widget.controls.status.text() == "Stopped; nothing was added."
    widget.start()
    qtbot.waitUntil(lambda: "std" in by_role(viewer), timeout=90_000)
    for each in list(by_role(viewer).values()):
        viewer.layers.remove(each)
    assert not widget.jobs
    assert "layers were removed" in widget.controls.status.text()
    qtbot.wait(500)
    assert list(viewer.layers) == [layer]
    assert widget.controls.run.enabled


def test_nothing_is_added_before_two_draws_or_by_an_error(sampling, finish, typed, scene, qtbot):
    viewer, widget = sampling
    viewer.add_image(np.zeros((64, 64)), name="empty")
    widget.start()
    finish(widget)
    assert "no noise to measure" in widget.controls.status.text()
    assert widget.controls.run.enabled
    widget.controls.layer.value = viewer.add_image(100 * scene, name="a")
    typed(widget, 5.0)
    widget.start()
    qtbot.waitUntil(lambda: "drawing" in widget.controls.status.text(), timeout=90_000)
    widget.cancel()
    finish(widget, seconds=30)
    assert [each.name for each in viewer.layers] == ["empty", "a"]
    assert widget.controls.status.text() == "Stopped; nothing was added."


def test_closing_the_dock_while_sampling_is_clean(drawing, qtbot):
    viewer, widget, _ = drawing
    count = len(viewer.layers)
    widget.close()
    assert not widget.jobs
    qtbot.wait(500)
    assert len(viewer.layers) == count
    viewer.layers.clear()


def test_closing_the_viewer_while_sampling_is_clean(drawing, qtbot):
    viewer, widget, _ = drawing
    widget.close()
    viewer.close()
    qtbot.waitUntil(lambda: threading.active_count() < 20, timeout=10_000)


# ── what stays ──


def test_draws_on_disk_are_scrolled_and_go_with_their_layers(
    sampling, finish, typed, small, tmp_path, monkeypatch, qtbot
):
    monkeypatch.setattr("napari_credible.gui.sample_widget.scratch_folder", lambda: str(tmp_path))
    viewer, widget = sampling
    viewer.add_image(small, name="a")
    typed(widget, 5.0)
    widget.controls.fields["keep"].value = "disk"
    widget.start()
    finish(widget)
    found = by_role(viewer)
    assert isinstance(found["draws"].data, Stored)
    assert list(tmp_path.iterdir())
    wanted = run(recipe(), nc.Image(small))
    found["draws"].visible = True
    viewer.dims.set_current_step(0, 2)
    np.testing.assert_array_equal(found["draws"]._data_view, wanted.posterior.draws[2])
    np.testing.assert_array_equal(family_of(found["std"]).posterior.std, wanted.posterior.std)
    np.testing.assert_array_equal(found["upper"].data, wanted.maps["upper"])
    data, state, kind = found["mean"].as_layer_data_tuple()
    twin = ImageLayer.create(data, deepcopy(state), kind)
    assert family_of(twin) is family_of(found["mean"])
    del found, twin, state
    viewer.layers.clear()
    qtbot.waitUntil(lambda: gc.collect() is not None and not list(tmp_path.iterdir()), timeout=9000)
    assert not [each for each in gc.get_objects() if type(each) is Family]


def test_only_the_maps_are_kept_where_asked_of_other_layers_too(sampling, finish, typed, small):
    viewer, widget = sampling
    viewer.add_image(small, name="a")
    typed(widget, 5.0)
    widget.controls.fields["keep"].value = "maps"
    widget.start()
    finish(widget)
    assert set(by_role(viewer)) == {"mean", "std", "lower", "upper"}
    other = viewer.add_image(2 * small, name="b")
    widget.actions.other_layers([other])
    finish(widget)
    wanted = run(recipe(), nc.Image(2 * small))
    np.testing.assert_allclose(viewer.layers["b · std"].data, wanted.posterior.std, rtol=1e-4)
    assert "Added 4 layers" in widget.controls.status.text()


# ── what is looked at beside ──


def test_the_composite_and_its_legend_say_the_same(sampled, finish):
    viewer, widget, layer = sampled
    layer.contrast_limits = (10, 80)
    widget.picture.compose()
    finish(widget)
    found = by_role(viewer)
    family = family_of(found["mean"])
    scale = found["composite"].metadata[LEGEND_KEY]
    assert scale.value == (10, 80)
    wanted = composite(family.result.estimate, family.posterior.std, scale.value, scale.std)
    np.testing.assert_array_equal(found["composite"].data, wanted)
    assert found["composite"].rgb
    assert family_of(found["composite"]) is family
    np.testing.assert_array_equal(found["composite"].scale, layer.scale)
    low, high, sure, unsure = widget.picture.legend.words()
    assert (low, high) == ("10", "80")
    assert (sure, unsure) == (f"±{scale.std[0]:.3g}", f"±{scale.std[1]:.3g}")


def test_contours_lie_around_what_is_probably_bright_and_python_says_how(sampled, finish, tmp_path):
    viewer, widget, layer = sampled
    widget.picture.probability.value = 0.6
    widget.picture.outline()
    finish(widget)
    lines = viewer.layers["P(light > 60) = 0.6"]
    np.testing.assert_array_equal(lines.scale, layer.scale)
    probability = by_role(viewer)["exceedance"].data
    assert len(lines.data) > 0
    for line in lines.data:
        rows, columns = np.floor(line).astype(int).T
        near = np.stack([probability[np.minimum(rows + i, 47), np.minimum(columns + j, 63)]
                         for i in (0, 1) for j in (0, 1)])  # fmt: skip
        assert (near.max(axis=0) >= 0.6).all()
    widget.controls.fields["threshold"].value = "5000"
    widget.picture.outline()
    finish(widget)
    assert "Nowhere" in widget.controls.status.text()
    widget.controls.fields["threshold"].value = "60"
    viewer.layers.selection.active = by_role(viewer)["std"]
    widget.actions.copy_python()
    assert "threshold" in QApplication.clipboard().text()
    widget.actions.save_recipe(str(tmp_path / "r.json"))
    assert Recipe.from_json((tmp_path / "r.json").read_text()) == recipe(threshold=60.0)
    widget.actions.copy_command()
    assert "napari-credible sample" in QApplication.clipboard().text()
    viewer.layers.selection.active = viewer.layers["a"]
    widget.controls.area.value = VIEW
    widget.actions.copy_python()
    assert "region=Region(" in QApplication.clipboard().text()


def test_plan_and_sampler_are_said_before(sampling, qtbot, small):
    viewer, widget = sampling
    viewer.add_image(np.stack([small] * 4), name="a")
    qtbot.waitUntil(lambda: "3 draws" in widget.controls.plan.text(), timeout=60_000)
    assert "12 evaluations each: 4 planes of 48 × 64" in widget.controls.plan.text()
    widget.controls.planes.value = THIS_PLANE
    qtbot.waitUntil(lambda: "1 plane of 48 × 64" in widget.controls.plan.text(), timeout=60_000)
    widget.controls.fields["sampler"].value = "langevin"
    assert "the lecture's, not exact" in widget.controls.about.text()
    widget.picture.compose()
    assert "press Sample first" in widget.controls.status.text()


def test_an_axis_is_put_in_front_of_any_transform():
    sheared = ImageLayer(np.zeros((4, 5, 6)), **PLACE, affine=np.diag([2.0, 1.0, 3.0, 1.0]))
    state = sheared.as_layer_data_tuple()[1]
    names = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    longer = with_samples({name: state[name] for name in names})
    draws = ImageLayer(np.zeros((3, 4, 5, 6)), **longer)
    for pixel in ((0, 0, 0), (3, 1, 2)):
        np.testing.assert_allclose(
            draws.data_to_world((2, *pixel)), (2, *sheared.data_to_world(pixel))
        )
