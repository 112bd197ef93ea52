"""The Adapt widget in a real napari window: learn, stop, keep, look, rank."""

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.gui.adapt_widget import AdaptWidget
from napari_credible.gui.family import ROLE_KEY, STD


@pytest.fixture
def adapting(make_napari_viewer):
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Adapt")
    assert isinstance(widget, AdaptWidget)
    yield viewer, widget
    widget.close()


@pytest.fixture
def few(typed):
    """A small noisy layer with known noise, the small network, few steps."""

    def fill(viewer, widget, scene, **numbers):
        noise = 0.1 * np.random.default_rng(0).standard_normal((64, 64))
        layer = viewer.add_image(scene[:64, :64] + noise, name="a", scale=(2, 2))
        typed(widget, 0.1)
        widget.controls.denoiser.value = "unet_fast"
        for name, value in {"steps": 6, "every": 3, "batch": 1, "crop": 32, **numbers}.items():
            widget.controls.numbers[name].value = value
        return layer

    return fill


def test_adapt_look_and_save(adapting, few, finish, scene, tmp_path):
    viewer, widget = adapting
    few(viewer, widget, scene)
    widget.controls.run.native.click()
    assert not widget.controls.run.enabled
    assert widget.controls.stop.enabled
    finish(widget)
    assert widget.course.steps[-1] == 6
    assert "estimated without the truth" in widget.controls.status.text()
    widget.look()
    finish(widget)
    names = [layer.name for layer in viewer.layers]
    assert names == ["a", "a · before adapting", "a · after adapting"]
    assert viewer.layers[2].scale.tolist() == [2, 2]
    widget.save_to(tmp_path / "own.safetensors")
    loaded = nc.load_denoiser(tmp_path / "own.safetensors")
    assert loaded.card.adaptation["mode"]["steps"] == 6


def test_stop_keeps_the_best_and_cancel_nothing(adapting, few, finish, qtbot, scene):
    viewer, widget = adapting
    few(viewer, widget, scene, steps=10**5, every=10**4)
    widget.start()
    qtbot.waitUntil(lambda: bool(widget.course.steps), timeout=30_000)
    widget.stop()
    finish(widget)
    assert 0 < widget.adapted.card.adaptation["outcome"]["steps"] < 10**5
    kept = widget.adapted
    widget.start()
    widget.cancel()
    assert widget.adapted is kept
    assert "nothing was kept" in widget.controls.status.text()


def test_external_asks_for_examples(adapting, few, finish, scene):
    viewer, widget = adapting
    layer = few(viewer, widget, scene)
    assert not widget.controls.examples.native.isVisibleTo(widget)
    widget.controls.mode.value = "external"
    assert widget.controls.examples.native.isVisibleTo(widget)
    widget.start()
    finish(widget)
    assert "give examples" in widget.controls.status.text()
    viewer.add_image(scene[64:128, :64], name="clean")
    widget.controls.examples.value = [viewer.layers["clean"]]
    assert widget.controls.layer.value is layer
    assert len(widget.question().examples) == 1


def test_the_ranked_table(adapting, few, finish, scene, monkeypatch):
    viewer, widget = adapting
    few(viewer, widget, scene)
    monkeypatch.setattr(
        "napari_credible.gui.adapt_work.denoisers", lambda: {"unet_fast": "", "nlm": ""}
    )
    widget.compare()
    finish(widget)
    table = widget.controls.table
    assert [table.item(row, 0).text() for row in range(2)] == ["unet_fast", "nlm"]
    assert table.item(0, 2).text() == "best"
    assert "±" in table.item(1, 2).text()


def test_without_a_layer_it_says_what_to_do(adapting):
    _, widget = adapting
    widget.start()
    assert "Open an image" in widget.controls.status.text()
    assert not widget.controls.run.enabled


def test_the_list_knows_names_and_offers_no_map(adapting, few, scene):
    """Selecting a clean example must not change what is adapted to."""
    viewer, widget = adapting
    layer = few(viewer, widget, scene)
    viewer.add_image(scene[:64, :64], name="std", metadata={ROLE_KEY: STD})
    viewer.add_image(scene[:64, :64], name="b")
    layer.name = "mine"
    assert {choice.name for choice in widget.controls.layer.choices} == {"mine", "b"}
    assert widget.controls.layer.value is layer
