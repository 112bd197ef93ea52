"""How good is a denoiser on this image? Three judges that never see the truth.

All errors are in units of the noise variance of the stabilised image, which is 1. A denoiser is
called with the map of levels of a scene, or with a number where it takes none: see
:func:`for_scene`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_credible.adapt.scene import Scene, held_out
from napari_credible.stopping import pause
from napari_credible.sure import Difference, Sure, sure

Denoise = Callable[..., Any]
# Sides of the part that is looked at, and planes: enough for a hundredth of a dB, in seconds.
_SIDE, _PLANES = 512, 3
# Sides of the cells whose errors are taken as independent of each other.
_CELL = 16


class Score(Protocol):
    """An estimated mean squared error."""

    @property
    def mse(self) -> float:
        """In units of the noise variance."""
        ...

    @property
    def error(self) -> float:
        """Standard error of ``mse``."""
        ...

    def minus(self, other: Any) -> Difference:
        """Return how much larger this error is than another's, with its standard error."""
        ...


class Judge(Protocol):
    """Gives a denoiser its score; ``of(scene)`` of the denoiser is asked for each plane."""

    def __call__(self, fitted: Callable[[Scene], Denoise]) -> Score:
        """Return the score of a denoiser, which ``fitted`` makes for a scene."""
        ...


@dataclass(frozen=True, eq=False)
class Together:
    """Scores of several planes."""

    parts: tuple[Any, ...]
    pixels: tuple[int, ...]

    @property
    def mse(self) -> float:
        """Mean over all pixels."""
        return self._mean([part.mse for part in self.parts])

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self._error([part.error for part in self.parts])

    def minus(self, other: Together) -> Difference:
        """Return the mean difference, plane by plane."""
        apart = [a.minus(b) for a, b in zip(self.parts, other.parts, strict=True)]
        return Difference(
            self._mean([d.value for d in apart]), self._error([d.error for d in apart])
        )

    def _mean(self, values: Sequence[float]) -> float:
        return sum(n * v for n, v in zip(self.pixels, values, strict=True)) / sum(self.pixels)

    def _error(self, errors: Sequence[float]) -> float:
        return math.hypot(*(n * e for n, e in zip(self.pixels, errors, strict=True))) / sum(
            self.pixels
        )


@dataclass(frozen=True, eq=False)
class ByStein:
    """Stein's unbiased estimate of the error.

    Attributes
    ----------
    scenes : sequence of Scene
        Up to three of them are looked at, in the middle 512 x 512 pixels.
    everywhere : bool
        Judge by all known pixels, right where the weights do not depend on this image's noise;
        else by the held-out ones.
    """

    scenes: Sequence[Scene]
    everywhere: bool = False

    def __call__(self, fitted: Callable[[Scene], Denoise]) -> Together:
        """Return the score."""
        parts = list[Sure]()
        pixels = list[int]()
        for scene in _some(self.scenes):
            judging = _judging(scene, self.everywhere)
            noisy = scene.stabilised(scene.noisy)[None, None]
            found = sure(fitted(scene), noisy, scene.level[None, None]).within(judging[None, None])
            parts.append(found)
            pixels.append(int(judging.sum()))
        return Together(tuple(parts), tuple(pixels))


@dataclass(frozen=True, eq=False)
class Cells:
    """Squared errors in independent cells, less the variance of the target."""

    values: Tensor
    counts: Tensor

    @property
    def mse(self) -> float:
        """Mean over all pixels."""
        return float(self.values.sum() / self.counts.sum())

    @property
    def error(self) -> float:
        """Standard error, from the spread of the cells."""
        return self._error(self.values, self.mse)

    def minus(self, other: Cells) -> Difference:
        """Return the mean difference, cell by cell."""
        apart = self.values - other.values
        mean = float(apart.sum() / self.counts.sum())
        return Difference(mean, self._error(apart, mean))

    def _error(self, values: Tensor, mean: float) -> float:
        off = values - mean * self.counts
        return float(off.square().sum().sqrt() / self.counts.sum())


