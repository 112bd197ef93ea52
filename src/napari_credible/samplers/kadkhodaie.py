r"""Stochastic ascent of the prior under noise-free linear measurements.

The denoiser's residual f = x - D(x) points away from likely images. Where the data have measured
(in the row space of H) it is replaced by the way to what they say; a fraction of the whole is
gone, some noise is added, and the level that is left is read off the residual itself.

It ends on an image that the data allow and the prior likes. It is an ascent, no sampler: on
Gaussian priors its draws have less than the prior's variance, the less the smaller ``beta``; and
it knows no noise of the data.

References
----------
.. [1] Z. Kadkhodaie, E. Simoncelli, "Stochastic solutions for linear inverse problems using the
   prior implicit in a denoiser", NeurIPS (2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from napari_credible.knob import Checked, Knob
from napari_credible.problem import Problem, spectral
from napari_credible.samplers.protocol import Denoise, Noise, State


@dataclass(frozen=True)
class Kadkhodaie(Checked):
    """Draws that obey noise-free data exactly; their spread is not calibrated.

    Parameters
    ----------
    most : int
        Steps, at most.
    first_step : float
        Share of the residual that the first step goes.
    beta : float
        1 adds no noise, less adds more.
    highest, lowest : float
        First and last noise level, in units of the image's range.
    """

    kind: ClassVar[str] = "ks"
    most: Annotated[int, Knob(2, 100000, "", "steps, at most")] = 500
    first_step: Annotated[float, Knob(0, 1, "", "share of the first step", above=True)] = 0.01
    beta: Annotated[float, Knob(0, 1, "", "1 adds no noise", above=True)] = 0.1
    highest: Annotated[float, Knob(0, 1e6, "range", "first noise level", above=True)] = 1.0
    lowest: Annotated[float, Knob(0, 1, "range", "last noise level", above=True)] = 0.01

    @property
    def evaluations(self) -> int:
        """Steps until the expected level is the lowest, and one at last."""
        level, number = self.highest, 1
        while level > self.lowest and number < self.most:
            level *= 1 - self.beta * self.share(number)
            number += 1
        return number

    def share(self, number: int) -> float:
        """Return the share of the residual that step ``number``, from 1, goes."""
        return self.first_step * number / (1 + self.first_step * (number - 1))

    def steps(self, problem: Problem) -> int:
        """Return the steps, at most, and a last one that denoises."""
        return self.most + 1

    def start(self, denoise: Denoise, problem: Problem, noise: Noise) -> State:
        """Return noise around what the data say, and the middle of the range elsewhere."""
        level = self.highest * problem.span
        centre = _measured(problem.flat(), problem)
        return State(centre + level * noise(), level, centre)

    def step(
        self, state: State, number: int, denoise: Denoise, problem: Problem, noise: Noise
    ) -> State:
        """Go a share of the residual, add noise; at the lowest level, denoise and stay."""
        lowest = self.lowest * problem.span
        if number == self.most or state.level <= lowest:
            if state.before is not None:
                return state
            clean = _measured(denoise(state.x, max(state.level, lowest)), problem)
            return State(state.x, state.level, clean, before=clean)
        clean = denoise(state.x, state.level)
        way = state.x - _measured(clean, problem)
        level = float(way.square().mean().sqrt())
        share = self.share(number + 1)
        gamma = level * math.sqrt((1 - self.beta * share) ** 2 - (1 - share) ** 2)
        x = state.x - share * way + gamma * noise()
        # D must be told a level; the next one is expected to be this.
        return State(x, level * (1 - self.beta * share), clean)


def _measured(x: Tensor, problem: Problem) -> Tensor:
    """Return x with what the data say in place of its part in the row space of H."""
    values, y, _ = spectral(problem, Kadkhodaie.kind)
    seen = y / values.clamp(min=1e-30)
    return problem.from_spectral(torch.where(values > 0, seen, problem.to_spectral(x)))
