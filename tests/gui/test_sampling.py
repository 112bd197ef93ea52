"""The Sample posterior widget in a real napari window: maps while it draws, and what stays."""

import gc
import threading

import numpy as np
import pytest
from napari.layers import Image as ImageLayer
from qtpy.QtWidgets import QApplication

import napari_credible as nc
from napari_credible.composite import composite
from napari_credible.gui.family import ROLES, Family, family_of, role_of
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.picture import LEGEND_KEY
from napari_credible.gui.placing import with_samples
from napari_credible.gui.preview import PREVIEW_KEY
from napari_credible.gui.sample_controls import THIS_PLANE, VIEW
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run
from napari_credible.stored import Stored

TURNED = [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
PLACE = {
    "scale": (2.0, 0.5, 0.5), "translate": (1.0, 3.0, 4.0), "rotate": TURNED, "shear": (0.0, 0.0, 0.2),
    "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x"),
}  # fmt: skip
MAPS = ("mean", "std", "lower", "upper", "exceedance")


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
def drawing(sampling, qtbot, typed, scene):
    """A run of many draws, of which some are done and shown."""
    viewer, widget = sampling
    layer = viewer.add_image(100 * scene[:128, :128], name="a")
    typed(widget, 5.0)
    widget.controls.fields["n_draws"].value = 2000
    widget.start()
    qtbot.waitUntil(lambda: "std" in by_role(viewer), timeout=90_000)
    return viewer, widget, layer


def test_a_time_series_from_layer_to_maps_and_draws(sampling, finish, typed, small):
    """Every map is that of the core, where its input is, with the recipe; the input is untouched."""
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


def test_the_slider_goes_through_the_draws(sampled):
    viewer, _, _ = sampled
    draws = by_role(viewer)["draws"]
    draws.visible = True
    for number in (0, 2):
        viewer.dims.set_current_step(0, number)
        np.testing.assert_array_equal(draws._data_view, draws.data[number])


def test_contrast_is_linked_among_what_shows_light(sampled):
    viewer, _, layer = sampled
    found = by_role(viewer)
    found["lower"].contrast_limits = (3, 30)
    for each in (layer, found["mean"], found["upper"], found["draws"]):
        np.testing.assert_array_equal(each.contrast_limits, (3, 30))
    assert found["exceedance"].contrast_limits == [0, 1]
    assert found["std"].contrast_limits[0] == 0


def test_names_are_unique_and_results_are_no_inputs(sampled, finish):
    viewer, widget, layer = sampled
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
    shapes = viewer.add_shapes([np.array(corners)], shape_type="polygon", name="here")
    viewer.dims.set_current_step(0, 1)
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


def test_what_is_in_view_is_sampled(sampling, finish, typed, small):
    viewer, widget = sampling
    viewer.add_image(np.tile(small, (4, 3)), name="a")
    getattr(viewer, "scene", viewer).camera.zoom *= 3
    typed(widget, 5.0)
    widget.controls.area.value = VIEW
    widget.start()
    finish(widget)
    found = by_role(viewer)["mean"]
    assert 64 <= found.data.shape[0] < 192
    start = np.round(found.translate).astype(int)
    assert (start > 0).all()


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
    assert 2 <= posterior.n_draws < 2000
    assert f"Stopped after {posterior.n_draws} of 2000 draws" in widget.controls.status.text()
    np.testing.assert_array_equal(by_role(viewer)["std"].data, posterior.std)
    assert by_role(viewer)["draws"].data.shape[0] == posterior.n_draws


def test_stop_twice_keeps_nothing(drawing):
    viewer, widget, layer = drawing
    widget.cancel()
    widget.cancel()
    assert not widget.jobs
    assert list(viewer.layers) == [layer]
    assert widget.controls.status.text() == "Stopped; nothing was added."


def test_stop_before_two_draws_adds_nothing(sampling, finish, typed, scene, qtbot):
    viewer, widget = sampling
    layer = viewer.add_image(100 * scene, name="a")
    typed(widget, 5.0)
    widget.start()
    qtbot.waitUntil(lambda: "drawing" in widget.controls.status.text(), timeout=90_000)
    widget.cancel()
    finish(widget, seconds=20)
    assert list(viewer.layers) == [layer]
    assert widget.controls.status.text() == "Stopped; nothing was added."


