"""The Uncertainty inspector on real draws in a real window."""

import dataclasses
from types import SimpleNamespace

import napari
import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

import napari_credible as nc
from napari_credible.answers import Question
from napari_credible.gui.chart import Colours
from napari_credible.gui.family import DRAWS, LOWER, MEAN, UPPER, Family, family_of
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.preview import PREVIEW_KEY
from napari_credible.gui.vary import moved
from napari_credible.posterior import Posterior
from napari_credible.readout import interval, probability, shown
from napari_credible.shapes import Shape

SHAPE = (3, 40, 50)
TURNED = {
    "scale": (2.0, 0.5, 0.5),
    "translate": (1.0, 20.0, -7.0),
    "rotate": [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]],
}


def prior(x, sigma):
    """The posterior mean of pixels that are normal around 0: a fast, exact denoiser."""
    return x / (1 + sigma**2)


@pytest.fixture(scope="session")
def drawn():
    """A stack of three planes with 24 draws; two lines of it are bright."""
    rng = np.random.default_rng(1)
    clean = rng.normal(100, 4, SHAPE)
    clean[:, 10:20, 10:20] += 12
    image = nc.Image(
        nc.Gaussian(4.0).draw(clean, 3), "TYX", TURNED["scale"],
        ("second", "micrometer", "micrometer"), unit="ADU", name="stack",
    )  # fmt: skip
    return nc.sample(image, nc.Gaussian(4.0), denoiser=prior, n_draws=24)


def joined(viewer, result, roles=(MEAN, LOWER, UPPER), **placed):
    """Add layers as the Sample posterior widget does."""
    lower, upper = result.posterior.interval(result.recipe.level)
    data = {MEAN: result.posterior.mean, LOWER: lower, UPPER: upper}
    family = Family(result.posterior, result)
    for role in roles:
        if role == DRAWS:
            layer = viewer.add_image(np.asarray(result.posterior.draws), name="draws")
        else:
            layer = viewer.add_image(data[role], name=role, **placed)
            layer.metadata[METADATA_KEY] = result.record()
        family.join(layer, role)
    return family


def point_at(viewer, layer, index):
    """Move the cursor over a pixel, as the canvas tells it."""
    event = SimpleNamespace(position=np.array(layer.data_to_world(index)), type="mouse_move")
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, event)


@pytest.fixture(scope="module")
def window(qapp):
    """One window for all tests here: it takes longer to open than they take."""
    viewer = napari.Viewer()
    yield viewer
    viewer.close()


@pytest.fixture
def docked(window):
    """The window with nothing but the inspector."""
    dock, widget = window.window.add_plugin_dock_widget("napari-credible", "Uncertainty inspector")
    yield window, widget
    widget.close()
    window.window.remove_dock_widget(dock)
    window.layers.clear()
    window.dims.ndisplay = 2


@pytest.fixture
def inspected(docked, drawn):
    """The same with the layers of a run."""
    viewer, widget = docked
    return viewer, widget, joined(viewer, drawn, **TURNED)


def plane_of(family, number):
    p = family.posterior
    return Posterior(p.draws[:, number], p.lowest, p.widen)


def told(widget, qtbot, title):
    """Wait for an answer and return it."""
    qtbot.waitUntil(
        lambda: not widget.look.jobs and widget.look.reading is not None
        and widget.look.reading.title.startswith(title),
        timeout=20_000,
    )  # fmt: skip
    return widget.look.reading


def draw(widget, shape_type, corners):
    """Draw a shape in pixel coordinates of the family, as its layer would hold it."""
    placed = widget.placed()
    if widget.look.drawn.layer is None:
        widget.look.drawn.begin(shape_type, placed)
    layer = widget.look.drawn.layer
    world = [(placed.matrix() @ [0, *corner, 1])[:-1] for corner in corners]
    layer.add([layer.world_to_data(point) for point in world], shape_type=shape_type)


BOX = [(9.6, 9.6), (9.6, 19.4), (19.4, 19.4), (19.4, 9.6)]
FIELD = [(25.6, 25.6), (25.6, 38.4), (35.4, 38.4), (35.4, 25.6)]


