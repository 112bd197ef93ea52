"""Functions of a symmetric map, of which only products are known, applied to a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def function_of(
    apply: Callable[[Tensor], Tensor], b: Tensor, f: Callable[[Tensor], Tensor], *, most: int = 32
) -> Tensor:
    """Return f(A) b for each image of a batch, A symmetric and not negative.

    Parameters
    ----------
    apply : callable
        Returns A x, shape (B, ...).
    b : Tensor, shape (B, ...)
        What f(A) is applied to.
    f : callable
        Takes eigenvalues, at least 0 and of any shape, to numbers.
    most : int
        Products with A: exact for polynomials of lower degree, and as near as any of these.

    References
    ----------
    .. [1] C. Lanczos, "An iteration method for the solution of the eigenvalue problem of linear
       differential and integral operators", J. Res. Nat. Bur. Standards 45 (1950) 255-282.
    """
    tiny = torch.finfo(b.dtype).eps
    size = _norm(b)
    v = b / size.clamp(min=torch.finfo(b.dtype).tiny)
    basis, diagonal, beside = list[Tensor](), list[Tensor](), list[Tensor]()
    before, coupling, scale = torch.zeros_like(v), torch.zeros_like(size), torch.zeros_like(size)
    for _ in range(min(most, b[0].numel())):
        image = apply(v) - coupling * before
        share = (image * v).flatten(1).sum(1).view_as(size)
        image = image - share * v
        basis.append(v)
        diagonal.append(share)
        scale = torch.maximum(scale, share.abs() + coupling)
        coupling = _norm(image)
        # A space that A maps into itself is complete: what follows is rounding.
        coupling = torch.where(coupling > 10 * tiny * scale, coupling, 0)
        beside.append(coupling)
        before, v = (
            v,
            torch.where(coupling > 0, image / coupling.clamp(min=torch.finfo(b.dtype).tiny), 0),
        )
    numbers = size.flatten()[:, None] * _first_column(f, diagonal, beside)
    shares = [numbers[:, k].view_as(size).to(b) * each for k, each in enumerate(basis)]
    return torch.stack(shares).sum(0)


def _first_column(
    f: Callable[[Tensor], Tensor], diagonal: list[Tensor], beside: list[Tensor]
) -> Tensor:
    """Return the first column of f of each tridiagonal matrix, shape (B, k)."""
    main, off = (
        torch.stack([n.flatten() for n in each], 1).double() for each in (diagonal, beside)
    )
    matrix = torch.diag_embed(main)
    matrix = matrix + torch.diag_embed(off[:, :-1], 1) + torch.diag_embed(off[:, :-1], -1)
    values, vectors = torch.linalg.eigh(matrix)
    weighed = f(values.clamp(min=0)) * vectors[:, 0]
    found: Tensor = (vectors @ weighed[:, :, None])[:, :, 0]
    return found


def _norm(a: Tensor) -> Tensor:
    """Return the norm of each image of a batch, shape (B, 1, ...)."""
    found: Tensor = a.flatten(1).norm(dim=1).view(-1, *[1] * (a.ndim - 1))
    return found
