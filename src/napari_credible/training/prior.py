"""Is D the mean of a posterior? Three numbers that agree if it is, and its Jacobian's symmetry.

For y = x + sigma z and D(y) = E[x | y], the mean squared error of D is, in expectation, Stein's
unbiased estimate of it, which never sees x; and it is sigma^2 times the trace of D's Jacobian,
the posterior variance [1]_. The second needs only that D is smooth; the third holds for a posterior
mean alone. The Jacobian of a posterior mean is a covariance, so it is symmetric.

References
----------
.. [1] K. Miyasawa, "An empirical Bayes estimator of the mean of a normal population",
   Bull. Inst. Internat. Statist. 38 (1961).
.. [2] C. Stein, "Estimation of the mean of a multivariate normal distribution",
   Annals of Statistics 9 (1981) 1135-1151.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_credible.jvp import with_slope


@dataclass(frozen=True)
class PriorCheck:
    """What a denoiser shows of itself at one noise level.

    Attributes
    ----------
    error : float
        Mean of (x - D)^2 over the pixels of all images.
    sure : float
        Stein's unbiased estimate of it, from y and D alone.
    trace : float
        sigma^2 tr(dD/dy) / N: the mean posterior variance that D itself states.
    asymmetry : float
        ||J - J'|| / ||J|| in the Frobenius norm; 0 for a posterior mean.
    """

    error: float
    sure: float
    trace: float
    asymmetry: float


def check_prior(
    denoiser: Callable[..., Any], images: Iterable[Tensor], sigma: float, seed: int = 0
) -> PriorCheck:
    """Compare error, Stein's estimate and stated posterior variance of a denoiser.

    Parameters
    ----------
    denoiser : callable
        D(x, sigma) on torch ``(1, 1, Y, X)``; differentiable by torch.
    images : iterable of Tensor, shape (1, 1, Y, X)
        Clean images; each gets its own noise.
    sigma : float
        Standard deviation of the noise, image units.
    seed : int
        Of noise and probes.
    """
    rng = torch.Generator().manual_seed(seed)
    rows = np.array([_seen(denoiser, clean, sigma, rng) for clean in images])
    error, distance, trace, twisted, size, pixels = rows.sum(0)
    divergence = trace / pixels
    return PriorCheck(
        error / pixels,
        distance / pixels - sigma**2 + 2 * sigma**2 * divergence,
        sigma**2 * divergence,
        float(np.sqrt(twisted / size)),
    )


def _seen(
    denoiser: Callable[..., Any], clean: Tensor, sigma: float, rng: torch.Generator
) -> tuple[float, ...]:
    """Return sums over an image: squared errors and distances, tr J, ||J - J'||^2, ||J||^2, pixels.

    With u and v of independent signs, v'Jv has mean tr J, (u'Jv)^2 has mean ||J||^2 and
    (u'Jv - v'Ju)^2 has mean ||J - J'||^2 (Hutchinson 1990).
    """
    noisy = clean + sigma * torch.randn(clean.shape, generator=rng)
    u, v = (torch.randint(0, 2, clean.shape, generator=rng) * 2.0 - 1 for _ in range(2))
    estimate, along_v = with_slope(denoiser, noisy, sigma, v)
    _, along_u = with_slope(denoiser, noisy, sigma, u)
    uv, vu = float((u * along_v).sum()), float((v * along_u).sum())
    trace = float((v * along_v).sum() + (u * along_u).sum()) / 2
    return (
        float((estimate - clean).square().sum()),
        float((estimate - noisy).square().sum()),
        trace,
        (uv - vu) ** 2,
        (uv**2 + vu**2) / 2,
        float(clean.numel()),
    )
