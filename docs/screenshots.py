"""Make the pictures of the docs anew, from real runs in a real napari window.

sh scripts/with-display.sh python docs/screenshots.py
"""

import time
from pathlib import Path
from typing import Any

import napari
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication

from napari_credible.__main__ import main
from napari_credible.gui.noise_question import POISSON

IMAGES = Path(__file__).parent / "images"
# The smallest screen that the window is made for.
SMALL = (1280, 720)


def waited(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def opened(sample: str, theme: str = "dark") -> tuple[Any, Any]:
    """Return a viewer with a sample and the widget, as a user opens them."""
    get_settings().appearance.theme = theme
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*SMALL)
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Denoise")
    viewer.open_sample("napari-credible", sample)
    waited(5)  # the plan times a tile
    return viewer, widget


def kept(viewer: Any, name: str) -> None:
    """Keep a picture of the window."""
    waited(0.7)
    viewer.screenshot(IMAGES / name, canvas_only=False, flash=False)


def ended(widget: Any) -> None:
    """Wait for the end of a run."""
    while "run" in widget.jobs:
        waited(0.05)


def the_noise_panel() -> None:
    """Show measured parameters with their errors, and the plot."""
    for theme in ("dark", "light"):
        viewer, widget = opened("cells", theme)
        widget.measure()
        ended(widget)
        waited(1.5)
        kept(viewer, f"noise-{theme}.png")
        viewer.close()


def the_preview() -> None:
    """Show the input left of a line, the preview right of it."""
    viewer, widget = opened("cells")
    widget.controls.preview.value = True
    widget.controls.how.value = "split"
    waited(6)
    kept(viewer, "preview.png")
    viewer.close()


def a_run() -> None:
    """Show a stack while it runs, and when it is done."""
    viewer, widget = opened("photons")
    widget.start()
    while "denoising" not in widget.controls.status.text():
        waited(0.02)
    viewer.screenshot(IMAGES / "running.png", canvas_only=False, flash=False)
    ended(widget)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.reset_view()
    kept(viewer, "finished.png")
    viewer.close()


def a_result_elsewhere() -> None:
    """Show typed noise, and what can be done with the recipe."""
    viewer, widget = opened("stars", "light")
    widget.noise._source.setCurrentText(POISSON)
    widget.actions.copy_command()
    kept(viewer, "recipe.png")
    viewer.close()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    before = get_settings().appearance.theme
    the_noise_panel()
    the_preview()
    a_run()
    a_result_elsewhere()
    get_settings().appearance.theme = before
    try:
        main(["demo", "-o", str(IMAGES / "demo"), "--no-show"])
    except SystemExit:
        (IMAGES / "demo" / "before_after.png").replace(IMAGES / "before_after.png")
        for left in (IMAGES / "demo").iterdir():
            left.unlink()
        (IMAGES / "demo").rmdir()
