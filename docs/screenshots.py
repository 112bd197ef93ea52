"""Make the pictures of the docs anew, from real runs in a real napari window.

sh scripts/with-display.sh python docs/screenshots.py
"""

import time
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

from napari_credible.__main__ import main
from napari_credible.gui.widget import DenoiseWidget

IMAGES = Path(__file__).parent / "images"


def waited(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def widget_after_a_run(sample: str, name: str) -> None:
    """Open a sample, denoise it with the widget, and keep a picture of the window."""
    viewer = napari.Viewer()
    viewer.window.resize(1500, 900)
    widget = DenoiseWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Denoise")
    viewer.open_sample("napari-credible", sample)
    viewer.layers[0].contrast_limits = (0, 120) if sample == "photons" else (450, 1600)
    waited(0.5)
    widget._run.native.click()
    while widget._job is not None:
        waited(0.05)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.scale_bar.visible = sample == "cells"
    viewer.reset_view()
    waited(1.0)
    viewer.screenshot(IMAGES / name, canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    widget_after_a_run("photons", "widget-photons.png")
    widget_after_a_run("cells", "widget-cells.png")
    try:
        main(["demo", "-o", str(IMAGES / "demo"), "--no-show"])
    except SystemExit:
        (IMAGES / "demo" / "before_after.png").replace(IMAGES / "before_after.png")
        for left in (IMAGES / "demo").iterdir():
            left.unlink()
        (IMAGES / "demo").rmdir()
