"""Tell whether an operator keeps its promises: linear, a true adjoint, true factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators import promises
from napari_credible.operators.protocol import Operator, Shape

_PROBES = 3
_SIDES = (32, 64, 128, 256, 512, 1024)
# Rounding grows with the number of terms: errors are far below these in a right operator.
_ALLOWED = {torch.float64: 1e-8, torch.float32: 1e-3}


@dataclass(frozen=True)
class OperatorReport:
    """What :func:`check_operator` measured of an operator that keeps its promises.

    Attributes
    ----------
    image_shape, data_shape : tuple of int
        Of one image and its data.
    adjoint : float
        Largest |<H x, y> - <x, Hᵀ y>| / (|H x| |y|).
    linearity : float
        Largest |H(a x + b z) - a H x - b H z| relative to the norm of its parts.
    norm : float
        Largest singular value of H, from below, within 1 % (Lanczos, 30 steps).
    factors : float or None
        Largest relative error of Vᵀ V = 1, V Vᵀ = 1, Uᵀ U = 1 and H = U S Vᵀ; None where the
        operator has no fast decomposition.
    observed : float
        Share of the data that count.
    """

    image_shape: Shape
    data_shape: Shape
    adjoint: float
    linearity: float
    norm: float
    factors: float | None
    observed: float

    def __str__(self) -> str:
        basis = (
            "it has no fast singular value decomposition"
            if self.factors is None
            else f"H = U S Vᵀ within {self.factors:.0e}"
        )
        return (
            f"images {self.image_shape} to data {self.data_shape}, {self.observed:.0%} of them "
            f"counted: linear within {self.linearity:.0e}, adjoint within {self.adjoint:.0e}, "
            f"norm {self.norm:.4g}; {basis}"
        )


def check_operator(
    operator: Operator,
    image_shape: Shape | None = None,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
) -> OperatorReport:
    """Return what was measured of an operator; raise where it breaks a promise.

    Random images and data are put through it; no matrix is made.

    Parameters
    ----------
    operator : Operator
        A subclass of :class:`napari_credible.operators.Operator`.
    image_shape : tuple of int, optional
        Of one image; None takes the operator's only one, or the first square that fits it.
    seed : int
        Of the probes.
    dtype : torch.float64 or torch.float32
        Relative errors allowed: 1e-8 and 1e-3.
    device : str
        Where it runs.

    Raises
    ------
    ValueError
        Names the first broken promise, what was found, and the likely cure.

    Examples
    --------
    >>> from napari_credible.operators import Blur, Operator
    >>> round(check_operator(Blur.uniform(3), (16, 12)).norm, 4)
    1.0
    >>> class Shifted(Operator):
    ...     def apply(self, x):
    ...         return x.roll(1, -1)
    ...
    ...     def transpose(self, y):
    ...         return y.roll(1, -1)
    >>> check_operator(Shifted(), (8, 8))
    Traceback (most recent call last):
    ValueError: the adjoint is not the operator's: <Hx, y> and <x, H'y> differ by 22 % of \
|Hx| |y|; leave transpose out and it is derived from apply
    """
    if not isinstance(operator, Operator):
        raise ValueError(
            f"{operator!r} is no operator; subclass nc.operators.Operator and write apply(x)"
        )
    shape = _shape_for(operator) if image_shape is None else tuple(image_shape)
    bar = _ALLOWED.get(dtype)
    if bar is None:
        raise ValueError(f"dtype is {dtype}; give torch.float64 or torch.float32")
    data_shape = tuple(operator.data_shape(shape))
    if tuple(operator.image_shape(data_shape)) != shape:
        raise ValueError(
            f"data_shape says {data_shape} for an image of {shape}, and image_shape says "
            f"{tuple(operator.image_shape(data_shape))} for such data; make each undo the other"
        )
    like = torch.zeros((), dtype=dtype, device=device)
    draws = torch.Generator().manual_seed(seed)
    x, z = (_normal((_PROBES, *shape), draws, like) for _ in range(2))
    y = _normal((_PROBES, *data_shape), draws, like)
    _check_form(operator, x, data_shape, bar)
    linearity = promises.linearity(operator, x, z, bar)
    adjoint = promises.adjoint(operator, x, y, bar)
    seen = promises.observed(operator, y, data_shape)
    factors = operator.factors(shape, like)
    wrong = None if factors is None else promises.factors(operator, factors, x, y, bar)
    norm = promises.norm(operator, x[:1])
    return OperatorReport(shape, data_shape, adjoint, linearity, norm, wrong, seen)


def _shape_for(operator: Operator) -> Shape:
    fixed = operator.fixed_shape()
    if fixed is not None:
        return tuple(fixed)
    planes = (3,) * (operator.image_ndim - 2)
    for side in _SIDES:
        try:
            operator.data_shape((*planes, side, side))
        except ValueError as error:
            refused = error
        else:
            return (*planes, side, side)
    raise ValueError(f"no square image of up to {_SIDES[-1]} pixels fits; {refused}")


def _normal(shape: Shape, draws: torch.Generator, like: Tensor) -> Tensor:
    return torch.randn(shape, generator=draws, dtype=torch.float64).to(like)


def _check_form(operator: Operator, x: Tensor, data_shape: Shape, bar: float) -> None:
    kept = x.clone()
    found: Any = operator(x)
    if not isinstance(found, Tensor):
        raise ValueError(
            f"the operator returns {type(found).__name__} for a torch tensor; return a tensor"
        )
    if tuple(found.shape) != (len(x), *data_shape):
        raise ValueError(
            f"the operator returns shape {tuple(found.shape)} for {len(x)} images, and "
            f"data_shape says {data_shape}; images lead: (..., *data_shape)"
        )
    if found.dtype != x.dtype or found.device != x.device:
        raise ValueError(
            f"the operator returns {found.dtype} on {found.device} for {x.dtype} on {x.device}; "
            "make its arrays .to(x)"
        )
    if not torch.equal(x, kept):
        raise ValueError("the operator changed its input in place; let it work on x.clone()")
    if promises.off(operator(x[:1]), found[:1]) > bar:
        raise ValueError("the operator lets one image of a batch change another; batches lead")
    array = operator(x[0].cpu().numpy())
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"the operator returns {type(array).__name__} for a numpy array; subclass Operator, "
            "which does both"
        )
