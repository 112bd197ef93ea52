r"""A denoiser that knows the data, made from one that does not.

Under x = x_0 + sigma z the posterior of x_0 has mean D(x, sigma) and covariance
V = sigma^2 J, J the Jacobian of D [1]_. Taken to be normal, it is updated by data
y = H x_0 + n, n of covariance R, in closed form [2]_:

.. math:: D_y = D + V H^T (R + H V H^T)^{-1} (y - H D) .

For Gaussian priors that is E[x_0 | x, y] exactly, with its own Jacobian; so whatever samples
the prior with D samples the posterior with D_y.

A learned D's J is no covariance: not quite symmetric, not quite positive. Where the data are far
sharper than the state (R far below sigma^2 H H'), the system inverts whatever J says, errors too,
and single draws run away. So where J is seen not to be symmetric, the data are taken no sharper
than a share t of the state's level: R becomes R^(1/2) max(1, t^2 sigma^2 M) R^(1/2), with
M = R^(-1/2) H H' R^(-1/2), which leaves alone what the data know no better than t sigma. The rest
waits until the level has come down.

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
from napari_credible.jvp import with_both_slopes
from napari_credible.krylov import function_of
from napari_credible.problem import Problem

# |J v - J' v| over |J v| + |J' v|: differences and rounding make less, learned networks more.
_SYMMETRIC = 0.03
# Products with H H' for the noise that is taken in place of the data's own.
_PRODUCTS = 12

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
    trust : float
        Where D is no posterior mean (or torch cannot tell), data are taken no sharper than this
        share of ``sigma``.
    spent : list of int
        Filled with the products of each call.

    Notes
    -----
    Of a learned D's J the symmetric part is taken; [2]_ of the module takes J'. Along one
    direction both are compared. Conjugate gradients stop where it shows that J is no covariance.
    Stopped early, D_y leans toward D. Values outside the problem's ``bounds`` are cut.
    """

    denoise: Denoise
    problem: Problem
    products: int = 100
    tolerance: float = 1e-6
    trust: float = 0.0
    spent: list[int] | None = None

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Denoise ``x`` (B, C, Y, X), given the data."""
        clean, slopes = with_both_slopes(self.denoise, x, sigma)
        problem = self.problem
        gap = torch.where(problem.weight > 0, problem.y - problem.forward(clean), 0)

        def spread(u: Tensor) -> Tensor:
            return sigma**2 * _symmetric(*slopes(problem.adjoint(u)))

        root, share = self._units(gap, spread)
        right = root * gap
        both = slopes(problem.adjoint(root * right))
        crooked, first = _crooked(*both), root * problem.forward(sigma**2 * _symmetric(*both))

        def image(u: Tensor) -> Tensor:
            # Conjugate gradients begin with the right side itself.
            return first if u is right else root * problem.forward(spread(root * u))

        found = conjugate_gradients(
            image, right, most=self.products, tolerance=self.tolerance,
            sure=self._noise(share, self.trust * sigma, crooked),
        )  # fmt: skip
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

    def _noise(self, share: Tensor, least: float, crooked: Tensor) -> Spread:
        """Return the product with the noise's covariance, of some images at least a level."""
        problem, most = self.problem, least**2
        sharpest = most * problem.norm**2 * float(problem.weight.max())
        if sharpest <= 1 or not bool(crooked.any()):
            return lambda u: share * u

        def beyond(values: Tensor) -> Tensor:
            return (most * values - 1).clamp(min=0)

        scale, weight = share.sqrt(), problem.weight.sqrt()
        if problem.factors is not None and problem.sigma is not None:
            factors = problem.factors
            values = beyond(float(problem.weight.max()) * factors.singular_values.square())

            def more(u: Tensor) -> Tensor:
                found: Tensor = factors.data_from_spectral(values * factors.data_to_spectral(u))
                return found
        else:

            def sharpness(u: Tensor) -> Tensor:
                return weight * problem.forward(problem.adjoint(weight * u))

            def more(u: Tensor) -> Tensor:
                return scale * function_of(sharpness, scale * u, beyond, most=_PRODUCTS)

        chosen = crooked.view(-1, *[1] * (share.ndim - 1))

        def noise(u: Tensor) -> Tensor:
            return share * u + torch.where(chosen, more(u), 0)

        return noise


def _symmetric(forward: Tensor, back: Tensor | None) -> Tensor:
    """Return (J + J') v / 2, or J v where that is all there is."""
    return forward if back is None else (forward + back) / 2


def _crooked(forward: Tensor, back: Tensor | None) -> Tensor:
    """Return of which images J v and J' v differ by more than rounding, shape (B,)."""
    if back is None:
        return torch.ones(len(forward), dtype=torch.bool, device=forward.device)
    apart, size = (forward - back).flatten(1), (forward.flatten(1), back.flatten(1))
    found: Tensor = apart.norm(dim=1) > _SYMMETRIC * (size[0].norm(dim=1) + size[1].norm(dim=1))
    return found
