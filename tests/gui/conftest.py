"""A real napari window with the widget docked."""

import pytest

from napari_credible.gui.noise_question import GAUSSIAN


@pytest.fixture
def opened(make_napari_viewer):
    """A viewer with the widget docked, as from the plugin menu."""
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Denoise")
    yield viewer, widget
    widget.close()


@pytest.fixture
def finish(qtbot):
    """Wait for the end of a widget's job."""

    def wait(widget, name="run", seconds=90):
        qtbot.waitUntil(lambda: name not in widget.jobs, timeout=1000 * seconds)

    return wait


@pytest.fixture
def typed():
    """Type a standard deviation into the noise panel."""

    def enter(widget, sigma):
        widget.noise._source.setCurrentText(GAUSSIAN)
        widget.noise._edit(GAUSSIAN, "sigma", sigma)

    return enter
