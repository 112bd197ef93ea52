"""What a sampler is: a frozen set of numbers, and a step from one noise level to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

Denoise = Callable[["Tensor", float], "Tensor"]
# Standard normal numbers of the shape of the state, new ones at each call.
Noise = Callable[[], "Tensor"]


@dataclass(frozen=True, eq=False)
class State:
    """Where a draw is.

    Attributes
    ----------
    x : Tensor, shape (B, 1, Y, X)
        The images, with noise of ``level``.
    level : float
        Standard deviation of that noise, units of the image.
    clean : Tensor, shape of ``x``
        What the denoiser last made of them: the draws, once the last step is done.
    before : Tensor, optional
        What it made of them one step earlier.
    level_before : float
        The noise level then.
    """

    x: Tensor
    level: float
    clean: Tensor
    before: Tensor | None = None
    level_before: float = 0.0


@runtime_checkable
class Sampler(Protocol):
    """Draws from P(x | y), y = x + sigma z, by calling D(x, sigma).

    Numbers only: the denoiser, the data and the random numbers are handed in, so that one
    sampler serves any number of images at once.
    """

    @property
    def steps(self) -> int:
        """How often :meth:`step` is called."""
        ...

    @property
    def evaluations(self) -> int:
        """Calls of the denoiser for one draw, that of :meth:`start` included."""
        ...

    def start(self, denoise: Denoise, y: Tensor, sigma: float) -> State:
        """Return the state at the data themselves."""
        ...

    def step(self, state: State, number: int, denoise: Denoise, noise: Noise) -> State:
        """Return the state after step ``number``, counted from 0."""
        ...


def walk(
    sampler: Sampler, denoise: Denoise, y: Tensor, sigma: float, noise: Noise, count: int
) -> Iterator[State]:
    """Yield the states from the data to the draws; the last one's ``clean`` are the draws.

    Parameters
    ----------
    sampler : Sampler
        The numbers.
    denoise : callable
        D(x, sigma) on (B, 1, Y, X).
    y : Tensor, shape (1, 1, Y, X)
        The data.
    sigma : float
        Standard deviation of their noise.
    noise : callable
        Returns standard normal numbers of shape (count, 1, Y, X).
    count : int
        Draws made at once. All begin at y, which is therefore denoised once.
    """
    first = sampler.start(denoise, y, sigma)
    sizes = (count, -1, -1, -1)
    state = replace(first, x=first.x.expand(sizes), clean=first.clean.expand(sizes))
    yield state
    for number in range(sampler.steps):
        state = sampler.step(state, number, denoise, noise)
        yield state
