"""Make the pictures of the Adapt widget anew, from a real run in a real napari window.

sh scripts/with-display.sh python docs/screenshots_adapt.py [adapting] [comparing]
"""

import sys
from typing import Any

import napari
import numpy as np
from napari.settings import get_settings
from screenshots import SMALL, ended, kept, waited
from skimage.data import brick
from superqt import QCollapsible

from napari_credible.gui.noise_question import GAUSSIAN

SIGMA = 40.0


def opened() -> tuple[napari.Viewer, Any]:
    """Return a viewer with a noisy brick wall, its noise typed, and the widget."""
    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*SMALL)
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Adapt")
    clean = brick()[:256, :256].astype(np.float32)
    noise = SIGMA * np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
    viewer.add_image(clean + noise, name="bricks", contrast_limits=(0, 255))
    widget.noise._source.setCurrentText(GAUSSIAN)
    widget.noise._edit(GAUSSIAN, "sigma", SIGMA)
    return viewer, widget


def adapting() -> None:
    """Show the widget while it learns, and before and after."""
    viewer, widget = opened()
    for name, value in {"steps": 160, "every": 20}.items():
        widget.controls.numbers[name].value = value
    widget.start()
    while len(widget.course.scored) < 5 and "run" in widget.jobs:
        waited(0.1)
    kept(viewer, "adapting.png")
    ended(widget)
    words = widget.controls.status.text()
    widget.look()
    ended(widget)
    widget.say(words)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.grid.shape = (1, 3)
    viewer.reset_view()
    for layer in viewer.layers:
        layer.contrast_limits = (0, 255)
    kept(viewer, "adapted.png")
    viewer.close()


def comparing() -> None:
    """Show the ranked table."""
    viewer, widget = opened()
    widget.compare()
    ended(widget)
    for section in widget.findChildren(QCollapsible):
        (section.expand if "best" in section.text() else section.collapse)(animate=False)
    kept(viewer, "comparing.png")
    viewer.close()


if __name__ == "__main__":
    before = get_settings().appearance.theme
    get_settings().appearance.theme = "dark"
    for name in sys.argv[1:] or ("adapting", "comparing"):
        {"adapting": adapting, "comparing": comparing}[name]()
    get_settings().appearance.theme = before
