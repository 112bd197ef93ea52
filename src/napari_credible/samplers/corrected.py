r"""Reverse diffusion from the data with the posterior variance, at one evaluation a step.

A step of reverse diffusion from level s to s' has, for any prior, a known mean and covariance,
with r = (s'/s)^2:

.. math:: (1 - r) D + r x, \qquad s'^2 (1 - r) I + (1 - r)^2 s^2 J .

J, the Jacobian of the denoiser, is the posterior covariance of the clean image in units of s^2
[1]_. Leaving it out is what makes first order draws too sure. It need not be computed. Predict
with the first part alone, x_p = (1 - r) d + r x + a z, a = s' sqrt(1 - r), and denoise:
d' = D(x_p, s') answers the noise with d' - d = a J z to first order, and has mean zero, because
the denoised image is a martingale of the diffusion. So

    x' = x_p + g (d' - d)

has covariance a^2 (I + g J)^2, and g is chosen to make that the right one; d' moves by
h (d' - d) with x'. The evaluation then serves as the next step's.

Levels, g and h are numbers that make the spread right at once for Gaussian priors of any width,
and near right on mixtures: ``python scripts/steps.py 12`` finds and prints them. It is right to
1 % for priors wider than a fifth of the noise, to 2 % above a seventh, and too small by 8 % at a
twentieth, where the last level is as wide as the prior. The mean of the draws is right whatever
they are.

References
----------
.. [1] K. Miyasawa, "An empirical Bayes estimator of the mean of a normal population",
   Bull. Inst. Internat. Statist. 38 (1961).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from napari_credible.knob import Checked, Knob
from napari_credible.samplers.ancestral import moved
from napari_credible.samplers.protocol import Denoise, Noise, State
from napari_credible.samplers.tables import TABLES

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Corrected(Checked):
    """Predict, denoise, correct: the default sampler.

    Parameters
    ----------
    evaluations : int
        Of the denoiser: a number for which the table has levels and weights.

    Raises
    ------
    ValueError
        For another number.
    """

    kind: ClassVar[str] = "corrected"
    evaluations: Annotated[int, Knob(2, 1000, "", "calls of the denoiser")] = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.evaluations not in TABLES:
            raise ValueError(
                f"corrected has no table for {self.evaluations} evaluations; choose one of "
                f"{', '.join(map(str, TABLES))}, or another sampler"
            )

    @property
    def steps(self) -> int:
        """One for each level after the first."""
        return self.evaluations - 1

    def start(self, denoise: Denoise, y: Tensor, sigma: float) -> State:
        """Denoise the data."""
        return State(y, sigma, denoise(y, sigma), level_before=sigma)

    def step(self, state: State, number: int, denoise: Denoise, noise: Noise) -> State:
        """Go one level down, denoise, and correct by what the denoiser answered."""
        levels, g, h = TABLES[self.evaluations]
        level = state.level_before * levels[number + 1]
        weights = g[number], h[number]
        return answered(state, level, weights, denoise, noise)


def answered(
    state: State, level: float, weights: tuple[float, float], denoise: Denoise, noise: Noise
) -> State:
    """Return the state at a lower level: predicted, denoised, corrected by (g, h)."""
    g, h = weights
    predicted = moved(state, state.clean, level, noise())
    answer = denoise(predicted, level)
    news = answer - state.clean
    return State(predicted + g * news, level, answer + h * news, level_before=state.level_before)
