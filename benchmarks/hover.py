"""How many pixels a second the inspector reads under a moving mouse, 64 draws of 2048 x 2048.

sh scripts/with-display.sh python benchmarks/hover.py [SIDE]
"""

import sys
import time
from statistics import median
from types import SimpleNamespace

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

import napari_credible as nc
from napari_credible.gui.family import MEAN, Family
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.result import Result
from napari_credible.stored import Store

DRAWS, MOVES = 64, 150


def drawn(side: int, on_disk: bool) -> Posterior:
    """Return draws of nothing but noise, in memory or on disk."""
    rng = np.random.default_rng(0)
    shape = (side, side)
    if not on_disk:
        draws = np.empty((DRAWS, *shape), dtype=np.float32)
        for draw in draws:
            rng.standard_normal(out=draw, dtype=np.float32)
        return Posterior(draws)
    store = Store(shape, DRAWS)
    for _ in range(DRAWS):
        store.add(rng.standard_normal(shape, dtype=np.float32))
    return store.posterior()


def result_of(posterior: Posterior, side: int) -> Result:
    """Return a result as a run would give it."""
    source = nc.Image(np.zeros((side, side), dtype=np.float32), name="noise")
    mean = np.zeros((side, side), dtype=np.float32)
    flags = np.zeros((side, side), dtype=np.uint8)
    model = nc.Gaussian(1.0)
    recipe = Recipe(method="sample", noise=model, n_draws=DRAWS)
    return Result(mean, flags, recipe, (model,), source, posterior=posterior)


def seconds_of(viewer: napari.Viewer, widget: object, row: int, column: int) -> float:
    """Return the seconds from a move of the mouse until the answer is painted."""
    event = SimpleNamespace(position=np.array([row, column], dtype=float))
    title = f"pixel (row {row}, column {column})"
    started = time.perf_counter()
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, event)
    while widget.look.reading is None or widget.look.reading.title != title:
        QApplication.processEvents()
    widget.look.controls.histogram.repaint()
    return time.perf_counter() - started


def measured(side: int, on_disk: bool) -> list[float]:
    """Return the seconds of each of many moves along a line, once the charts are there."""
    result = result_of(drawn(side, on_disk), side)
    viewer = napari.Viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Uncertainty inspector")
    family = Family(result.posterior, result)
    layer = viewer.add_image(result.estimate, name="mean", contrast_limits=(0, 1))
    family.join(layer, MEAN)
    widget.families.refresh()
    end = time.perf_counter() + 3
    while time.perf_counter() < end:
        QApplication.processEvents()
    path = np.linspace(10, side - 10, MOVES + 1).astype(int)
    times = [seconds_of(viewer, widget, int(k), int(side - k)) for k in path][1:]
    widget.close()
    viewer.close()
    return times


if __name__ == "__main__":
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    print(f"{DRAWS} draws of {side} x {side}; {MOVES} moves along the diagonal")
    for where in ("in memory", "on disk"):
        times = sorted(measured(side, where == "on disk"))
        print(
            f"{where}: {1 / median(times):.0f} a second (median {1e3 * median(times):.0f} ms, "
            f"95 % within {1e3 * times[int(0.95 * len(times))]:.0f} ms); at most 30 are read"
        )
