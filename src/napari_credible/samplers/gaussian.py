"""What a sampler draws from Gaussian priors, exactly: no random number is drawn.

With a Gaussian prior D is linear, so every draw is a sum of what the data and the noise of each
step have become. One walk in which each image of the batch is told one of them gives all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from napari_credible.samplers.protocol import Sampler, walk

if TYPE_CHECKING:
    from torch import Tensor


class Drawn(NamedTuple):
    """Draws of each prior beside its posterior, shape (widths,), float64.

    Attributes
    ----------
    spread : Tensor
        Standard deviation of the draws / that of the posterior: 1 is right.
    slope : Tensor
        How far their mean moves with the data / how far the posterior's does: 1 is right.
    """

    spread: Tensor
    slope: Tensor


def on_gaussian_priors(sampler: Sampler, widths: Sequence[float]) -> Drawn:
    """Return what a sampler makes of Gaussian priors.

    Parameters
    ----------
    sampler : Sampler
        One whose steps are linear where D is.
    widths : sequence of float
        Standard deviations of the priors, in units of the noise.

    Examples
    --------
    >>> from napari_credible.samplers import Ancestral
    >>> [round(float(s), 3) for s in on_gaussian_priors(Ancestral(64), [0.1, 1.0, 10.0]).spread]
    [0.96, 0.947, 0.93]
    """
    import torch

    power = torch.as_tensor(widths, dtype=torch.float64).square().view(1, 1, 1, -1)

    def wiener(x: Tensor, sigma: float | Tensor) -> Tensor:
        answered: Tensor = x * (power / (power + sigma**2))
        return answered

    rows = sampler.steps + 1
    told = iter(torch.eye(rows, dtype=torch.float64)[1:].view(-1, rows, 1, 1, 1))

    def noise() -> Tensor:
        one: Tensor = next(told)
        return one.expand(rows, 1, 1, power.numel())

    # The first image is told the data and no noise; the others' data are taken off afterwards.
    y = torch.ones_like(power)
    *_, last = walk(sampler, wiener, y, 1.0, noise, rows)
    found = last.clean[:, 0, 0]
    variance = (found[1:] - found[0]).square().sum(0)
    # With noise of 1 the posterior's variance and the slope of its mean are one number.
    right = (power / (power + 1))[0, 0, 0]
    return Drawn((variance / right).sqrt(), found[0] / right)
