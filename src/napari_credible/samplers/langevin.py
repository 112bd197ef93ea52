"""The lecture's stochastic image denoiser: annealed Langevin dynamics, given y.

At each falling level s_i < sigma several steps follow the score of P(x + s_i z | y),

    (D(x, s_i) - x) / s_i^2 + (y - x) / (sigma^2 - s_i^2),

since the noise is taken out of y, not added anew: x and y share it.

References
----------
.. [1] B. Kawar, G. Vaksman, M. Elad, "Stochastic image denoising by sampling from the posterior
   distribution", ICCV Workshops (2021).
.. [2] B. Kawar, G. Vaksman, M. Elad, "SNIPS: solving noisy inverse problems stochastically",
   NeurIPS (2021): the factor 1 - (s_i / sigma)^2 of the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from napari_credible.knob import Checked, Knob
from napari_credible.samplers.protocol import Denoise, Noise, State

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Langevin(Checked):
    """Annealed Langevin dynamics: nearly right, at many evaluations.

    Parameters
    ----------
    ladder : int
        Noise levels, geometric, below that of the data.
    inner : int
        Steps at each.
    lowest : float
        The last level, as a share of the data's.
    size : float
        Of a step, in units of the squared level.

    Notes
    -----
    It has not quite mixed when a level ends, so a part of y's noise stays. With these numbers, on
    Gaussian priors from a third to ten noise levels wide, the mean moves with y up to 1.04 times
    as much as the posterior's and the variance is 0.98 to 1.00 of it. The step of [1]_ and [2]_,
    ``size=0.033``, mixes less: 1.27 times, and 0.89 to 1.07. Not an exact sampler.
    """

    kind: ClassVar[str] = "langevin"
    ladder: Annotated[int, Knob(2, 10000, "", "noise levels")] = 164
    inner: Annotated[int, Knob(1, 1000, "", "steps at each level")] = 5
    lowest: Annotated[float, Knob(0, 1, "", "last level / first", above=True)] = 0.05
    size: Annotated[float, Knob(0, 0.5, "", "step / squared level", above=True)] = 0.2

    @property
    def steps(self) -> int:
        """One for each step at each level, and a last one that denoises."""
        return self.ladder * self.inner + 1

    @property
    def evaluations(self) -> int:
        """One for each step."""
        return self.steps

    def start(self, denoise: Denoise, y: Tensor, sigma: float) -> State:
        """Begin at the data; nothing is denoised yet. They are kept for the likelihood."""
        return State(y, sigma, y, before=y, level_before=sigma)

    def step(self, state: State, number: int, denoise: Denoise, noise: Noise) -> State:
        """Take one step at its level; at last, denoise."""
        if number == self.steps - 1:
            return replace(state, clean=denoise(state.x, state.level))
        y, sigma = state.before, state.level_before
        assert y is not None
        level = sigma * self.lowest ** ((number // self.inner + 1) / self.ladder)
        score = (denoise(state.x, level) - state.x) / level**2
        score = score + (y - state.x) / (sigma**2 - level**2)
        size = self.size * level**2 * (1 - (level / sigma) ** 2)
        x = state.x + size * score + math.sqrt(2 * size) * noise()
        return replace(state, x=x, level=level)
