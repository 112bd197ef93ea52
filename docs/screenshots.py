"""Make the pictures of the docs anew, from real runs in a real napari window.

sh scripts/with-display.sh python docs/screenshots.py [denoising] [sampling]
"""

import sys
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication

from napari_credible.__main__ import main
from napari_credible.gui.area import THIS_PLANE
from napari_credible.gui.family import role_of
from napari_credible.gui.noise_question import POISSON

IMAGES = Path(__file__).parent / "images"
# The smallest screen that the window is made for.
SMALL = (1280, 720)
# A part of the star field, from corner to corner.
STARS = ((120, 120), (120, 360), (320, 360), (320, 120))


def waited(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def opened(sample: str, theme: str = "dark", name: str = "Denoise") -> tuple[Any, Any]:
    """Return a viewer with a sample and a widget, as a user opens them."""
    get_settings().appearance.theme = theme
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*SMALL)
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", name)
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


def sampled(
    sample: str, theme: str, threshold: str, draws: int, part: Any = None
) -> tuple[Any, Any]:
    """Return a viewer in which one plane is being sampled, once its first maps are there."""
    viewer, widget = opened(sample, theme, "Sample posterior")
    controls = widget.controls
    controls.fields["denoiser"].value = "unet_fast"
    if controls.planes.enabled:
        viewer.dims.set_current_step(0, 0)
        controls.planes.value = THIS_PLANE
    if part is not None:
        (here,) = (layer for layer in viewer.layers)
        corners = [here.data_to_world(corner) for corner in part]
        look = {"face_color": "transparent", "edge_color": "orange", "edge_width": 2}
        shapes = viewer.add_shapes([np.array(corners)], name="here", units=here.units, **look)
        controls.area.value = shapes
    controls.fields["threshold"].value = threshold
    controls.fields["n_draws"].value = draws
    waited(6)
    widget.start()
    while "run" in widget.jobs and not any(role_of(layer) == "std" for layer in viewer.layers):
        waited(0.05)
    return viewer, widget


def drawn(widget: Any) -> None:
    """Wait until the last layer of a run is there."""
    while "run" in widget.jobs or "layers" in widget.jobs:
        waited(0.05)


def sampling() -> None:
    """Show the Sample posterior widget while it draws, its maps, the composite and contours."""
    viewer, widget = sampled("photons", "dark", "12", 32)
    kept(viewer, "sampling-running.png")
    drawn(widget)
    for layer in viewer.layers:
        layer.visible = role_of(layer) in ("mean", "std", "exceedance") or not role_of(layer)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.reset_view()
    kept(viewer, "sampling-finished.png")
    viewer.grid.enabled = False
    for layer in viewer.layers:
        layer.visible = role_of(layer) in ("", "mean")
    widget.picture.compose()
    drawn(widget)
    widget.picture.probability.value = 0.97
    widget.picture.outline()
    drawn(widget)
    viewer.reset_view()
    kept(viewer, "composite-dark.png")
    viewer.close()


def a_star_field() -> None:
    """Show the quick map without draws, and the composite in the light theme."""
    viewer, widget = opened("stars", "light", "Sample posterior")
    widget.controls.fields["denoiser"].value = "unet_fast"
    widget.controls.preview.value = True
    while "Std" not in widget.controls.status.text():
        waited(0.05)
    kept(viewer, "quick-map.png")
    widget.controls.preview.value = False
    viewer.close()
    viewer, widget = sampled("stars", "light", "340", 16, STARS)
    drawn(widget)
    viewer.layers["stars · mean"].contrast_limits = (290, 420)
    widget.picture.compose()
    drawn(widget)
    widget.picture.outline()
    drawn(widget)
    kept(viewer, "composite-light.png")
    viewer.close()


PARTS = {
    "denoising": (the_noise_panel, the_preview, a_run, a_result_elsewhere),
    "sampling": (sampling, a_star_field),
}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    chosen = sys.argv[1:] or list(PARTS)
    before = get_settings().appearance.theme
    for part in chosen:
        for picture in PARTS[part]:
            picture()
    get_settings().appearance.theme = before
    try:
        if "denoising" in chosen:
            main(["demo", "-o", str(IMAGES / "demo"), "--no-show"])
    except SystemExit:
        (IMAGES / "demo" / "before_after.png").replace(IMAGES / "before_after.png")
        for left in (IMAGES / "demo").iterdir():
            left.unlink()
        (IMAGES / "demo").rmdir()
