"""The demonstration: three real samples denoised, a before-and-after picture, napari if it can."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.io.files import write
from napari_credible.io.image import Image
from napari_credible.recipe import Recipe
from napari_credible.result import Result
from napari_credible.samples import SAMPLES

_PANEL = 420
_GAP = 12
_LEGEND = 34
# Where in each sample the second pair of panels looks: rows, columns, side.
_ZOOM = {"photons": (60, 90, 96), "cells": (250, 150, 150), "stars": (265, 325, 150)}

Runner = Callable[[Recipe, Image], Result]


def denoise_samples(folder: Path, runner: Runner) -> list[Result]:
    """Denoise every sample into ``folder``, and print where everything is."""
    folder.mkdir(parents=True, exist_ok=True)
    results, rows = [], []
    for name, sample in SAMPLES.items():
        try:
            image = sample.read()
        except ValueError as error:
            print(f"{sample.title}: left out, {error}")
            continue
        result = runner(Recipe(), image)
        path = folder / f"{name}{'.fits' if sample.path.suffix == '.fits' else '.ome.tif'}"
        write(path, result.image, flags=result.flags, record=result.record())
        print(f"{sample.title}\n  noise: {result.noise[0]}\n  result: {path.resolve()}")
        results.append(result)
        rows.append(_row(name, sample.title, result))
    picture = folder / "before_after.png"
    _save(np.concatenate(rows), picture)
    print(f"Before and after: {picture.resolve()}")
    return results


def open_napari(results: list[Result]) -> None:
    """Show inputs and estimates in napari, where it is installed and there is a display."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        print("No display is there, so napari is not opened.")
        return
    try:
        from napari_credible.gui.show import show_results
    except ImportError:
        print("napari is not installed, so it is not opened: pip install 'napari-credible[gui]'")
        return
    show_results(results)


def _row(name: str, title: str, result: Result) -> NDArray[np.uint8]:
    """Return before and after, whole and enlarged, at the same contrast, under a legend."""
    before, after = (_first_plane(a) for a in (result.source.array, result.estimate))
    low, high = np.quantile(before, [0.01, 0.997])
    y, x, side = _ZOOM[name]
    square = min(before.shape)
    panels = [
        _shown(a[rows, columns], low, high)
        for rows, columns in (
            (slice(0, square), slice(0, square)),
            (slice(y, y + side), slice(x, x + side)),
        )
        for a in (before, after)
    ]
    gap = np.full((_PANEL, _GAP), 255, np.uint8)
    joined = [part for panel in panels for part in (panel, gap)][:-1]
    body = np.concatenate(joined, axis=1)
    return np.concatenate([_legend(f"{title}: measured, denoised; enlarged", body.shape[1]), body])


def _first_plane(array: Any) -> NDArray[np.float32]:
    plane = np.asarray(array, dtype=np.float32)
    first: NDArray[np.float32] = plane.reshape(-1, *plane.shape[-2:])[0]
    return first


def _shown(plane: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    from skimage.transform import resize

    grey = np.clip((plane - low) / (high - low), 0, 1)
    square = resize(grey, (_PANEL, _PANEL), order=0, anti_aliasing=False)
    return np.asarray(np.round(255 * square), dtype=np.uint8)


def _legend(text: str, width: int) -> NDArray[np.uint8]:
    from PIL import Image as Picture
    from PIL import ImageDraw

    strip = Picture.new("L", (width, _LEGEND), 255)
    ImageDraw.Draw(strip).text((4, 8), text, fill=0, font_size=18)
    return np.asarray(strip)


def _save(picture: NDArray[np.uint8], path: Path) -> None:
    from skimage.io import imsave

    imsave(path, picture, check_contrast=False)