def masked(corners, kind="rectangle"):
    shape = Shape("A", kind, corners)
    mask = np.zeros(SHAPE[1:], dtype=bool)
    box = shape.box(SHAPE[1:])
    mask[box] = shape.mask(*box)
    return mask


def test_hovering_shows_what_the_posterior_says(inspected, qtbot):
    """In a scaled, moved and rotated layer, in the plane of the slider; digits as text."""
    viewer, widget, family = inspected
    widget.threshold.setText("105")
    viewer.dims.set_current_step(0, 2)
    point_at(viewer, viewer.layers[MEAN], (2, 14, 33))
    reading = told(widget, qtbot, "pixel (row 14, column 33)")
    (q,) = reading.quantities
    whole, at = family.posterior, (2, 14, 33)
    assert (q.estimate, q.std) == (float(whole.mean[at]), float(whole.std[at]))
    lower, upper = whole.interval(0.9)
    assert (q.lower, q.upper) == (float(lower[at]), float(upper[at]))
    assert q.above == float(whole.exceedance(105.0)[at])
    assert q.measured == pytest.approx(float(family.result.source.array[at]))
    text = widget.look.controls.numbers.text()
    for words in (
        f"{shown(q.estimate, q.std)} ± {shown(q.std, q.std)} ADU", interval(q),
        probability(q.above, q.above_error),
    ):  # fmt: skip
        assert words in text


def test_the_slider_changes_the_plane_under_the_cursor(inspected, qtbot):
    viewer, widget, family = inspected
    viewer.dims.set_current_step(0, 0)
    point_at(viewer, viewer.layers[MEAN], (0, 5, 6))
    first = told(widget, qtbot, "pixel (row 5, column 6)").quantities[0].estimate
    viewer.dims.set_current_step(0, 1)
    wanted = float(family.posterior.mean[1, 5, 6])
    qtbot.waitUntil(lambda: widget.look.reading.quantities[0].estimate == wanted, timeout=5_000)
    assert first == float(family.posterior.mean[0, 5, 6])


def test_outside_the_image_the_last_pixel_stays(inspected, qtbot):
    viewer, widget, _ = inspected
    point_at(viewer, viewer.layers[MEAN], (0, 5, 6))
    reading = told(widget, qtbot, "pixel (row 5, column 6)")
    point_at(viewer, viewer.layers[MEAN], (0, -3, 6))
    qtbot.wait(100)
    assert widget.look.reading is reading


def test_shapes_lie_where_they_are_drawn(inspected, qtbot):
    viewer, widget, family = inspected
    viewer.dims.set_current_step(0, 1)
    draw(widget, "rectangle", BOX)
    reading = told(widget, qtbot, "A: rectangle of 100 pixels")
    mask = masked(BOX)
    assert mask[10:20, 10:20].all()
    plane = plane_of(family, 1)
    wanted = plane.mean_over(mask)
    mean = reading.quantities[0]
    assert (mean.estimate, mean.std) == (float(wanted.mean), float(wanted.std))
    assert (mean.lower, mean.upper) == tuple(map(float, wanted.interval(0.9)))
    np.testing.assert_array_equal(reading.quantities[2].draws, plane.max_over(mask).draws)
    assert shown(mean.estimate, mean.std) in widget.look.controls.numbers.text()
    viewer.dims.set_current_step(0, 2)
    wanted = float(plane_of(family, 2).mean_over(mask).mean)
    qtbot.waitUntil(lambda: widget.look.reading.quantities[0].estimate == wanted, timeout=9_000)


def test_two_shapes_are_compared(inspected, qtbot):
    viewer, widget, family = inspected
    draw(widget, "rectangle", BOX)
    told(widget, qtbot, "A: rectangle")
    draw(widget, "ellipse", FIELD)
    told(widget, qtbot, "B: ellipse")
    controls = widget.look.controls
    controls.choose("A")
    controls.other.setCurrentIndex(controls.other.findData("B"))
    reading = told(widget, qtbot, "A against B")
    plane = plane_of(family, int(viewer.dims.current_step[0]))
    a = plane.mean_over(masked(BOX)).draws
    b = plane.mean_over(masked(FIELD, "ellipse")).draws
    ratio, difference = reading.quantities[:2]
    np.testing.assert_array_equal(ratio.draws, a / b)
    assert difference.above == np.float32(np.mean(a > b)) == 1.0
    assert controls.headline.text() == reading.headline


