"""Make the pictures of the Restore widget anew, from real runs in a real napari window.

sh scripts/with-display.sh python docs/screenshots_restore.py [inpainting] [deblurring] [finer]
"""

import sys
from typing import Any

import napari
import numpy as np
from screenshots import SMALL, ended, kept, waited
from skimage.data import camera

from napari_credible.gui.family import STD, role_of
from napari_credible.gui.noise_question import GAUSSIAN
from napari_credible.gui.physics_question import PAINTED
from napari_credible.operators import Downsample

SIGMA = 8.0
PART = (slice(90, 218), slice(170, 298))
DRAWS = 8


def opened(name: str, data: Any, **attributes: Any) -> tuple[napari.Viewer, Any]:
    """Return a viewer with noisy data, their noise typed, and the widget."""
    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*SMALL)
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Restore")
    noise = SIGMA * np.random.default_rng(0).standard_normal(data.shape)
    viewer.add_image((data + noise).astype(np.float32), name=name, **attributes)
    widget.controls.fields["denoiser"].value = "unet_fast"
    widget.noise._source.setCurrentText(GAUSSIAN)
    widget.noise._edit(GAUSSIAN, "sigma", SIGMA)
    return viewer, widget


def settled(widget: Any) -> None:
    """Wait until the operator is checked and the run is planned."""
    waited(1)
    while "plan" in widget.jobs:
        waited(0.1)


def restored(viewer: Any, widget: Any) -> None:
    """Restore, and show data, mean and std side by side."""
    widget.controls.fields["n_draws"].value = DRAWS
    settled(widget)
    widget.start()
    ended(widget)
    while "layers" in widget.jobs:
        waited(0.1)
    for layer in list(viewer.layers):
        if not layer.visible or role_of(layer) not in ("", "mean", STD):
            viewer.layers.remove(layer)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.grid.shape = (-1, -1) if len(viewer.layers) > 3 else (1, -1)
    viewer.reset_view()
    settled(widget)


def inpainting() -> None:
    """Show a painted mask with its check, then what was found beneath it."""
    clean = camera()[PART].astype(float)
    labels = np.zeros(clean.shape, dtype=np.uint8)
    labels[70:80, 16:80] = 1
    labels[20:60, 92:97] = 1
    viewer, widget = opened("camera", np.where(labels, 250.0, clean))
    marks = viewer.add_labels(labels, name="scratches")
    widget.controls.layer.value = viewer.layers["camera"]
    widget.physics.sources["mask"].value = PAINTED
    widget.physics.marks.choose(marks)
    settled(widget)
    kept(viewer, "restore-mask.png")
    restored(viewer, widget)
    kept(viewer, "restore-inpainted.png")
    viewer.close()


def deblurring() -> None:
    """Show what an instrument would see of a layer."""
    viewer, widget = opened("camera", camera()[PART].astype(float))
    widget.physics.operator.value = "blur"
    widget.physics.std.value = 3.0
    widget.controls.preview.value = True
    while not any("simulated" in layer.name for layer in viewer.layers):
        waited(0.1)
    viewer.grid.enabled = True
    viewer.grid.stride = -1
    viewer.grid.shape = (1, 2)
    viewer.reset_view()
    settled(widget)
    kept(viewer, "restore-simulated.png")
    viewer.close()


def finer() -> None:
    """Show binned data with the finer image behind them."""
    clean = camera()[PART].astype(float)
    data = Downsample(2)(clean)
    viewer, widget = opened("binned", data, scale=(0.2, 0.2), units=("um", "um"))
    widget.physics.operator.value = "downsample"
    restored(viewer, widget)
    kept(viewer, "restore-finer.png")
    viewer.close()


PICTURES = {"inpainting": inpainting, "deblurring": deblurring, "finer": finer}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
