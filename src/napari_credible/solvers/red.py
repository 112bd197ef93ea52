r"""Regularisation by denoising: the prior's gradient is the denoiser's residual.

.. math:: E(x) = \tfrac12 |W^{1/2}(Hx - y)|^2 + \tfrac\lambda2 x^T (x - D(x, \sigma_d)), \qquad
          \nabla E = H^T W (Hx - y) + \lambda (x - D(x, \sigma_d)) .

The second is the gradient of the first where D is locally homogeneous and its Jacobian symmetric;
it is what both forms bring to zero in any case. ``fixed`` solves
(H'WH + lambda) x = H'W y + lambda D(x), ``descent`` goes 2 / (|H'WH| + lambda) down the gradient.

What the data do not see comes from its neighbours, by a step of the denoiser's reach at a time, and
hardly at all at a low level. So the level begins high and falls to sigma_d, which changes where
the iteration begins and not where it ends.

References
----------
.. [1] Y. Romano, M. Elad, P. Milanfar, "The little engine that could: regularization by denoising
   (RED)", SIAM J. Imaging Sciences 10 (2017) 1804-1844.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from napari_credible.knob import Checked, Choice, Knob
from napari_credible.problem import Problem
from napari_credible.solvers.protocol import (
    Denoise,
    Iterate,
    fallen,
    first_image,
    least_squares,
)

# Of the first level, in units of the range.
_HIGHEST = 0.2


def _forms() -> dict[str, str]:
    return {"fixed": "fixed point", "descent": "steepest descent"}


@dataclass(frozen=True)
class Red(Checked):
    """Regularisation by denoising.

    Parameters
    ----------
    evaluations : int
        Of the denoiser, at most.
    form : "fixed" or "descent"
        How the gradient is brought to zero.
    level : float
        sigma_d, in units of the data's noise in the image (their level over the norm of H, at
        least a hundredth of the content).
    strength : float
        lambda sigma_d^2.
    falling : int
        Steps in which the level falls to sigma_d, from a fifth of the range; 0: it is sigma_d from
        the first on.
    tolerance : float
        Ends where |x - the last x| is below this share of |x|.
    """

    kind: ClassVar[str] = "red"
    evaluations: Annotated[int, Knob(1, 100000, "", "calls of the denoiser, at most")] = 100
    form: Annotated[str, Choice(_forms, "how the gradient is brought to zero")] = "fixed"
    level: Annotated[float, Knob(0, 1000, "noise", "of the denoiser", above=True)] = 1.0
    strength: Annotated[float, Knob(0, 1e6, "", "lambda sigma_d^2", above=True)] = 0.5
    falling: Annotated[int, Knob(0, 100000, "", "steps in which the level falls")] = 12
    tolerance: Annotated[float, Knob(0, 1, "", "relative change at which it ends")] = 1e-4

    def start(self, problem: Problem) -> Iterate:
        """Return a first image from the data."""
        return first_image(problem)

    def step(self, now: Iterate, number: int, denoise: Denoise, problem: Problem) -> Iterate:
        """Denoise, and go on."""
        sigma = self.sigma(number, problem)
        weight = self.strength / sigma**2
        clean = denoise(now.x, sigma)
        if self.form == "fixed":
            x = least_squares(problem, clean, weight)
        else:
            steep = problem.norm**2 * float(problem.weight.max()) + weight
            x = now.x - 2 / steep * (problem.gradient(now.x) + weight * (now.x - clean))
        return Iterate(x, clean, torch.zeros_like(x))

    def sigma(self, number: int, problem: Problem) -> float:
        """Return the denoiser's level at a step."""
        passed = number / self.falling if self.falling else 1.0
        return fallen(problem, self.level, _HIGHEST, passed)
