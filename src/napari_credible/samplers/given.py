"""Samplers of P(x | y) where y = H x + n: the data are not the state, but speak at every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol, runtime_checkable

from napari_credible.problem import Problem
from napari_credible.samplers.protocol import Denoise, Noise, State


@runtime_checkable
class Restorer(Protocol):
    """Draws from P(x | y), y = H x + n, by calling D(x, sigma).

    Numbers only, as :class:`napari_credible.samplers.Sampler`.
    """

    kind: ClassVar[str]

    @property
    def evaluations(self) -> int:
        """About how often the denoiser is called, or passed back through, for one draw."""
        ...

    def steps(self, problem: Problem) -> int:
        """Return how often :meth:`step` is called."""
        ...

    def start(self, denoise: Denoise, problem: Problem, noise: Noise) -> State:
        """Return the first state."""
        ...

    def step(
        self, state: State, number: int, denoise: Denoise, problem: Problem, noise: Noise
    ) -> State:
        """Return the state after step ``number``, counted from 0."""
        ...


def walk_given(
    sampler: Restorer, denoise: Denoise, problem: Problem, noise: Noise
) -> Iterator[State]:
    """Yield the states from the first to the draws, which are the last one's ``clean``.

    Parameters
    ----------
    sampler : Restorer
        The numbers.
    denoise : callable
        D(x, sigma) on (B, C, Y, X).
    problem : Problem
        Data, operator and noise.
    noise : callable
        Returns standard normal numbers of shape (draws, C, Y, X).
    """
    state = sampler.start(denoise, problem, noise)
    yield state
    for number in range(sampler.steps(problem)):
        state = sampler.step(state, number, denoise, problem, noise)
        yield state
