"""Conjugate gradients on a batch of systems, matrix-free."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

# Of what is known to be positive, that the rest may be below zero by.
_ROUNDING = 0.01


class Solved(NamedTuple):
    """What was found.

    Attributes
    ----------
    x : Tensor
        The solutions.
    products : int
        How often the map was applied.
    residual : float
        Largest |b - A x| / |b| of the batch, as the recursion has it.
    """

    x: Tensor
    products: int
    residual: float


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    b: Tensor,
    start: Tensor | None = None,
    *,
    most: int = 100,
    tolerance: float = 1e-6,
    sure: Callable[[Tensor], Tensor] | None = None,
) -> Solved:
    """Solve A x = b for each image of a batch, A symmetric and positive.

    Parameters
    ----------
    apply : callable
        Returns A x, shape (B, ...); with ``sure``, what A has beside that.
    b : Tensor, shape (B, ...)
        Right sides.
    start : Tensor, optional
        First guess; 0 where not given.
    most : int
        Products with A at most.
    tolerance : float
        Ends where |b - A x| is below this share of |b| in each image.
    sure : callable, optional
        A part of A that is positive whatever the rest is.

    Notes
    -----
    An image along whose direction ``apply`` is not positive, as can happen where it holds the
    Jacobian of a learned denoiser, keeps what it has; the others go on.

    References
    ----------
    .. [1] M. Hestenes, E. Stiefel, "Methods of conjugate gradients for solving linear systems",
       J. Res. Nat. Bur. Standards 49 (1952) 409-436.
    """
    x = torch.zeros_like(b) if start is None else start
    sure = sure or torch.zeros_like
    residual = b if start is None else b - apply(x) - sure(x)
    products = 0 if start is None else 1
    direction, power = residual, _dot(residual, residual)
    enough = tolerance**2 * _dot(b, b)
    active = power > enough
    while products < most and bool(active.any()):
        image = apply(direction)
        products += 1
        curvature = _dot(direction, image)
        known = sure(direction)
        floor = _dot(direction, known)
        active = active & (curvature > -_ROUNDING * floor) & (curvature + floor > 0)
        curvature, image = curvature + floor, image + known
        step = torch.where(active, power / torch.where(active, curvature, 1), 0)
        x = x + step * direction
        residual = residual - step * image
        following = _dot(residual, residual)
        direction = residual + torch.where(active, following / power, 0) * direction
        power = torch.where(active, following, power)
        active = active & (power > enough)
    left = power / _dot(b, b).clamp(min=torch.finfo(b.dtype).tiny)
    return Solved(x, products, float(left.max().sqrt()))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of each image of a batch, shape (B, 1, ...)."""
    return (a * b).flatten(1).sum(1).view(-1, *[1] * (a.ndim - 1))
