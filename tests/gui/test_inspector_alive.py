"""The inspector leaves nothing behind, and stays fast enough to follow the mouse."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from test_alive import held_by_us

import napari_credible as nc
from napari_credible.gui.family import MEAN, UPPER, Family
from napari_credible.gui.inspector import Inspector
from napari_credible.gui.preview import PREVIEW_KEY
from napari_credible.planes import Progress


def prior(x, sigma):
    return x / (1 + sigma**2)


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(1)
    image = nc.Image(rng.normal(100, 6, (48, 48)), name="a")
    return nc.sample(image, nc.Gaussian(4.0), denoiser=prior, n_draws=8)


@pytest.fixture
def inspected(make_napari_viewer, result):
    """A docked inspector that hovers, varies and has a shape."""
    viewer = make_napari_viewer(show=True)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Uncertainty inspector")
    family = Family(result.posterior, result)
    for role in (MEAN, UPPER):
        family.join(viewer.add_image(result.posterior.mean, name=role), role)
    widget.families.refresh()
    yield viewer, widget, dock
    widget.close()


def hover(viewer, row, column):
    event = SimpleNamespace(position=np.array([row, column], float), type="mouse_move")
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, event)


def busy(viewer, widget, qtbot):
    """Let everything run that the inspector can have running."""
    hover(viewer, 5, 6)
    qtbot.waitUntil(lambda: widget.look.reading is not None, timeout=5_000)
    widget.look.drawn.begin("rectangle", widget.placed())
    widget.look.drawn.layer.add(np.array([(3, 3), (3, 9), (9, 9), (9, 3.0)]))
    widget.tabs.setCurrentIndex(1)
    widget.vary.controls.blink.setChecked(True)
    widget.believable.jobs["test"] = endless(widget)
    qtbot.waitUntil(lambda: bool(temporary(viewer)), timeout=5_000)


def endless(widget):
    """A job as a test of believability is one: it ends when it is told to."""
    from napari_credible.gui.job import Answers, Job

    def work(stop):
        while not stop():
            yield Progress(0, 1, "testing")

    return Job(work, Answers(lambda _: None, widget.believable._fail))


def temporary(viewer):
    return [layer for layer in viewer.layers if PREVIEW_KEY in layer.metadata]


def still(widget):
    return (
        not widget.look.jobs and not widget.vary.jobs and not widget.believable.jobs
        and not widget.vary._blink.isActive() and not widget.look._soon.isActive()
        and not widget.look.drawn._settled.isActive()
    )  # fmt: skip


def test_closing_the_widget_stops_everything(inspected, qtbot):
    viewer, widget, _ = inspected
    busy(viewer, widget, qtbot)
    widget.close()
    assert still(widget)
    assert not temporary(viewer)
    assert not [c for c in viewer.mouse_move_callbacks if "mouse.py" in c.__code__.co_filename]
    hover(viewer, 7, 8)
    viewer.add_image(np.zeros((9, 9)))
    viewer.dims.ndisplay = 3
    viewer.theme = "light"
    qtbot.wait(200)
    assert still(widget)
    assert [layer.name for layer in viewer.layers if layer.name == "regions"]


def test_closing_the_dock_stops_everything(inspected, qtbot):
    """napari takes the widget out of its dock, and tells it nothing."""
    viewer, widget, dock = inspected
    busy(viewer, widget, qtbot)
    viewer.window.remove_dock_widget(dock)
    assert still(widget)
    assert not temporary(viewer)
    hover(viewer, 7, 8)
    qtbot.wait(100)
    assert still(widget)


def test_closing_the_viewer_stops_everything(make_napari_viewer, result, qtbot):
    viewer = make_napari_viewer(show=True)
    widget = Inspector(viewer)
    viewer.window.add_dock_widget(widget)
    family = Family(result.posterior, result)
    family.join(viewer.add_image(result.posterior.mean, name=MEAN), MEAN)
    widget.families.refresh()
    busy(viewer, widget, qtbot)
    widget.close()
    assert still(widget)
    viewer.close()
    qtbot.waitUntil(lambda: threading.active_count() < 20, timeout=10_000)


def test_layers_deleted_while_it_works_are_let_go(inspected, qtbot):
    """Nothing of the family is held, so that the draws are freed."""
    viewer, widget, _ = inspected
    busy(viewer, widget, qtbot)
    layer = viewer.layers[MEAN]
    viewer.layers.remove(layer)
    assert widget.placed().layer is viewer.layers[UPPER]
    upper = viewer.layers[UPPER]
    family = widget.families.family()
    viewer.layers.remove(upper)
    assert widget.families.family() is None
    qtbot.waitUntil(lambda: still(widget), timeout=5_000)
    assert not temporary(viewer)
    assert not widget.look.isEnabled()
    hover(viewer, 7, 8)
    qtbot.wait(300)
    assert not held_by_us(layer)
    upper.metadata.clear()
    layer.metadata.clear()
    assert not held_by_us(family)


def test_an_empty_layer_of_shapes_goes(inspected):
    viewer, widget, _ = inspected
    widget.look.drawn.begin("rectangle", widget.placed())
    assert "regions" in [layer.name for layer in viewer.layers]
    widget.close()
    assert "regions" not in [layer.name for layer in viewer.layers]


def test_two_inspectors_share_their_shapes(inspected, qtbot):
    viewer, widget, _ = inspected
    busy(viewer, widget, qtbot)
    qtbot.waitUntil(lambda: widget.look.drawn.letters() == ["A"], timeout=5_000)
    second = Inspector(viewer)
    qtbot.addWidget(second)
    assert second.look.controls.chosen() == ["A"]
    assert second.look.drawn.layer is widget.look.drawn.layer
    second.close()


def test_hovering_reads_one_column_of_the_draws(inspected, monkeypatch):
    """No reading touches more than two pixels of each draw, however large the image."""
    _, widget, _ = inspected
    from napari_credible import readings
    from napari_credible.section import Section

    seen = []
    whole = Section.draws

    def counted(self, rows, columns):
        found = whole(self, rows, columns)
        seen.append((found.size, found.base is not None))
        return found

    monkeypatch.setattr(Section, "draws", counted)
    readings.pixel(widget.placed().section((5, 6)), 5, 6, widget.question())
    assert seen == [(2 * 8, True)]
