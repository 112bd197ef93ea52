r"""Moment matching posterior sampling: reverse diffusion under a denoiser that knows the data.

From pure noise at a level that covers the image, the state is stepped down as in
:mod:`.corrected`, with D_y of :mod:`.conditional` in place of D. All levels fall by one factor q,
but for the last four, so one pair of weights serves any number of them: from the second level on,
a step neither knows how high the first was nor how low the last will be.

Levels and weights make the spread of the draws right to 0.1 % for Gaussian posteriors of any
width from half the level before the last four up: ``python scripts/ladder.py 0.7`` finds and
prints them.

References
----------
.. [1] F. Rozet, G. Andry, F. Lanusse, G. Louppe, "Learning diffusion priors from observations by
   expectation maximization", NeurIPS (2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from napari_credible.knob import Checked, Knob
from napari_credible.problem import Problem
from napari_credible.samplers.conditional import Conditional
from napari_credible.samplers.corrected import answered
from napari_credible.samplers.protocol import Denoise, Noise, State

# The factor from level to level, and the weights g and h of a step.
FALL, WEIGHTS = 0.7, (0.362, 0.2378)
# The last four levels, as shares of the one before them, and their weights.
LAST = (0.6622, 0.3916, 0.21, 0.1163)
LAST_WEIGHTS = ((0.5165, 0.3908), (0.5501, 0.3202), (0.741, 0.5649), (0.255, 0.6765))
# Products and trust where each datum is one coordinate of an orthonormal basis of the image, and
# elsewhere: there conjugate gradients need more of them. Chosen on squares of training images.
APART, MIXED = (3, 0.2), (8, 0.25)
# For a guess of the evaluations: the noise in units of the range, and the products after which
# conjugate gradients have mostly stopped.
_USUAL, _SPENT = 0.05, 5


@dataclass(frozen=True)
class Mmps(Checked):
    """Exact for Gaussian priors, any operator, noise of any map of levels.

    Parameters
    ----------
    products : int, optional
        With D's Jacobian, at most, for each evaluation of D_y. None: 3 where each datum is one
        coordinate of an orthonormal basis (masks, larger pixels, Bayer, compressed sensing), so
        that their system is solved soon; 8 elsewhere (blurs, projections).
    tolerance : float
        Of the conjugate gradients that make them.
    trust : float, optional
        The data are taken no sharper than this share of the state's level, where D is no
        posterior mean: where its Jacobian is not symmetric, or torch cannot pass back through it.
        None: 0.2 and 0.25 in these cases.
    highest : float
        The first noise level, in units of the image's range.
    lowest : float
        The level before the last four, in units of the noise of the data (over the norm of H).

    Notes
    -----
    The first state is noise around D_y of a flat image. What the data do not tell, and the prior
    spreads over more than ``highest`` (the mean of a field that nothing sees), is drawn too near.
    """

    kind: ClassVar[str] = "mmps"
    products: Annotated[
        int | None, Knob(1, 10000, "", "Jacobian products at each level, at most")
    ] = None
    tolerance: Annotated[float, Knob(0, 1, "", "of the conjugate gradients", above=True)] = 0.01
    trust: Annotated[float | None, Knob(0, 10, "level", "data are taken no sharper than")] = None
    highest: Annotated[float, Knob(0, 1e6, "range", "first noise level", above=True)] = 2.0
    lowest: Annotated[float, Knob(0, 10, "noise", "level before the last four", above=True)] = 0.5

    @property
    def evaluations(self) -> int:
        """About, at a noise of a twentieth of the range."""
        falls = math.ceil(math.log(self.highest / (self.lowest * _USUAL)) / -math.log(FALL))
        return (falls + 2 + len(LAST)) * (2 + 2 * min(self.products or _SPENT, _SPENT))

    def levels(self, problem: Problem) -> list[float]:
        """Return the noise levels, falling, image units."""
        noise = max(problem.level / max(problem.norm, 1e-30), 1e-3 * problem.scale)
        ratio = self.highest * problem.span / (self.lowest * noise)
        falls = max(math.ceil(math.log(ratio) / -math.log(FALL)), 1)
        body = [self.lowest * noise / FALL**k for k in range(falls, -1, -1)]
        return body + [self.lowest * noise * share for share in LAST]

    def steps(self, problem: Problem) -> int:
        """Return one for each level after the first."""
        return len(self.levels(problem)) - 1

    def start(self, denoise: Denoise, problem: Problem, noise: Noise) -> State:
        """Return noise around what the data say at the highest level."""
        highest = self.levels(problem)[0]
        given = self.given(denoise, problem)
        x = given(problem.flat(), highest) + highest * noise()
        return State(x, highest, given(x, highest))

    def step(
        self, state: State, number: int, denoise: Denoise, problem: Problem, noise: Noise
    ) -> State:
        """Go one level down, denoise given the data, correct by what was answered."""
        levels = self.levels(problem)
        last = number - (len(levels) - 1 - len(LAST))
        weights = WEIGHTS if last < 0 else LAST_WEIGHTS[last]
        given = self.given(denoise, problem)
        return answered(state, levels[number + 1], weights, given, noise)

    def given(self, denoise: Denoise, problem: Problem) -> Conditional:
        """Return the denoiser that knows the data."""
        apart = problem.factors is not None and problem.factors.pixelwise
        products, trust = APART if apart else MIXED
        return Conditional(
            denoise,
            problem,
            products if self.products is None else self.products,
            self.tolerance,
            trust if self.trust is None else self.trust,
        )
