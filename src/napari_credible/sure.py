r"""The error that a denoiser makes on this very image, estimated without the truth.

For y = x + sigma z and any smooth D, with J its Jacobian and N pixels,

.. math:: \widehat{mse} = |y - D|^2 / N - \sigma^2 + 2 \sigma^2 \, tr J / N

has the mean of |D - x|^2 / N [1]_. Its distance from that error has the variance

.. math:: (4 \sigma^2 |y - D|^2 + 4 \sigma^4 \, tr J^2 - 2 N \sigma^4) / N^2

which is again known without x [2]_. The traces are found by probing J with random signs [3]_.
Nothing here asks D to be a posterior mean: a poor denoiser is measured as rightly as a good one,
as long as the noise is white, normal and of the stated level.

References
----------
.. [1] C. Stein, "Estimation of the mean of a multivariate normal distribution",
   Annals of Statistics 9 (1981) 1135-1151.
.. [2] P. C. Bellec, C.-H. Zhang, "Second order Stein: SURE for SURE and other applications in
   high-dimensional inference", Annals of Statistics 49 (2021) 1864-1903.
.. [3] M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for
   Laplacian smoothing splines", Communications in Statistics 19 (1990) 433-450.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from napari_credible.jvp import with_slope

# Standard errors beyond which one of two denoisers is called the better one.
_CLEARLY = 2.0


class Difference(NamedTuple):
    """Mean squared error of one denoiser less that of another, with its standard error."""

    value: float
    error: float

    @property
    def clear(self) -> bool:
        """Whether the sign is beyond doubt: two standard errors from 0."""
        return abs(self.value) > _CLEARLY * self.error


@dataclass(frozen=True, eq=False)
class Sure:
    """Stein's unbiased estimate of a mean squared error.

    Attributes
    ----------
    mse : float, squared units of the image
        Of mean (D - x)^2; may come out below 0 where that is less than ``error``.
    error : float
        Standard error of ``mse`` as an estimate of this image's own mean squared error, that of
        the probes included.
    stated : float
        sigma^2 tr J / N: the error that D would make if it were the posterior mean. Far from
        ``mse``, D is none for this image.
    """

    mse: float
    error: float
    stated: float
    _sigma: Tensor = field(repr=False)
    _residual: Tensor = field(repr=False)
    _signs: Tensor = field(repr=False)
    _answers: Tensor = field(repr=False)

    @property
    def psnr(self) -> float:
        """10 log10(1 / mse) dB, for images of range 1; infinite where ``mse`` is not above 0."""
        return -10 * math.log10(self.mse) if self.mse > 0 else math.inf

    def within(self, mask: Tensor) -> Sure:
        """Return the estimate for some of the pixels: ``mask`` is boolean, of the image's shape."""
        level, residual = self._sigma[mask], self._residual[mask]
        return _estimated(level, residual, self._signs[:, mask], self._answers[:, mask])

    def minus(self, other: Sure) -> Difference:
        """Return how much larger the error is than another denoiser's on the same image.

        Both share their noise, so that a difference is known far better than either error.

        Raises
        ------
        ValueError
            Where image, level or probes are not the same.
        """
        if (
            self._answers.shape != other._answers.shape
            or not torch.equal(self._signs, other._signs)
            or not torch.equal(self._sigma, other._sigma)
        ):
            raise ValueError(
                "two errors compare only on the same image with the same probes; give both calls "
                "of sure() the same image, level, number of probes and seed of the generator"
            )
        answers = self._answers - other._answers
        apart = (self._sigma * (self._residual - other._residual)).square().sum()
        variance = 4 * float(apart) + 4 * _second(answers) + _probing(self._signs, answers)
        pixels = self._residual.numel()
        return Difference(self.mse - other.mse, math.sqrt(variance) / pixels)


def sure(
    denoise: Callable[..., Any],
    y: Tensor,
    sigma: float | Tensor,
    probes: int = 1,
    rng: torch.Generator | None = None,
) -> Sure:
    """Estimate the mean squared error of D(y, sigma) without the truth.

    Parameters
    ----------
    denoise : callable
        D(x, sigma); where torch cannot differentiate it, differences are taken.
    y : Tensor, shape (B, 1, Y, X)
        Noisy images; their noise must be white and normal.
    sigma : float or Tensor, shape (1, 1, Y, X), units of ``y``
        Standard deviation of the noise.
    probes : int, at least 1
        Of the Jacobian, one evaluation each: one does for images of 10^4 pixels and more.
    rng : torch.Generator, optional
        Of the probes, on the CPU; seed 0 where not given. Hand the same seed to calls that are
        to be compared.

    Raises
    ------
    ValueError
        For no probe, or a level that is not above 0.
    """
    level = torch.as_tensor(sigma, dtype=y.dtype, device=y.device).expand_as(y)
    if probes < 1 or not bool((level > 0).all()):
        raise ValueError(
            f"probes is {probes} and the least sigma {float(level.min()):g}; give at least one "
            "probe and levels above 0"
        )
    rng = rng or torch.Generator().manual_seed(0)
    # A direction of the order of 1, which differences need; the scale comes back afterwards.
    scale = level.square().mean()
    signs, answers = [], []
    for _ in range(probes):
        sign = (torch.randint(0, 2, y.shape, generator=rng) * 2.0 - 1).to(y)
        clean, slope = with_slope(denoise, y, sigma, sign * level.square() / scale)
        signs.append(sign)
        answers.append(slope * scale)
    return _estimated(level, y - clean, torch.stack(signs), torch.stack(answers))


def _estimated(level: Tensor, residual: Tensor, signs: Tensor, answers: Tensor) -> Sure:
    """Put the sums together; ``answers`` are J sigma^2 v for the signs v, probes first."""
    level, residual, signs, answers = (t.double() for t in (level, residual, signs, answers))
    pixels = residual.numel()
    trace = float((signs * answers).sum()) / len(signs)
    distance, noise = float(residual.square().sum()), float(level.square().sum())
    variance = 4 * float((level * residual).square().sum()) - 2 * float(level.pow(4).sum())
    variance += 4 * _second(answers) + _probing(signs, answers)
    return Sure(
        mse=(distance - noise + 2 * trace) / pixels,
        error=math.sqrt(max(variance, 0.0)) / pixels,
        stated=trace / pixels,
        _sigma=level,
        _residual=residual,
        _signs=signs,
        _answers=answers,
    )


def _second(answers: Tensor) -> float:
    """Return tr (J sigma^2)^2 for a symmetric J, no less for another."""
    return float(answers.square().sum()) / len(answers)


def _probing(signs: Tensor, answers: Tensor) -> float:
    """Return the variance of twice the trace over the random signs, or a little more.

    It is 2 (|A|^2 - sum A_ii^2) for one probe of a symmetric A, and sum A_ii^2 is at least
    (tr A)^2 / N.
    """
    pixels, probes = answers[0].numel(), len(answers)
    trace = float((signs * answers).sum()) / probes
    return 4 * 2 * max(_second(answers) - trace**2 / pixels, 0.0) / probes
