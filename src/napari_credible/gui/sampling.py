"""Sampling in a worker: draws, and now and then the maps of those that are done."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from napari_credible.gui.asked import Asked, Stop, run
from napari_credible.gui.family import EXCEEDANCE, LOWER, MEAN, STD, UPPER
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.result import Result

# Maps are made anew at most so often, and for at most this share of the time.
_SECONDS, _SHARE = 1.0, 0.1


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of the draws so far, by role."""

    n_draws: int
    by_role: dict[str, Any]

    @classmethod
    def of(cls, posterior: Any, recipe: Recipe) -> Maps:
        """Return mean, std and bounds, and the exceedance where it is asked."""
        lower, upper = posterior.interval(recipe.level)
        maps = {MEAN: posterior.mean, STD: posterior.std, LOWER: lower, UPPER: upper}
        if recipe.threshold is not None:
            maps[EXCEEDANCE] = posterior.exceedance(recipe.threshold)
        return cls(posterior.n_draws, maps)


@dataclass(frozen=True, eq=False)
class Drawn:
    """What sampling ended with."""

    result: Result
    maps: Maps


def sampled(
    asked: Asked, region: Region | None, scratch: str | None, stop: Stop
) -> Generator[Progress, None, Drawn]:
    """Sample as a recipe asks; the latest maps are the ``posterior`` of what is yielded.

    Stopped after two draws, it ends with what is done.
    """
    going = run(asked, stop, region, scratch)
    maps: Maps | None = None
    next_time = time.monotonic() + _SECONDS
    while True:
        try:
            step = next(going)
        except StopIteration as end:
            result: Result = end.value
            break
        posterior, now = step.posterior, time.monotonic()
        news = posterior is not None and (maps is None or posterior.n_draws > maps.n_draws)
        if news and (maps is None or now > next_time):
            maps = Maps.of(posterior, asked.recipe)
            spent = time.monotonic() - now
            next_time = time.monotonic() + max(_SECONDS, spent / _SHARE)
        yield replace(step, posterior=maps)
    maps = Maps.of(result.posterior, asked.recipe)
    # Where nothing was drawn the estimate holds the input.
    maps.by_role[MEAN] = result.estimate
    return Drawn(result, maps)
