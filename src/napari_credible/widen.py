"""Learn the factor on intervals from images whose truth is known, and keep it in the recipe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible import geometry
from napari_credible.batch import files_of
from napari_credible.calibration import enough, widening
from napari_credible.io import Image, read
from napari_credible.operators import Operator
from napari_credible.plan import named_operator
from napari_credible.planes import Progress
from napari_credible.posed import operator_for
from napari_credible.recipe import UNSURE, Recipe
from napari_credible.run import steps
from napari_credible.stopping import Stopped

_SIMULATED = "; the data of these images were made by the recipe's own operator and noise"


def widened(
    recipe: Recipe,
    pairs: Sequence[tuple[Image, Any]],
    *,
    simulated: bool = False,
    denoiser: Callable[..., Any] | None = None,
    sampler: Any = None,
    operator: Operator | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Recipe]:
    """Return the recipe with the factor that makes its intervals hold, and what that rests on.

    Parameters
    ----------
    recipe : Recipe
        Of method "sample", "spread" or "restore"; its ``level`` is the one that shall hold.
    pairs : sequence of (Image, ndarray)
        Calibration images, each with its truth in the same units: for example one exposure and
        the mean of many. See :func:`napari_credible.calibration.widening` for how many.
    simulated : bool
        Whether the images were made of their truths: the guarantee says so.
    denoiser, sampler, operator : optional
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
        wanted = _shape(plain, image, operator)
        if wanted != np.shape(truth):
            raise ValueError(
                f"{image.name or f'image {number}'} has shape {image.shape} and its truth "
                f"{np.shape(truth)}; give a truth of {wanted} pixels"
            )
        going = steps(
            plain, image, denoiser=denoiser, sampler=sampler, operator=operator, stop=stop
        )
        posterior = yield from _posterior(going, number, len(pairs))
        if stop is not None and stop():
            raise Stopped
        found.append((posterior, np.asarray(truth, dtype=np.float64)))
    learned: Recipe = widening(found, recipe.level).on(recipe)
    if simulated:
        learned = learned.replace(guarantee=f"{learned.guarantee}{_SIMULATED}")
    return learned


def _shape(recipe: Recipe, image: Image, operator: Operator | None) -> tuple[int, ...]:
    """Return the shape of what the recipe finds."""
    if recipe.method != "restore":
        return image.shape
    return geometry.frame(operator_for(recipe, image, operator), image).shape


def _posterior(going: Any, number: int, count: int) -> Generator[Progress, None, Any]:
    while True:
        try:
            step = next(going)
        except StopIteration as end:
            return end.value.posterior
        share = step.done / max(step.total, 1)
        yield Progress(int(100 * (number + share)), 100 * count, f"image {number + 1}")


def made_of(recipe: Recipe, clean: Path) -> list[tuple[Image, Any]]:
    """Return data made of the clean images of a folder, by a recipe's operator and noise.

    Raises
    ------
    ValueError
        Where the recipe names no noise.
    """
    found = []
    for seed, path in enumerate(files_of(clean)):
        try:
            found.append(simulated(recipe, read(path), seed))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
    return found


def simulated(recipe: Recipe, truth: Image, seed: int = 0) -> tuple[Image, NDArray[np.float64]]:
    """Return data as they would come from a clean image, and that image.

    Parameters
    ----------
    recipe : Recipe
        Its noise; for "restore" also its operator.
    truth : Image
        In the units of the data, their offset included where the operator keeps constants. For
        "restore" one plane, or three colours where the operator takes these; rows and columns
        that fill no pixel of the data are left out.
    seed : int
        Of the noise.
    """
    model = recipe.noise
    if model is None or isinstance(model, tuple):
        raise ValueError("data are made with one noise model; name it in the recipe")
    rng = np.random.default_rng((recipe.seed, seed))
    if recipe.method != "restore":
        light = np.asarray(truth.array, dtype=np.float64)
        return truth.with_array(model.draw(light, rng)), light
    operator = named_operator(recipe)
    light = _image_of(truth, operator)
    operator = geometry.fitted(operator, truth)
    seen = geometry.light_behind(operator, getattr(model, "offset", 0.0), light)
    return _data_of(truth, operator, model.draw(seen, rng)), light


def _image_of(truth: Image, operator: Operator) -> NDArray[np.float64]:
    """Return the light of a clean image as an operator takes it."""
    light = np.asarray(truth.opaque().ordered(), dtype=np.float64)
    if light.ndim != operator.image_ndim:
        wanted = "three colours" if operator.image_ndim == 3 else "one plane"
        raise ValueError(f"an image {truth.axes} of shape {truth.shape}; {operator} takes {wanted}")
    rows, columns = (n - n % operator.coarser for n in light.shape[-2:])
    return light[..., :rows, :columns]


def _data_of(truth: Image, operator: Operator, counts: NDArray[np.float64]) -> Image:
    """Return data as an image with the pixels that it would have."""
    if not geometry.pictured(operator):
        return Image(counts, "YX", name=truth.name)
    places = [truth.axes.index(axis) for axis in "YX"]
    scale = tuple(operator.coarser * truth.scale[place] for place in places)
    units = tuple(truth.axis_units[place] for place in places)
    return Image(counts, "YX", scale=scale, axis_units=units, name=truth.name)


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