def test_a_line_has_a_profile_with_a_band(inspected, qtbot):
    viewer, widget, family = inspected
    draw(widget, "line", [(5, 5), (35, 45)])
    profile = told(widget, qtbot, "A: line of 25 micrometer").profile
    plane = plane_of(family, int(viewer.dims.current_step[0]))
    wanted = plane.profile((5, 5), (35, 45))
    np.testing.assert_allclose(profile.estimate, wanted.mean, rtol=1e-6)
    assert widget.look.controls.profile.isVisible()
    assert not widget.look.controls.histogram.isVisible()
    widget.look.controls.width.setValue(3)
    qtbot.waitUntil(lambda: not widget.look.jobs, timeout=9_000)
    np.testing.assert_allclose(
        told(widget, qtbot, "A: line").profile.estimate,
        plane.profile((5, 5), (35, 45), 3).mean, rtol=1e-6,
    )  # fmt: skip


def test_a_click_keeps_a_pixel(inspected, qtbot):
    viewer, widget, family = inspected
    widget.look.controls.tools["pixel"].click()
    event = SimpleNamespace(position=np.array(viewer.layers[MEAN].data_to_world((1, 7, 8))))
    for callback in list(viewer.mouse_drag_callbacks):
        callback(viewer, event)
    reading = told(widget, qtbot, "A: rectangle of 1 pixel")
    step = int(viewer.dims.current_step[0])
    assert reading.quantities[0].estimate == float(family.posterior.mean[step, 7, 8])


def test_shapes_keep_their_letters(inspected, qtbot):
    viewer, widget, _ = inspected
    for _ in range(3):
        draw(widget, "rectangle", BOX)
    qtbot.waitUntil(lambda: widget.look.drawn.letters() == ["A", "B", "C"], timeout=5_000)
    layer = widget.look.drawn.layer
    layer.selected_data = {1}
    layer.remove_selected()
    qtbot.waitUntil(lambda: widget.look.controls.subject.count() == 3, timeout=5_000)
    draw(widget, "rectangle", FIELD)
    qtbot.waitUntil(lambda: widget.look.drawn.letters() == ["A", "C", "B"], timeout=5_000)
    told(widget, qtbot, "B: rectangle")
    viewer.layers.remove(layer)
    assert widget.look.controls.chosen() == []
    draw(widget, "rectangle", BOX)
    told(widget, qtbot, "A: rectangle")


def test_selecting_a_shape_looks_at_it(inspected, qtbot):
    _, widget, _ = inspected
    draw(widget, "rectangle", BOX)
    told(widget, qtbot, "A: rectangle")
    draw(widget, "ellipse", FIELD)
    told(widget, qtbot, "B: ellipse")
    layer = widget.look.drawn.layer
    layer.selected_data = {0}
    layer.events.highlight()
    told(widget, qtbot, "A: rectangle")


def test_shapes_outside_are_said(inspected, qtbot):
    _, widget, _ = inspected
    draw(widget, "rectangle", np.array(BOX) + 500)
    qtbot.waitUntil(
        lambda: "lies outside the image" in widget.look.controls.notes.text(), timeout=5_000
    )


def test_the_level_is_asked_at_once(inspected, qtbot):
    viewer, widget, family = inspected
    point_at(viewer, viewer.layers[MEAN], (0, 5, 6))
    told(widget, qtbot, "pixel")
    widget.level.setValue(50)
    lower = family.posterior.interval(0.5)[0]
    q = widget.look.reading.quantities[0]
    step = int(viewer.dims.current_step[0])
    assert q.lower == float(lower[step, 5, 6])
    assert "50 % interval" in widget.look.controls.numbers.text()
    widget.threshold.setText("much")
    widget.threshold.editingFinished.emit()
    assert "'much' is no number" in widget.status.text()


def test_the_family_follows_the_active_layer(inspected, drawn, qtbot):
    viewer, widget, family = inspected
    other = dataclasses.replace(drawn, source=dataclasses.replace(drawn.source, name="other"))
    second = joined(viewer, other, roles=(UPPER,))
    assert widget.families.family() is family
    viewer.layers.selection.active = viewer.layers[0]
    viewer.layers.selection.active = viewer.layers[-1]
    assert widget.families.family() is second
    assert widget.placed().layer is viewer.layers[-1]
    viewer.layers.remove(viewer.layers[-1])
    assert widget.families.family() is family


