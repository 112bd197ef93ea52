"""Reverse diffusion from the data, to second order, from the last two evaluations.

The clean image under the state is extrapolated from the last two evaluations of the denoiser.
Because the second one has seen the noise of the step between them, the posterior covariance
comes in with it.

References
----------
.. [1] C. Lu, Y. Zhou, F. Bao, J. Chen, C. Li, J. Zhu, "DPM-Solver++: fast solver for guided
   sampling of diffusion probabilistic models", arXiv:2211.01095 (2022): the 2M form for
   stochastic equations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from napari_credible.knob import Checked, Knob
from napari_credible.samplers.ancestral import moved
from napari_credible.samplers.protocol import Denoise, Noise, State

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Multistep(Checked):
    """Second order, on a geometric ladder of levels.

    Parameters
    ----------
    evaluations : int
        Of the denoiser. 24 make the spread right to 2 % on most Gaussian priors.
    lowest : float
        The last noise level, as a share of the first.
    """

    kind: ClassVar[str] = "multistep"
    evaluations: Annotated[int, Knob(2, 100000, "", "calls of the denoiser")] = 32
    lowest: Annotated[float, Knob(0, 1, "", "last level / first", above=True)] = 0.01

    @property
    def steps(self) -> int:
        """One for each level after the first."""
        return self.evaluations - 1

    def start(self, denoise: Denoise, y: Tensor, sigma: float) -> State:
        """Denoise the data."""
        return State(y, sigma, denoise(y, sigma))

    def step(self, state: State, number: int, denoise: Denoise, noise: Noise) -> State:
        """Go one level down and denoise."""
        level = state.level * self.lowest ** (1 / self.steps)
        clean = state.clean
        if state.before is not None:
            # Half a step ahead, in the logarithm of the level.
            ahead = math.log(state.level / level) / math.log(state.level_before / state.level)
            clean = clean + (clean - state.before) * ahead / 2
        x = moved(state, clean, level, noise())
        return State(x, level, denoise(x, level), state.clean, state.level)
