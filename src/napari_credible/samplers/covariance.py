r"""Reverse diffusion whose steps draw from their exact covariance, by products with the Jacobian.

The covariance of a step, s'^2 (1 - r) I + (1 - r)^2 s^2 J, has a square root that is a function
of J. It is applied to white noise as a Chebyshev polynomial of J on [0, 1], where the
eigenvalues of a posterior covariance lie, one Jacobian-vector product for each degree. Mean and
covariance of every step are then right for any prior; what is approximated is that a step is
normal. Slow, and the yardstick for the faster ones.

References
----------
.. [1] K. Miyasawa, "An empirical Bayes estimator of the mean of a normal population",
   Bull. Inst. Internat. Statist. 38 (1961).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.polynomial import chebyshev

from napari_credible.jvp import with_slope
from napari_credible.knob import Checked, Knob
from napari_credible.samplers.protocol import Denoise, Noise, State

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Covariance(Checked):
    """Exact mean and covariance of each step.

    Parameters
    ----------
    ladder : int
        Noise levels, geometric.
    degree : int
        Products with the Jacobian at each.
    lowest : float
        The last noise level, as a share of the first.
    """

    kind: ClassVar[str] = "covariance"
    ladder: Annotated[int, Knob(2, 10000, "", "noise levels")] = 16
    degree: Annotated[int, Knob(1, 64, "", "Jacobian products at each level")] = 3
    lowest: Annotated[float, Knob(0, 1, "", "last level / first", above=True)] = 0.03

    @property
    def steps(self) -> int:
        """One for each level after the first."""
        return self.ladder - 1

    @property
    def evaluations(self) -> int:
        """A Jacobian-vector product counts as one, beside the evaluation itself."""
        return 1 + self.steps * (1 + self.degree)

    def start(self, denoise: Denoise, y: Tensor, sigma: float) -> State:
        """Denoise the data."""
        return State(y, sigma, denoise(y, sigma))

    def step(self, state: State, number: int, denoise: Denoise, noise: Noise) -> State:
        """Go one level down and denoise."""
        level = state.level * self.lowest ** (1 / self.steps)
        r = (level / state.level) ** 2
        spread = self._root(state, r, denoise, noise())
        x = (1 - r) * state.clean + r * state.x + spread
        return State(x, level, denoise(x, level))

    def _root(self, state: State, r: float, denoise: Denoise, z: Tensor) -> Tensor:
        """Return sqrt(s'^2 (1 - r) I + (1 - r)^2 s^2 J) z, with the polynomial's recursion."""
        own, shared = r * (1 - r) * state.level**2, ((1 - r) * state.level) ** 2
        nodes = chebyshev.chebpts1(self.degree + 1)
        wanted = np.sqrt(own + shared * (nodes + 1) / 2)
        series = [float(c) for c in chebyshev.chebfit(nodes, wanted, self.degree)]

        def shifted(v: Tensor) -> Tensor:  # (2 J - I) v has its eigenvalues in [-1, 1]
            slope = with_slope(denoise, state.x, state.level, v)[1]
            return 2 * slope - v

        before, now = z, shifted(z)
        total: Tensor = series[0] * before + series[1] * now
        for weight in series[2:]:
            before, now = now, 2 * shifted(now) - before
            total = total + weight * now
        return total
