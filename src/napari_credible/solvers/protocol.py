"""What a solver is: a frozen set of numbers, and a step from one image to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from napari_credible.conjugate import conjugate_gradients
from napari_credible.problem import Problem

Denoise = Callable[[Tensor, float], Tensor]
# Of the normal equations where there are no factors.
_TOLERANCE, _MOST = 1e-8, 150
# A level below this share of the range asks nothing of a denoiser.
_LEAST_LEVEL = 0.01


@dataclass(frozen=True, eq=False)
class Iterate:
    """Where a solver is.

    Attributes
    ----------
    x : Tensor, shape (1, C, Y, X)
        The image.
    other : Tensor, shape of ``x``
        The twin of a splitting: denoised, or of ``hqs`` what fits the data; else ``x``.
    dual : Tensor, shape of ``x``
        What is left between them, summed; 0 where there is none.
    change : float
        |x - the last x| / |x|.
    """

    x: Tensor
    other: Tensor
    dual: Tensor
    change: float = float("inf")


@runtime_checkable
class Solver(Protocol):
    """Finds one image from y = H x + n, by calling D(x, sigma)."""

    kind: ClassVar[str]

    @property
    def tolerance(self) -> float:
        """The change |x - the last x| / |x| at which it ends."""
        ...

    @property
    def evaluations(self) -> int:
        """Calls of the denoiser, at most."""
        ...

    def start(self, problem: Problem) -> Iterate:
        """Return the first image."""
        ...

    def step(self, now: Iterate, number: int, denoise: Denoise, problem: Problem) -> Iterate:
        """Return the image after step ``number``, counted from 0."""
        ...


@dataclass(frozen=True)
class Passed:
    """One line of a solver's history.

    Attributes
    ----------
    number : int
        Of the step, from 1.
    change : float
        |x - the last x| / |x|.
    misfit : float
        Mean of (y - H x)^2 / variance: 1 where the residual is the noise.
    """

    number: int
    change: float
    misfit: float


def solve(
    solver: Solver, denoise: Denoise, problem: Problem
) -> Iterator[tuple[Iterate, Passed | None]]:
    """Yield the first image and each that follows, until the change is small at the last level.

    Parameters
    ----------
    solver : Solver
        The numbers.
    denoise : callable
        D(x, sigma) on (1, C, Y, X).
    problem : Problem
        Data, operator and noise.
    """
    now = solver.start(problem)
    yield now, None
    for number in range(solver.evaluations):
        before, now = now, solver.step(now, number, denoise, problem)
        change = float((now.x - before.x).norm() / now.x.norm().clamp(min=1e-30))
        now = Iterate(now.x, now.other, now.dual, change)
        yield now, Passed(number + 1, change, float(problem.misfit(now.x)))
        # While the level is high the data alone may hold the image still.
        if change < solver.tolerance and number >= getattr(solver, "falling", 0):
            return


def least_squares(problem: Problem, near: Tensor, rho: float) -> Tensor:
    """Return argmin over x of half the weighted misfit and rho / 2 |x - near|^2.

    By the singular values where H has fast ones and the noise is one level; else by conjugate
    gradients from ``near``.

    Parameters
    ----------
    problem : Problem
        H, y and the variances.
    near : Tensor, shape (B, C, Y, X)
        What x is held to.
    rho : float
        How firmly.
    """
    if problem.factors is not None and problem.sigma is not None:
        values = problem.factors.singular_values
        weight = float(problem.weight.max())
        data = weight * values * problem.factors.data_to_spectral(problem.y)
        solved = (data + rho * problem.to_spectral(near)) / (weight * values.square() + rho)
        return problem.from_spectral(solved)

    def normal(x: Tensor) -> Tensor:
        return problem.adjoint(problem.weight * problem.forward(x)) + rho * x

    # For what is to be added to ``near``, so that the tolerance is a share of that alone.
    right = -problem.gradient(near)
    tolerance = max(_TOLERANCE, 1000 * torch.finfo(near.dtype).eps)
    return near + conjugate_gradients(normal, right, most=_MOST, tolerance=tolerance).x


def noise_in_image(problem: Problem) -> float:
    """Return the data's noise as a level of the image: over the norm of H, and not too low."""
    return max(problem.level / max(problem.norm, 1e-30), _LEAST_LEVEL * problem.scale)


def fallen(problem: Problem, level: float, highest: float, passed: float) -> float:
    """Return a level on its way down by one factor a step.

    Parameters
    ----------
    problem : Problem
        Whose range and noise are the units.
    level : float
        The last, in units of the noise in the image.
    highest : float
        The first, in units of the range.
    passed : float, 0 to 1
        Share of the way; 1 is the last.
    """
    last = level * noise_in_image(problem)
    first = max(highest * problem.span, last)
    return last if passed >= 1 else first * (last / first) ** passed


def first_image(problem: Problem) -> Iterate:
    """Return the image nearest to a flat one that the data allow within their noise."""
    x = least_squares(problem, problem.flat(), 1 / (0.25 * problem.span) ** 2)
    return Iterate(x, x, torch.zeros_like(x))