@dataclass(frozen=True, eq=False)
class ByHiddenPixels:
    """Squared distance of hidden pixels from what their neighbours foretell, less the noise.

    It asks only that the noise of a pixel is independent of the others', not what it is; but it
    judges the denoiser without the pixel itself, which is less than it will be given.

    Attributes
    ----------
    scenes : sequence of Scene
        Looked at as by :class:`ByStein`.
    everywhere : bool
        As there.
    spacing : int
        One pixel in ``spacing`` squared is hidden in each pass.
    passes : int
        Each hides other pixels.
    variance : float
        Of the stabilised noise, which is taken off; 0 where it is not known to be 1.
    """

    scenes: Sequence[Scene]
    everywhere: bool = False
    spacing: int = 4
    variance: float = 1.0
    passes: int = 2

    def __call__(self, fitted: Callable[[Scene], Denoise]) -> Together:
        """Return the score."""
        import numpy as np

        from napari_credible.adapt.objectives import lattice, without

        parts, pixels = list[Cells](), list[int]()
        rng = np.random.default_rng(0)
        for scene in _some(self.scenes):
            judging = _judging(scene, self.everywhere)
            noisy = scene.stabilised(scene.noisy)[None, None]
            error, count = torch.zeros_like(noisy), torch.zeros_like(noisy)
            for _ in range(self.passes):
                hidden = lattice(tuple(noisy.shape), self.spacing, rng) * judging
                with torch.inference_mode():
                    found = fitted(scene)(without(noisy, hidden), scene.level[None, None])
                error += hidden * ((found - noisy).square() - self.variance * scene.level.square())
                count += hidden
            parts.append(cells(error, count))
            pixels.append(int(judging.sum()))
        return Together(tuple(parts), tuple(pixels))


@dataclass(frozen=True, eq=False)
class ByNextFrame:
    """Squared distance of a denoised frame from the next, less the noise of that.

    Attributes
    ----------
    pairs : sequence of (Scene, Scene)
        Neighbouring planes of one channel.
    """

    pairs: Sequence[tuple[Scene, Scene]]

    def __call__(self, fitted: Callable[[Scene], Denoise]) -> Together:
        """Return the score."""
        parts, pixels = list[Cells](), list[int]()
        for pair in self.pairs[:: max(1, len(self.pairs) // _PLANES)][:_PLANES]:
            here, there = (_middle(scene) for scene in pair)
            judging = _judging(here, False) & there.known
            with torch.inference_mode():
                found = fitted(here)(
                    here.stabilised(here.noisy)[None, None], here.level[None, None]
                )
            apart = found - there.stabilised(there.noisy)
            error = (apart.square() - there.level.square()) * judging
            parts.append(cells(error, judging[None, None].float()))
            pixels.append(int(judging.sum()))
        return Together(tuple(parts), tuple(pixels))


def for_scene(denoiser: Denoise, scene: Scene) -> Denoise:
    """Return a denoiser that is told levels in the way that it takes them, fitted to a scene."""
    fit = getattr(denoiser, "fitted", None)
    own = fit(scene.low, scene.low + scene.span) if fit else denoiser
    maps = bool(getattr(denoiser, "takes_maps", False))

    def denoise(x: Tensor, level: Tensor) -> Tensor:
        pause()
        found: Tensor = own(x, replace(scene, level=level[0, 0]).told(maps))
        return found

    return denoise


def cells(error: Tensor, count: Tensor) -> Cells:
    """Return the sums of errors and counts (1, 1, Y, X) over cells of 16 x 16 pixels."""
    sums = [
        F.avg_pool2d(t, _CELL, ceil_mode=True, divisor_override=1).double().flatten()
        for t in (error, count)
    ]
    seen = sums[1] > 0
    return Cells(sums[0][seen], sums[1][seen])


def _judging(scene: Scene, everywhere: bool) -> Tensor:
    if everywhere or not bool((held := held_out(scene.noisy.shape) & scene.known).any()):
        return scene.known
    return held


def _some(scenes: Sequence[Scene]) -> list[Scene]:
    """Return the middles of a few scenes, evenly chosen."""
    return [_middle(s) for s in list(scenes)[:: max(1, len(scenes) // _PLANES)][:_PLANES]]


def _middle(scene: Scene) -> Scene:
    """Return the middle of a scene, from a multiple of the held-out lattice on."""
    cut = []
    for n in scene.noisy.shape:
        start = max(0, (n - _SIDE) // 2) // 64 * 64
        cut.append(slice(start, start + _SIDE))
    rows, columns = cut
    return replace(
        scene,
        noisy=scene.noisy[rows, columns],
        level=scene.level[rows, columns],
        known=scene.known[rows, columns],
    )
