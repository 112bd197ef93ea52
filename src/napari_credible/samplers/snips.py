r"""SNIPS: annealed Langevin dynamics in the singular basis of H.

Along the singular vector i, the state of level s carries the noise s, and the data carry
sigma / s_i there; the two share what they can. Where s > sigma / s_i the data know more than the
state, and pull it; where s < sigma / s_i the state is drawn by the prior's score as well, and by
what the data say beyond the noise that both share; where s_i = 0, by the score alone.

The first of these three is told apart from the last by the singular value, also for an H of full
rank, with which the published program takes all for the last.

References
----------
.. [1] B. Kawar, G. Vaksman, M. Elad, "SNIPS: solving noisy inverse problems stochastically",
   NeurIPS (2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from napari_credible.knob import Checked, Knob
from napari_credible.problem import Problem, spectral
from napari_credible.samplers.protocol import Denoise, Noise, State


@dataclass(frozen=True)
class Snips(Checked):
    """The lecture's sampler for y = H x + n: nearly right, at many evaluations.

    Parameters
    ----------
    ladder : int
        Noise levels, geometric.
    inner : int
        Steps at each.
    lowest : float
        The last level, as a share of the data's noise over the largest singular value.
    size : float
        Of a step, in units of the squared level.
    highest : float
        The first level, in units of the image's range; at least the data's noise.

    Notes
    -----
    Not an exact sampler, for the same reason as
    :class:`~napari_credible.samplers.langevin.Langevin`, which it is for H = 1. Where H is silent
    a Gaussian prior's variance is 3 % too large (6 % with 120 levels, 17 % with the step of
    [1]_, ``size=0.033``). It needs the
    singular values of H and one noise level for all data; noise below a thousandth of the range
    is taken as that.
    """

    kind: ClassVar[str] = "snips"
    ladder: Annotated[int, Knob(2, 10000, "", "noise levels")] = 200
    inner: Annotated[int, Knob(1, 1000, "", "steps at each level")] = 5
    lowest: Annotated[float, Knob(0, 1, "", "last level / noise of the data", above=True)] = 0.05
    size: Annotated[float, Knob(0, 0.5, "", "step / squared level", above=True)] = 0.2
    highest: Annotated[float, Knob(0, 1e6, "range", "first noise level")] = 1.0

    @property
    def evaluations(self) -> int:
        """One for each step, and one at last."""
        return self.ladder * self.inner + 1

    def steps(self, problem: Problem) -> int:
        """Return one for each step at each level, and a last one that denoises."""
        return self.evaluations

    def start(self, denoise: Denoise, problem: Problem, noise: Noise) -> State:
        """Return what the data say, with noise up to the first level; else a flat image with it."""
        values, y, sigma = _noisy(problem)
        level = max(self.highest * problem.span, sigma)
        own = sigma / values.clamp(min=1e-30)
        knows = own <= level * (1 + 1e-6)
        extra = torch.where(knows, (level**2 - own.square()).clamp(min=0).sqrt(), level)
        centre = torch.where(
            knows, y / values.clamp(min=1e-30), problem.to_spectral(problem.flat())
        )
        x = problem.from_spectral(centre + extra * problem.to_spectral(noise()))
        return State(x, level, x, level_before=level)

    def step(
        self, state: State, number: int, denoise: Denoise, problem: Problem, noise: Noise
    ) -> State:
        """Take one step at its level; at last, denoise."""
        if number == self.evaluations - 1:
            return replace(state, clean=denoise(state.x, state.level))
        values, y, sigma = _noisy(problem)
        first = state.level_before
        fall = self.lowest * sigma / float(values.max()) / first
        level = first * fall ** ((number // self.inner + 1) / self.ladder)
        x = problem.to_spectral(state.x)
        prior = problem.to_spectral((denoise(state.x, level) - state.x) / level**2)
        score, width = self._score(x, prior, level, values, y, sigma)
        size = self.size * width
        moved = size * score + (2 * size).sqrt() * problem.to_spectral(noise())
        return replace(state, x=state.x + problem.from_spectral(moved), level=level)

    def _score(
        self, x: Tensor, prior: Tensor, level: float, values: Tensor, y: Tensor, sigma: float
    ) -> tuple[Tensor, Tensor]:
        """Return the score of P(x + level z | y) along each singular vector, and its width^2."""
        tiny = torch.finfo(x.dtype).tiny
        # Of the noise of state and data, what they do not share: zero at equal levels.
        apart = sigma**2 - (values * level) ** 2
        pulls = apart < 0
        data = values * (y - values * x) / torch.where(apart == 0, tiny, apart.abs())
        score = torch.where(pulls, data, prior + torch.where(values > 0, data, 0))
        beyond = level**2 - (sigma / values.clamp(min=1e-30)).square()
        width = torch.where(pulls, beyond, level**2 * (1 - (values * level / sigma) ** 2))
        return torch.where(apart == 0, 0, score), width.clamp(min=0)


def _noisy(problem: Problem) -> tuple[Tensor, Tensor, float]:
    values, y, sigma = spectral(problem, Snips.kind)
    return values, y, max(sigma, 1e-3 * problem.scale)
