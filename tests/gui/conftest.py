"""A real napari window with a widget docked."""

import numpy as np
import pytest
from qtpy.compat import isalive

from napari_credible.gui.noise_question import GAUSSIAN


def docked(viewer, name):
    """Dock a widget as from the plugin menu."""
    return viewer.window.add_plugin_dock_widget("napari-credible", name)[1]


@pytest.fixture
def opened(make_napari_viewer):
    """A viewer with the Denoise widget docked."""
    viewer = make_napari_viewer()
    widget = docked(viewer, "Denoise")
    yield viewer, widget
    widget.close()


@pytest.fixture
def sampling(make_napari_viewer):
    """A viewer with the Sample posterior widget docked, set to few draws of a fast denoiser."""
    viewer = make_napari_viewer()
    widget = docked(viewer, "Sample posterior")
    widget.controls.fields["denoiser"].value = "unet_fast"
    widget.controls.fields["n_draws"].value = 3
    yield viewer, widget
    if isalive(widget):  # else the viewer was closed
        widget.close()


@pytest.fixture
def finish(qtbot):
    """Wait for the end of a widget's job, and for the layers that it adds bit by bit."""

    def wait(widget, name="run", seconds=90):
        for each in (name, "layers"):
            qtbot.waitUntil(lambda n=each: n not in widget.jobs, timeout=1000 * seconds)

    return wait


@pytest.fixture
def typed():
    """Type a standard deviation into the noise panel."""

    def enter(widget, sigma):
        widget.noise._source.setCurrentText(GAUSSIAN)
        widget.noise._edit(GAUSSIAN, "sigma", sigma)

    return enter


@pytest.fixture(scope="session")
def small(scene):
    """A noisy plane of 48 x 64 pixels, sigma 5."""
    noise = 5 * np.random.default_rng(2).standard_normal((48, 64))
    return (100 * scene[180:228, 360:424] + noise).astype(np.float32)
