"""Make the pictures of the Adapt widget anew, from a real run in a real napari window.

sh scripts/with-display.sh python docs/screenshots_adapt.py
"""

import napari
import numpy as np
from napari.settings import get_settings
from screenshots import SMALL, ended, kept, waited
from skimage.data import brick

from napari_credible.gui.noise_question import GAUSSIAN

SIGMA = 40.0


def main() -> None:
    """Show the widget while it learns, and what it brought."""
    before = get_settings().appearance.theme
    get_settings().appearance.theme = "dark"
    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*SMALL)
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Adapt")
    clean = brick()[:256, :256].astype(np.float32)
    noise = SIGMA * np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
    viewer.add_image(clean + noise, name="bricks", contrast_limits=(0, 255))
    widget.noise._source.setCurrentText(GAUSSIAN)
    widget.noise._edit(GAUSSIAN, "sigma", SIGMA)
    for name, value in {"steps": 200, "every": 25}.items():
        widget.controls.numbers[name].value = value
    widget.start()
    while len(widget.course.scored) < 4 and "run" in widget.jobs:
        waited(0.1)
    kept(viewer, "adapting.png")
    ended(widget)
    widget.compare()
    ended(widget)
    widget.look()
    ended(widget)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.grid.shape = (1, 3)
    viewer.reset_view()
    for layer in viewer.layers:
        layer.contrast_limits = (0, 255)
    kept(viewer, "adapted.png")
    viewer.close()
    get_settings().appearance.theme = before


if __name__ == "__main__":
    main()