def test_without_a_family_it_waits(docked, qtbot):
    viewer, widget = docked
    viewer.add_image(np.zeros((9, 9)))
    assert widget.families.family() is None
    assert not widget.look.isEnabled()
    widget.numbers.click()
    assert "Nothing is shown yet" in widget.status.text()


def test_the_draws_alone_are_enough(docked, drawn, qtbot):
    """The layer of the draws has one axis more, and the sliders too."""
    viewer, widget = docked
    family = joined(viewer, drawn, roles=(DRAWS,))
    qtbot.waitUntil(lambda: widget.families.family() is family)
    point_at(viewer, viewer.layers["draws"], (4, 1, 5, 6))
    viewer.dims.set_current_step(1, 1)
    q = told(widget, qtbot, "pixel (row 5, column 6)").quantities[0]
    assert q.estimate == float(family.posterior.mean[1, 5, 6])


def test_maps_answer_what_they_can(docked, drawn, qtbot):
    from napari_credible.streamed import Streamed

    draws = drawn.posterior.draws
    maps = Streamed(draws.shape[1:], len(draws))
    for image in draws:
        maps.add(image)
    viewer, widget = docked
    joined(viewer, dataclasses.replace(drawn, posterior=maps), **TURNED)
    point_at(viewer, viewer.layers[MEAN], (1, 5, 6))
    q = told(widget, qtbot, "pixel").quantities[0]
    step = int(viewer.dims.current_step[0])
    assert q.estimate == float(maps.mean[step, 5, 6])
    assert "keep='draws'" in widget.look.controls.notes.text()
    assert not widget.vary.controls.blink.isEnabled()
    assert "Only the maps were kept" in widget.vary.controls.notes.text()
    draw(widget, "rectangle", BOX)
    told(widget, qtbot, "A: rectangle")
    assert "keep='draws'" in widget.look.controls.notes.text()


def test_draws_on_disk_are_read_around_the_cursor(docked, drawn, qtbot):
    pytest.importorskip("zarr")
    from napari_credible.stored import Store

    draws = drawn.posterior.draws
    store = Store(draws.shape[1:], len(draws))
    for image in draws:
        store.add(image)
    viewer, widget = docked
    joined(viewer, dataclasses.replace(drawn, posterior=store.posterior()))
    point_at(viewer, viewer.layers[MEAN], (1, 5, 6))
    told(widget, qtbot, "pixel (row 5, column 6)")
    point_at(viewer, viewer.layers[MEAN], (1, 7, 6))
    q = told(widget, qtbot, "pixel (row 7, column 6)").quantities[0]
    step = int(viewer.dims.current_step[0])
    assert (q.estimate, q.std) == (
        float(drawn.posterior.mean[step, 7, 6]), float(drawn.posterior.std[step, 7, 6]),
    )  # fmt: skip
    assert len(widget.look._nearby._parts) == 1
    draw(widget, "rectangle", BOX)
    reading = told(widget, qtbot, "A: rectangle")
    wanted = Posterior(draws[:, step]).mean_over(masked(BOX))
    np.testing.assert_array_equal(reading.quantities[0].draws, wanted.draws)
    widget.vary.controls.blink.setChecked(True)
    qtbot.waitUntil(lambda: widget.vary.layer.layer is not None, timeout=5_000)


def temporary(viewer):
    return [layer for layer in viewer.layers if PREVIEW_KEY in layer.metadata]


