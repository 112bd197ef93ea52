r"""A denoiser that knows the data, made from one that does not.

Under x = x_0 + sigma z the posterior of x_0 has mean D(x, sigma) and covariance
V = sigma^2 J, J the Jacobian of D [1]_. Taken to be normal, it is updated by data
y = H x_0 + n, n of covariance R, in closed form [2]_:

.. math:: D_y = D + V H^T (R + H V H^T)^{-1} (y - H D) .

For Gaussian priors that is E[x_0 | x, y] exactly, with its own Jacobian; so whatever samples
the prior with D samples the posterior with D_y.

References
----------
.. [1] K. Miyasawa, "An empirical Bayes estimator of the mean of a normal population",
   Bull. Inst. Internat. Statist. 38 (1961).
.. [2] F. Rozet, G. Andry, F. Lanusse, G. Louppe, "Learning diffusion priors from observations
   by expectation maximization", NeurIPS (2024): moment matching posterior sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_credible.conjugate import conjugate_gradients
from napari_credible.jvp import with_covariance
from napari_credible.problem import Problem

# The system is the noise's variance and something positive; rounding may show a little less.
_LEAST = 0.99

Denoise = Callable[[Tensor, float], Tensor]
Spread = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Conditional:
    """D_y(x, sigma), an estimate of E[x_0 | x_0 + sigma z = x, H x_0 + n = y].

    Parameters
    ----------
    denoise : callable
        D(x, sigma).
    problem : Problem
        H, y and the variances of n.
    products : int
        With the covariance, at most, in the conjugate gradients of one call.
    tolerance : float
        Of their residual.
    spent : list of int
        Filled with the products of each call.

    Notes
    -----
    Of a learned D's J the symmetric part is taken; [2]_ of the module takes J'. Conjugate
    gradients stop where it shows that J is no covariance. Stopped early, D_y leans toward D.
    Values outside the problem's ``bounds`` are cut.
    """

    denoise: Denoise
    problem: Problem
    products: int = 100
    tolerance: float = 1e-6
    spent: list[int] | None = None

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Denoise ``x`` (B, C, Y, X), given the data."""
        clean, product = with_covariance(self.denoise, x, sigma)
        problem = self.problem
        gap = torch.where(problem.weight > 0, problem.y - problem.forward(clean), 0)

        def spread(u: Tensor) -> Tensor:
            return sigma**2 * product(problem.adjoint(u))

        root, share = self._units(gap, spread)

        def system(u: Tensor) -> Tensor:
            return share * u + root * problem.forward(spread(root * u))

        found = conjugate_gradients(
            system, root * gap, most=self.products, tolerance=self.tolerance, least=_LEAST * share
        )
        if self.spent is not None:
            self.spent.append(found.products + 1)
        if not bool(torch.isfinite(found.x).all()):
            raise ValueError(
                "the denoiser's derivative is not finite; use another denoiser, or pnp"
            )
        # A posterior mean lies where images can lie.
        return (clean + spread(root * found.x)).clamp(*problem.bounds)

    def _units(self, gap: Tensor, spread: Spread) -> tuple[Tensor, Tensor]:
        """Return in which units the system is solved, and the noise's variance in these.

        Each datum is divided by the root of its variance: of the noise, or where that differs
        between data of noise and image together, the latter by one product along the gap.
        """
        weight = self.problem.weight
        if self.problem.sigma is not None:
            return weight.sqrt(), torch.ones_like(weight)
        sides = tuple(range(1, gap.ndim))
        image = (gap * self.problem.forward(spread(gap))).sum(sides, keepdim=True)
        image = image / gap.square().sum(sides, keepdim=True).clamp(min=1e-30)
        share = 1 / (1 + weight * image.clamp(min=0))
        return (weight * share).sqrt(), share
