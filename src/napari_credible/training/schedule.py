"""Numbers of a training run: length, rates, crops, noise levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from napari_credible.knob import Knob


@dataclass(frozen=True)
class Plan:
    """Length, rates and crops.

    Parameters
    ----------
    pixels : float
        Pixels to train on in all.
    stages : tuple of (float, int, int)
        From this share of the run on: crops a step, and their side in pixels.
    optimiser : str
        ``adamw``; or ``muon``, for the filters of a U-Net: from scratch it comes as far in fewer
        pixels.
    rate, decay : float
        Learning rate, and the last share of the run over which it falls to zero.
    warm_up : int
        Steps over which the rate rises at first.
    ema : float
        Decay a step of the averaged weights, which are the ones exported.
    clip : float
        Largest norm of the gradient.
    freeze : float
        From this share of the run on, batch normalisation uses the averages of what it met, as
        it will after training, and no longer each batch's own: crops of different levels make
        the two differ.
    seed : int
        Of the weights' start and of the data.
    bfloat16 : bool, optional
        Compute in bfloat16; None does so on CUDA. Faster on some CPUs, slower on others: measure.
    checkpoint_s : float
        Seconds between two checkpoints.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    pixels: Annotated[float, Knob(0, 1e15, "pixels", "to train on", above=True)] = 1e9
    stages: tuple[tuple[float, int, int], ...] = ((0.0, 8, 64), (0.55, 8, 96), (0.85, 4, 128))
    optimiser: Literal["adamw", "muon"] = "adamw"
    rate: Annotated[float, Knob(0, 1, "", "of learning", above=True)] = 6e-4
    decay: Annotated[float, Knob(0, 1, "", "share of the run", above=True)] = 0.6
    warm_up: Annotated[int, Knob(1, 10**6, "", "steps")] = 500
    ema: Annotated[float, Knob(0, 1, "", "decay of the averaged weights")] = 0.999
    clip: Annotated[float, Knob(0, 1e6, "", "largest norm of the gradient", above=True)] = 1.0
    freeze: Annotated[float, Knob(0, 1, "share of the run", "batch averages until then")] = 0.5
    seed: Annotated[int, Knob(0, 2**31 - 1, "", "of weights and data")] = 0
    bfloat16: bool | None = None
    checkpoint_s: Annotated[float, Knob(0, 1e6, "s", "between two checkpoints")] = 180.0

    def __post_init__(self) -> None:
        starts = [stage[0] for stage in self.stages]
        if not starts or starts[0] != 0 or starts != sorted(starts) or starts[-1] >= 1:
            raise ValueError(
                f"stages start at shares {starts}; give rising shares of the run from 0 to below 1"
            )
        if any(count < 1 or side < 16 for _, count, side in self.stages):
            raise ValueError("a stage has no crops, or crops of a side below 16; give larger ones")

    def rate_at(self, pixels: float, step: int) -> float:
        """Return the learning rate: rising at first, constant, then a cosine to zero."""
        fallen = max(0.0, pixels / self.pixels - (1 - self.decay)) / self.decay
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, fallen)))
        return self.rate * cosine * min(1.0, (step + 1) / self.warm_up)

    def frozen_at(self, pixels: float) -> bool:
        """Return whether batch normalisation uses the averages of what it met."""
        return pixels >= self.freeze * self.pixels

    def crops_at(self, pixels: float) -> tuple[int, int]:
        """Return the number and the side of the crops of a step."""
        share = pixels / self.pixels
        _, count, side = max(stage for stage in self.stages if stage[0] <= share)
        return count, side


@dataclass(frozen=True)
class Levels:
    """Density of the noise levels, as shares of the image range.

    A share is log-uniform over [low, high]: a sampler spends most of its steps at small levels.
    The rest is uniform over [0, usual], the levels at which photographs are usually tested.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    low: Annotated[float, Knob(0, 1, "image range", "lowest level", above=True)] = 1e-3
    high: Annotated[float, Knob(0, 1, "image range", "highest level", above=True)] = 1.0
    usual: Annotated[float, Knob(0, 1, "image range", "end of the uniform part")] = 80 / 255
    log_share: Annotated[float, Knob(0, 1, "", "of log-uniform levels")] = 0.4

    @property
    def highest(self) -> float:
        """The highest level that is drawn."""
        return max(self.high if self.log_share > 0 else 0, self.usual if self.log_share < 1 else 0)

    def draw(self, rng: Generator, count: int) -> NDArray[np.float32]:
        """Draw ``count`` levels."""
        logarithmic = np.exp(rng.uniform(np.log(self.low), np.log(self.high), count))
        uniform = rng.uniform(0, self.usual, count)
        return np.where(rng.random(count) < self.log_share, logarithmic, uniform).astype(np.float32)
