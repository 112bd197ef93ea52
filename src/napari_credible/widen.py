"""Learn the factor on intervals from images whose truth is known, and keep it in the recipe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_credible.batch import files_of
from napari_credible.calibration import enough, widening
from napari_credible.io import Image, read
from napari_credible.planes import Progress
from napari_credible.recipe import UNSURE, Recipe
from napari_credible.run import steps
from napari_credible.stopping import Stopped


def widened(
    recipe: Recipe,
    pairs: Sequence[tuple[Image, Any]],
    *,
    denoiser: Callable[..., Any] | None = None,
    sampler: Any = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Recipe]:
    """Return the recipe with the factor that makes its intervals hold, and what that rests on.

    Parameters
    ----------
    recipe : Recipe
        Of method "sample" or "spread"; its ``level`` is the one that shall hold.
    pairs : sequence of (Image, ndarray)
        Calibration images, each with its truth in the same units: for example one exposure and
        the mean of many. See :func:`napari_credible.calibration.widening` for how many.
    denoiser, sampler : optional
        The caller's own: see :func:`napari_credible.run.steps`.
    stop : callable, optional
        Asked often; where it returns True, ``Stopped`` is raised.
    """
    if recipe.method not in UNSURE:
        raise ValueError(
            f"a recipe of method {recipe.method!r} has no intervals; give one of "
            f"{', '.join(UNSURE)}"
        )
    enough(len(pairs), recipe.level)
    plain = recipe.replace(widen=1.0, guarantee="", keep="draws")
    found = []
    for number, (image, truth) in enumerate(pairs):
        if image.shape != np.shape(truth):
            raise ValueError(
                f"{image.name or f'image {number}'} has shape {image.shape} and its truth "
                f"{np.shape(truth)}; give both of the same pixels"
            )
        going = steps(plain, image, denoiser=denoiser, sampler=sampler, stop=stop)
        posterior = yield from _posterior(going, number, len(pairs))
        if stop is not None and stop():
            raise Stopped
        found.append((posterior, np.asarray(truth, dtype=np.float64)))
    learned: Recipe = widening(found, recipe.level).on(recipe)
    return learned


def _posterior(going: Any, number: int, count: int) -> Generator[Progress, None, Any]:
    while True:
        try:
            step = next(going)
        except StopIteration as end:
            return end.value.posterior
        share = step.done / max(step.total, 1)
        yield Progress(int(100 * (number + share)), 100 * count, f"image {number + 1}")


def paired(noisy: Path, truth: Path) -> list[tuple[Image, Any]]:
    """Return the images of a folder, each with the file of the same name in the other folder.

    Raises
    ------
    ValueError
        Where an image has no truth.
    """
    truths = {path.name.split(".")[0]: path for path in files_of(truth)}
    images = files_of(noisy)
    missing = [path.name for path in images if path.name.split(".")[0] not in truths]
    if missing:
        raise ValueError(f"{truth} has no file named like {missing[0]}; give each image its truth")
    return [(read(path), read(truths[path.name.split(".")[0]]).array) for path in images]
