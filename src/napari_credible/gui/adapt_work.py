"""What the Adapt widget's workers do: measure, adapt, compare, denoise before and after."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari_credible.adapt.modes import Mode
from napari_credible.adaptation import steps
from napari_credible.compare import comparing
from napari_credible.denoise import denoisers
from napari_credible.denoise.learned import Learned
from napari_credible.denoise.load import load_denoiser
from napari_credible.gui.noise_panel import NoiseQuestion
from napari_credible.io.image import Image
from napari_credible.recipe import Recipe
from napari_credible.run import steps as run_steps

Stop = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Question:
    """What the form asks, captured on the main thread before a worker starts."""

    layer: Any
    image: Image
    noise: Any
    measure: NoiseQuestion
    denoiser: str
    mode: Mode
    examples: tuple[Image, ...]

    def known_noise(self) -> Any:
        """Return the noise, measured where it is not known."""
        if self.noise is not None:
            return self.noise
        models = self.measure.answer(self.image.opaque(), 0)
        return models if self.image.channel_axis else models[0]


def adapted(asked: Question, enough: Stop, stop: Stop) -> Generator[Any, None, Learned]:
    """Adapt; ``enough`` ends it with the best so far, ``stop`` with nothing."""
    return (
        yield from steps(
            asked.image,
            asked.known_noise(),
            denoiser=asked.denoiser,
            mode=asked.mode,
            examples=list(asked.examples) or None,
            stop=lambda: enough() or stop(),
        )
    )


def compared(
    asked: Question, by: str, adapted: Learned | None, stop: Stop
) -> Generator[Any, None, Any]:
    """Rank the shipped denoisers and the adapted one, if there is one."""
    names: dict[str, Any] = {name: load_denoiser(name) for name in denoisers()}
    if adapted is not None:
        names[adapted.card.name] = adapted
    return (
        yield from comparing(asked.image, asked.known_noise(), denoisers=names, by=by, stop=stop)
    )


def measured(asked: Question, _: Stop) -> Generator[Any, None, Any]:
    """Measure the noise of every channel."""
    yield from ()
    models = asked.known_noise()
    return models if isinstance(models, tuple) else (models,)


def both(asked: Question, adapted: Learned, stop: Stop) -> Generator[Any, None, Any]:
    """Denoise with the network as it was, and as it is."""
    recipe = Recipe.of(noise=asked.known_noise(), denoiser=asked.denoiser)
    before = yield from run_steps(recipe, asked.image, stop=stop)
    after = yield from run_steps(
        recipe.replace(denoiser=f"custom:{adapted.card.name}", noise=before.recipe.noise),
        asked.image,
        denoiser=adapted,
        stop=stop,
    )
    return before, after
