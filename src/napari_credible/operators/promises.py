"""The promises of an operator, each measured by random probes, each with its sentence."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators.protocol import Factors, Operator, Shape

_LANCZOS = 30


def _inner(a: Tensor, b: Tensor) -> Tensor:
    found: Tensor = (a * b).flatten(1).sum(1)
    return found


def size_of(a: Tensor) -> Tensor:
    """Return the length of each array of a batch."""
    found: Tensor = torch.linalg.vector_norm(a.flatten(1), dim=1)
    return found


def off(found: Tensor, wanted: Tensor, scale: Tensor | None = None) -> float:
    """Return the largest error of a batch relative to what was wanted, infinite for NaN."""
    size = size_of(wanted) if scale is None else scale
    share = size_of(found - wanted) / size.clamp(min=torch.finfo(size.dtype).tiny)
    worst = float(share.max())
    return worst if math.isfinite(worst) else math.inf


def linearity(operator: Operator, x: Tensor, z: Tensor, bar: float) -> float:
    """Return how far H(2x - 3z) is from 2 Hx - 3 Hz."""
    parts = 2 * operator(x), -3 * operator(z)
    size = size_of(parts[0]) + size_of(parts[1])
    error = off(operator(2 * x - 3 * z), parts[0] + parts[1], size)
    if error > bar:
        raise ValueError(
            f"the operator is not linear: H(2x - 3z) is {error:.0%} away from 2 Hx - 3 Hz; "
            "leave out offsets, clipping and normalisation by the image itself"
        )
    return error


def adjoint(operator: Operator, x: Tensor, y: Tensor, bar: float) -> float:
    """Return how far <Hx, y> is from <x, Hᵀy>."""
    forward, back = operator(x), operator.adjoint(y)
    if back.shape != x.shape:
        raise ValueError(
            f"the adjoint returns shape {tuple(back.shape)} for images {tuple(x.shape)}; "
            "return (..., *image_shape)"
        )
    size = (size_of(forward) * size_of(y)).clamp(min=torch.finfo(x.dtype).tiny)
    error = float(((_inner(forward, y) - _inner(x, back)).abs() / size).max())
    if not error <= bar:
        raise ValueError(
            "the adjoint is not the operator's: <Hx, y> and <x, H'y> differ by "
            f"{100 * error:.2g} % of |Hx| |y|; leave transpose out and it is derived from apply"
        )
    return error


def observed(operator: Operator, y: Tensor, data_shape: Shape) -> float:
    """Return the share of the data that count; the others must never be looked at."""
    seen = np.asarray(operator.observed(data_shape))
    if seen.shape != data_shape or seen.dtype.kind != "b" or not seen.any():
        raise ValueError(
            f"observed returns {seen.dtype} {seen.shape}, {int(seen.sum())} of them True; return "
            f"booleans {data_shape}, True where a datum counts"
        )
    hidden = torch.where(torch.tensor(seen, device=y.device), y, torch.nan)
    if not bool(torch.isfinite(operator.adjoint(hidden)).all()):
        raise ValueError(
            "the adjoint looks at data that observed says do not count; "
            "use torch.where(observed, y, 0)"
        )
    return float(seen.mean())


def factors(operator: Operator, factors: Factors, x: Tensor, y: Tensor, bar: float) -> float:
    """Return the worst error of the decomposition's identities."""
    values = factors.singular_values
    count = math.prod(x.shape[1:])
    if tuple(values.shape) != (count,) or not bool((values >= 0).all()):
        raise ValueError(
            f"the singular values have shape {tuple(values.shape)}, the least {values.min():g}; "
            f"give {count}, one a pixel, at least 0"
        )
    seen = values > 0
    c = x.flatten(1)
    hidden = torch.where(seen, c, 0)
    spectral = factors.to_spectral(x)
    # What an orthonormal basis and its transpose must give; the last two tie U and S to H.
    found = {
        "VᵀV is not 1": (factors.to_spectral(factors.from_spectral(c)), c),
        "VVᵀ is not 1": (factors.from_spectral(spectral), x),
        "V does not keep lengths": (
            size_of(factors.from_spectral(c))[:, None],
            size_of(c)[:, None],
        ),
        "UᵀU is not 1": (factors.data_to_spectral(factors.data_from_spectral(c)), hidden),
        "U does not keep lengths": (
            size_of(factors.data_from_spectral(hidden))[:, None],
            size_of(hidden)[:, None],
        ),
        "H is not U S Vᵀ": (factors.data_from_spectral(values * spectral), operator(x)),
        "Hᵀ is not V S Uᵀ": (
            factors.from_spectral(values * factors.data_to_spectral(y)),
            operator.adjoint(y),
        ),
    }
    errors = {name: off(*pair) for name, pair in found.items()}
    broken = [name for name, error in errors.items() if error > bar]
    if broken:
        raise ValueError(
            f"the factors are wrong: {broken[0]}, {errors[broken[0]]:.1%} off; "
            "return None from factors where there is no fast decomposition"
        )
    return max(errors.values())


def norm(operator: Operator, x: Tensor) -> float:
    """Return the largest singular value, by Golub and Kahan's bidiagonalisation.

    Twenty steps of power iteration would be 3 % short for a box of 5 x 5 pixels.
    """
    upper: list[float] = []
    lower: list[float] = []
    right, left = x / size_of(x).item(), torch.zeros((), dtype=x.dtype, device=x.device)
    beta = 0.0
    for _ in range(_LANCZOS):
        left = operator(right) - beta * left
        alpha = size_of(left).item()
        upper.append(alpha)
        if alpha <= torch.finfo(x.dtype).eps * max(upper):
            break
        left = left / alpha
        right = operator.adjoint(left) - alpha * right
        beta = size_of(right).item()
        lower.append(beta)
        if beta <= torch.finfo(x.dtype).eps * max(upper):
            break
        right = right / beta
    lower = lower[: len(upper) - 1]
    band = np.diag(upper) + np.diag(lower, 1)
    return float(np.linalg.norm(band, 2))
