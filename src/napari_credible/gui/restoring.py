"""Restoring in a worker: the physics looked at, then draws with their maps, or one image."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.noise_question import MEASURE
from napari_credible.gui.physics_question import Physics, PhysicsQuestion
from napari_credible.gui.placing import moved, regridded
from napari_credible.gui.planner import planned
from napari_credible.gui.sampling import Drawn, Seen, drawn
from napari_credible.io.image import Image
from napari_credible.plan import named_operator
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.restorers import draws_by_name, spectral
from napari_credible.result import Result
from napari_credible.run import steps

if TYPE_CHECKING:
    from napari_credible.operators import Operator
    from napari_credible.parted import Part

# An operator that knows its image's size is checked on so many pixels of it.
_CHECKED = 128
# It takes the data as they are, without noise.
_EXACT = "ks"
_CUT = "The layer's outermost pixels, for which it looks beyond the layer, are left out."


@dataclass(frozen=True, eq=False)
class RestoreAsked(Asked):
    """What the form asks, with the physics that are still to be found.

    Attributes
    ----------
    physics : PhysicsQuestion, optional
        None: the recipe has its operator.
    """

    physics: PhysicsQuestion | None = None

    def physical(self) -> Generator[Progress, None, Recipe]:
        """Return the recipe with its operator."""
        if self.physics is None:
            return self.recipe
        yield Progress(0, 1, "finding the operator")
        found = self.physics.answer(self.image)
        return self.recipe.replace(operator=found.spelling)

    def measured(self) -> Generator[Progress, None, Recipe]:
        """Return the recipe with its operator and its noise: of the data that the operator sees."""
        recipe = yield from self.physical()
        if recipe.noise is not None or recipe.solver == _EXACT:
            return recipe
        yield Progress(0, 1, "measuring the noise")
        if self.question.kind == MEASURE:
            from napari_credible.posed import measured

            models = tuple(measured(recipe, self.image, named_operator(recipe)))
        else:
            models = self.question.answer(self.image.opaque(), recipe.seed)
        return recipe.replace(noise=models if self.image.channel_axis else models[0])


@dataclass(frozen=True, eq=False)
class Solved:
    """One image, and where it lies."""

    result: Result
    seen: Seen


@dataclass(frozen=True, eq=False)
class Looked:
    """What is said before a run: the plan, and of the operator what was checked."""

    plan: str
    words: str
    physics: Physics


def restored(
    asked: Asked, region: Region | None, scratch: str | None, stop: Stop
) -> Generator[Progress, None, Drawn | Solved]:
    """Restore as a recipe asks; stopped after two draws, it ends with what is done."""
    from napari_credible.parted import parted
    from napari_credible.posed import operator_for

    recipe = yield from asked.measured()
    operator = operator_for(recipe, asked.image)
    part = parted(asked.image, operator, region, spectral=spectral(recipe.solver))
    seen = seen_of(part, asked)
    going = steps(recipe, asked.image, region=region, scratch=scratch, stop=stop)
    if draws_by_name(recipe.solver):
        return (yield from drawn(going, recipe, seen))
    result = yield from going
    return Solved(result, seen)


def seen_of(part: Part, asked: Asked) -> Seen:
    """Return what is restored: its axes, and where its layers lie."""
    from napari_credible import geometry

    image, operator, made = asked.image, part.operator, part.frame()
    rows, columns = geometry.first_pixel(operator)
    first = (rows - (part.inner[0].start or 0), columns - (part.inner[1].start or 0))
    begun = moved(asked.attributes, part.read.start)
    attributes = regridded(begun, image, made, first, operator.coarser)
    if geometry.pictured(operator):
        return Seen(made, attributes)
    attributes.pop("contrast_limits", None)
    labels = list(attributes["axis_labels"])
    for axis in "YX":
        labels[image.axes.index(axis)] = axis.lower()
    return Seen(made, {**attributes, "axis_labels": tuple(labels)}, alike=False)


def looked(
    asked: RestoreAsked, region: Region | None, stop: Stop
) -> Generator[Progress, None, Looked]:
    """Find the operator, check it, and plan the run on a part of the data, or on all.

    Raises
    ------
    ValueError
        One sentence, where the operator cannot be or does not fit the data.
    """
    from napari_credible.geometry import fitted
    from napari_credible.parted import parted

    yield Progress(0, 1, "looking at the physics")
    assert asked.physics is not None
    physics = asked.physics.answer(asked.image)
    operator = fitted(physics.operator, asked.image, physics.operator.coarser)
    said = [physics.words, _resampled(physics.operator, operator), checked(operator, asked.image)]
    recipe = asked.recipe.replace(operator=physics.spelling)
    try:
        part = parted(asked.image, operator, region, spectral=spectral(recipe.solver))
    except ValueError as error:  # the operator is right all the same
        return Looked(str(error), " ".join(filter(None, said)), physics)
    if part.region != region:
        said.append(_CUT)
    ready = replace(asked, recipe=recipe, physics=None, image=part.image)
    plan = yield from planned(ready, None, stop, part.operator)
    return Looked(plan, " ".join(filter(None, said)), physics)


def _resampled(before: Operator, after: Operator) -> str:
    from napari_credible.operators import Blur

    if before == after or not isinstance(before, Blur) or not isinstance(after, Blur):
        return ""
    sides = [" × ".join(str(n) for n in each.psf.shape) for each in (before, after)]
    if sides[0] == sides[1]:
        return "The PSF has the data's pixels."
    return f"PSF of {sides[0]} pixels resampled to {sides[1]} of the data's."


def checked(operator: Operator, data: Image) -> str:
    """Return what an operator does with data of this shape, and what was checked, in one line.

    Raises
    ------
    ValueError
        Where it does not fit the data, or its adjoint fails.
    """
    from napari_credible.operators import check_operator

    found = tuple(int(n) for n in data.ordered().shape[-2:])
    image = operator.image_shape(found)
    report = check_operator(_smaller(operator))
    sides = " × ".join(str(n) for n in image[-2:])
    colours = f"{image[0]} colours of " if len(image) > 2 else ""
    return (
        f"Data of {found[0]} × {found[1]} from an image of {colours}{sides}. "
        f"Adjoint checked within {report.adjoint:.0e}, norm {report.norm:.3g}."
    )


def _smaller(operator: Operator) -> Operator:
    """Return an operator that keeps the same promises on fewer pixels."""
    from napari_credible.operators import Mask

    if not isinstance(operator, Mask) or max(operator.mask.shape) <= _CHECKED:
        return operator
    mask = np.asarray(operator.mask)
    rows, columns = (int(np.argmax(mask.any(1 - axis))) for axis in (0, 1))
    # The first row and the first column that are seen need not meet in a pixel that is.
    part = mask[rows : rows + _CHECKED, columns : columns + _CHECKED]
    return Mask(part) if part.any() else operator
