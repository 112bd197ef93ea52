"""What a run will take, said before it starts: tiles, memory, seconds from one timed tile."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from napari_credible.gui.asked import Asked, Stop
from napari_credible.plan import load, placed, plan
from napari_credible.planes import Progress, seconds_per_pixel
from napari_credible.region import Region
from napari_credible.stopping import stoppable

# Seconds a pixel by denoiser, device and precision: timed once a session.
_TIMED: dict[tuple[str, str, bool], float] = {}


def planned(
    asked: Asked, region: Region | None, stop: Stop, operator: Any = None
) -> Generator[Progress, None, str]:
    """Return the plan in one sentence, with the duration that a timed tile foretells.

    An operator that was made ready for the image is planned with as it is.
    """
    recipe = yield from asked.physical()
    yield Progress(0, 1, "timing one tile")
    denoiser = load(recipe)
    image = asked.image if region is None else region.outline(asked.image)
    todo = plan(recipe, image, denoiser, operator=operator)
    key = (asked.recipe.denoiser, todo.device, todo.bfloat16)
    if key not in _TIMED:
        with stoppable(stop):
            _TIMED[key] = seconds_per_pixel(placed(denoiser, todo), todo.device)
    return todo.describe(todo.seconds(_TIMED[key]))