def test_the_slider_moves_along_a_component(inspected, qtbot):
    viewer, widget, family = inspected
    viewer.dims.set_current_step(0, 1)
    widget.tabs.setCurrentIndex(1)
    controls = widget.vary.controls
    controls.components.setChecked(True)
    qtbot.waitUntil(lambda: bool(temporary(viewer)), timeout=9_000)
    (layer,) = temporary(viewer)
    plane = plane_of(family, 1)
    found = plane.components(5)
    np.testing.assert_array_equal(layer.data[0], plane.mean)
    controls.slider.setValue(40)
    np.testing.assert_allclose(layer.data[0], moved(plane.mean, found, 0, 2.0))
    step = 2 * np.sqrt(found.variances[0]) * found.images[0]
    np.testing.assert_allclose(layer.data[0] - plane.mean, step, atol=1e-4)
    for corner in ((0, 0), (7, 9)):
        np.testing.assert_allclose(
            layer.data_to_world((0, *corner)), viewer.layers[MEAN].data_to_world((1, *corner))
        )
    viewer.dims.set_current_step(0, 0)
    wanted = moved(plane_of(family, 0).mean, plane_of(family, 0).components(5), 0, 2.0)
    qtbot.waitUntil(lambda: np.allclose(layer.data[0], wanted), timeout=9_000)
    assert viewer.layers.selection.active is not layer
    widget.tabs.setCurrentIndex(0)
    assert not temporary(viewer)
    assert not controls.components.isChecked()


def test_draws_blink_in_turn(inspected, qtbot):
    viewer, widget, family = inspected
    widget.tabs.setCurrentIndex(1)
    widget.vary.controls.speed.setValue(20)
    widget.vary.controls.blink.setChecked(True)
    (layer,) = temporary(viewer)
    step = int(viewer.dims.current_step[0])
    for number in (0, 1):
        wanted = family.posterior.draws[number, step]
        qtbot.waitUntil(lambda w=wanted: np.array_equal(layer.data[0], w), timeout=5_000)
    viewer.layers.remove(layer)
    assert not widget.vary.controls.blink.isChecked()
    assert not widget.vary._blink.isActive()


def test_what_is_shown_can_be_saved(inspected, qtbot, tmp_path):
    viewer, widget, _ = inspected
    point_at(viewer, viewer.layers[MEAN], (0, 5, 6))
    (q,) = told(widget, qtbot, "pixel").quantities
    path = widget.save_numbers(str(tmp_path / "pixel.csv"))
    text = (tmp_path / "pixel.csv").read_text(encoding="utf-8")
    values = np.genfromtxt(path, delimiter=",", comments="#", skip_header=1)[-24:, 1]
    np.testing.assert_array_equal(values.astype(np.float32), q.draws)
    assert "# image: stack" in text
    assert '"n_draws": 24' in text
    assert f"# plane: T={int(viewer.dims.current_step[0])}" in text
    qtbot.waitUntil(lambda: widget.look.controls.histogram._chart is not None, timeout=5_000)
    widget.save_picture(str(tmp_path / "pixel.png"))
    assert (tmp_path / "pixel.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(ValueError, match="cannot be written"):
        widget.save_picture(str(tmp_path / "nowhere" / "pixel.png"))


def test_the_charts_follow_the_theme(inspected, qtbot):
    viewer, widget, _ = inspected
    point_at(viewer, viewer.layers[MEAN], (0, 5, 6))
    told(widget, qtbot, "pixel")
    histogram = widget.look.controls.histogram
    qtbot.waitUntil(lambda: histogram._chart is not None, timeout=5_000)
    for theme in ("light", "dark"):
        viewer.theme = theme
        found = histogram._chart.view.backgroundBrush().color().name()
        assert found.lower() == Colours.of(viewer).background[:7].lower()
    names = [type(item).__name__ for item in histogram._chart.box.childGroup.childItems()]
    assert names.count("BarGraphItem") == 2
    assert names.count("InfiniteLine") == 2
    assert histogram._chart.axes[1].labelText == "value (ADU)"


def test_the_3d_view_is_declined_in_words(inspected, qtbot):
    viewer, widget, _ = inspected
    point_at(viewer, viewer.layers[MEAN], (0, 5, 6))
    told(widget, qtbot, "pixel")
    viewer.dims.ndisplay = 3
    widget.look.hover()
    assert "2D view" in widget.look.controls.notes.text()


def test_it_fits_a_small_screen(inspected):
    _, widget, _ = inspected
    assert widget.minimumSizeHint().width() <= 400
    assert widget.minimumSizeHint().height() <= 600


def test_question_of_the_fields(inspected):
    _, widget, _ = inspected
    widget.level.setValue(68)
    widget.threshold.setText("1,5")
    assert widget.question() == Question(0.68, 1.5)
    assert family_of(widget.placed().layer) is widget.families.family()
    assert QApplication.instance() is not None
