r"""Reverse diffusion from the data, to first order.

y = x + sigma z is the state of a diffusion that adds noise, at the level sigma. A step down to
level s' has mean (1 - r) D + r x, r = (s'/s)^2, for any prior, and the covariance

.. math:: s'^2 (1 - r) I + (1 - r)^2 s^2 J, \qquad J = \partial D / \partial x .

This step leaves out the second part, the posterior covariance of the clean image: its draws
spread too little unless the steps are many and small.

References
----------
.. [1] J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS (2020).
.. [2] B. Kawar, G. Vaksman, M. Elad, "Stochastic image denoising by sampling from the posterior
   distribution", ICCV Workshops (2021): removing noise from y rather than adding new noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from napari_credible.knob import Checked, Knob
from napari_credible.samplers.protocol import Denoise, Noise, State

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Ancestral(Checked):
    """First order, on a geometric ladder of levels.

    Parameters
    ----------
    evaluations : int
        Of the denoiser. 256 make the spread right to 2 % on a Gaussian prior, 64 to 7 %.
    lowest : float
        The last noise level, as a share of the first.
    """

    kind: ClassVar[str] = "ancestral"
    evaluations: Annotated[int, Knob(2, 100000, "", "calls of the denoiser")] = 256
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
        x = moved(state, state.clean, level, noise())
        return State(x, level, denoise(x, level))


def moved(state: State, clean: Tensor, level: float, noise: Tensor) -> Tensor:
    """Return the state at a lower level, given what lies under it: exact if that is known."""
    r = (level / state.level) ** 2
    return (1 - r) * clean + r * state.x + level * math.sqrt(1 - r) * noise
