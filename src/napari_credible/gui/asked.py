"""What the form asks, captured on the main thread before a worker starts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari_credible.gui.noise_panel import NoiseQuestion
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.result import Result
from napari_credible.run import steps

Model = Gaussian | PoissonGaussian
Stop = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Asked:
    """A layer, how to read it, and what to do with it.

    Attributes
    ----------
    layer : napari.layers.Image
        Only to be looked at on the main thread.
    image : Image
        Its pixels, by reference.
    attributes : dict
        What a result shares with the layer.
    recipe : Recipe
        Its noise is None where it is still to be measured.
    question : NoiseQuestion
        How to measure it.
    """

    layer: Any
    image: Image
    attributes: dict[str, Any]
    recipe: Recipe
    question: NoiseQuestion

    def measured(self) -> Generator[Progress, None, Recipe]:
        """Return the recipe with its noise known; measure it where it is not."""
        if self.recipe.noise is not None:
            return self.recipe
        yield Progress(0, 1, "measuring the noise")
        models = self.question.answer(self.image.opaque(), self.recipe.seed)
        return self.recipe.replace(noise=models if self.image.channel_axis else models[0])


def run(
    asked: Asked, stop: Stop, region: Region | None = None, scratch: str | None = None
) -> Generator[Progress, None, Result]:
    """Measure the noise where that is asked, then do what the recipe asks."""
    recipe = yield from asked.measured()
    return (yield from steps(recipe, asked.image, region=region, scratch=scratch, stop=stop))


def measure(asked: Asked, _: Stop) -> Generator[Progress, None, tuple[Model, ...]]:
    """Measure the noise of every channel."""
    recipe = yield from asked.measured()
    return recipe.noise if isinstance(recipe.noise, tuple) else (recipe.noise,)