def test_removing_the_layers_stops_it(drawing, qtbot):
    viewer, widget, layer = drawing
    for each in list(by_role(viewer).values()):
        viewer.layers.remove(each)
    assert not widget.jobs
    assert "layers were removed" in widget.controls.status.text()
    qtbot.wait(500)
    assert list(viewer.layers) == [layer]
    assert widget.controls.run.enabled


def test_one_layer_that_is_removed_does_not_come_back(drawing, finish):
    viewer, widget, _ = drawing
    viewer.layers.remove(by_role(viewer)["lower"])
    widget.cancel()
    finish(widget)
    assert set(by_role(viewer)) == {"mean", "std", "upper", "draws"}


def test_the_input_may_be_removed(drawing, finish):
    viewer, widget, layer = drawing
    viewer.layers.remove(layer)
    widget.cancel()
    finish(widget)
    assert set(by_role(viewer)) == {"mean", "std", "lower", "upper", "draws"}
    found = by_role(viewer)
    found["mean"].contrast_limits = (3, 30)
    np.testing.assert_array_equal(found["draws"].contrast_limits, (3, 30))


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


def test_an_error_is_said_and_leaves_no_layers(sampling, finish):
    viewer, widget = sampling
    viewer.add_image(np.zeros((64, 64)), name="empty")
    widget.start()
    finish(widget)
    assert "no noise to measure" in widget.controls.status.text()
    assert len(viewer.layers) == 1
    assert widget.controls.run.enabled


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
    del found
    viewer.layers.clear()
    qtbot.waitUntil(lambda: gc.collect() is not None and not list(tmp_path.iterdir()), timeout=5000)


def test_only_layers_hold_the_draws(sampled, qtbot):
    viewer, _, _ = sampled
    assert any(isinstance(each, Family) for each in gc.get_objects())
    viewer.layers.clear()
    qtbot.wait(300)
    gc.collect()
    ours = [each for each in gc.get_objects() if isinstance(each, Family)]
    holders = [r for f in ours for r in gc.get_referrers(f) if r is not ours]
    assert not [r for r in holders if str(type(r).__module__).startswith("napari_credible")]


def test_a_duplicate_shares_the_posterior(sampled):
    viewer, _, _ = sampled
    mean = by_role(viewer)["mean"]
    from copy import deepcopy

    data, state, kind = mean.as_layer_data_tuple()
    twin = ImageLayer.create(data, deepcopy(state), kind)
    assert family_of(twin) is family_of(mean)


def test_only_the_maps_are_kept_where_asked(sampling, finish, typed, small):
    viewer, widget = sampling
    viewer.add_image(small, name="a")
    typed(widget, 5.0)
    widget.controls.fields["keep"].value = "maps"
    widget.start()
    finish(widget)
    assert set(by_role(viewer)) == {"mean", "std", "lower", "upper"}


# ── what is looked at beside ──


def test_the_quick_map_is_the_spread_of_the_view(sampling, qtbot, typed, small):
    viewer, widget = sampling
    layer = viewer.add_image(small, name="a", scale=(0.5, 0.5))
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


def test_contours_lie_around_what_is_probably_bright(sampled, finish):
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


def test_without_a_posterior_the_picture_says_what_to_do(sampling, small):
    viewer, widget = sampling
    viewer.add_image(small, name="a")
    widget.picture.compose()
    assert "press Sample first" in widget.controls.status.text()


def test_python_of_a_result_is_copied_with_its_region(sampled, tmp_path):
    viewer, widget, _ = sampled
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


def test_other_layers_are_sampled_too(sampled, finish, small):
    viewer, widget, _ = sampled
    other = viewer.add_image(2 * small, name="b")
    widget.actions.other_layers([other])
    finish(widget)
    wanted = run(recipe(threshold=60.0), nc.Image(2 * small))
    np.testing.assert_array_equal(viewer.layers["b · std"].data, wanted.posterior.std)


def test_the_plan_and_the_sampler_are_said_before(sampling, qtbot, small):
    viewer, widget = sampling
    viewer.add_image(np.stack([small] * 4), name="a")
    qtbot.waitUntil(lambda: "3 draws" in widget.controls.plan.text(), timeout=60_000)
    assert "12 evaluations each: 4 planes of 48 × 64" in widget.controls.plan.text()
    widget.controls.planes.value = THIS_PLANE
    qtbot.waitUntil(lambda: "1 plane of 48 × 64" in widget.controls.plan.text(), timeout=60_000)
    widget.controls.fields["sampler"].value = "langevin"
    assert "the lecture's, not exact" in widget.controls.about.text()


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
