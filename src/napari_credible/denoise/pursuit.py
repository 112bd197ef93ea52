r"""Orthogonal matching pursuit of many patches at once.

Of each patch p it finds few atoms of a dictionary D that come near it: the atom most like the
residual joins, the patch is projected on the span of those that have joined, and so on until
the residual is short enough. An orthonormal basis of the span is kept instead of coefficients, so
a step is one product with the dictionary and a few inner products, over all patches at once.

References
----------
.. [1] Y. C. Pati, R. Rezaiifar, P. S. Krishnaprasad, "Orthogonal matching pursuit: recursive
   function approximation with applications to wavelet decomposition", Asilomar (1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_credible.stopping import pause


@dataclass(frozen=True)
class Pursuit:
    """What a pursuit found.

    Attributes
    ----------
    approximation : Tensor, shape (N, pixels)
        The patches' projections on their atoms.
    atoms : Tensor of int64, shape (N, most)
        The atoms in the order of their joining; -1 where there are no more.
    """

    approximation: Tensor
    atoms: Tensor


def matching_pursuit(patches: Tensor, dictionary: Tensor, error: Tensor, most: int) -> Pursuit:
    """Approximate each patch by as few atoms as its error allows.

    Parameters
    ----------
    patches : Tensor, shape (N, pixels)
        To approximate.
    dictionary : Tensor, shape (pixels, atoms)
        Unit atoms as columns.
    error : Tensor, shape (N,)
        Squared norm of the residual at which a patch is done; 0 goes on to ``most``.
    most : int
        Largest number of atoms.

    Returns
    -------
    Pursuit

    Raises
    ------
    ValueError
        Where ``most`` exceeds the number of pixels, which no more atoms can improve.
    """
    if not 1 <= most <= patches.shape[1]:
        raise ValueError(f"most is {most}; give 1 to {patches.shape[1]}, the pixels of a patch")
    residual = patches.clone()
    chosen = torch.full((len(patches), most), -1, dtype=torch.int64, device=patches.device)
    going = torch.nonzero(residual.square().sum(1) > error)[:, 0]
    bases = patches.new_zeros(len(going), most, patches.shape[1])
    for k in range(most):
        if not len(going):
            break
        pause()
        left, joining = _step(residual[going], dictionary, bases, k)
        residual[going], chosen[going, k] = left, joining
        unfinished = left.square().sum(1) > error[going]
        going, bases = going[unfinished], bases[unfinished]
    return Pursuit(patches - residual, chosen)


def _step(residual: Tensor, dictionary: Tensor, bases: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the residuals after one more atom, and the atoms; adds the k-th basis vectors."""
    joining = (residual @ dictionary).abs_().argmax(1)
    atoms, basis = dictionary.T[joining], bases[:, :k]
    for _ in range(2):  # once more removes what rounding left
        atoms = atoms - _projected(atoms, basis)
    norm = atoms.norm(dim=1, keepdim=True)
    # An atom in the span already, by rounding: it must add nothing.
    atoms = torch.where(norm > 1e-4, atoms / norm, 0)
    bases[:, k] = atoms
    return residual - (residual * atoms).sum(1, keepdim=True) * atoms, joining


def _projected(x: Tensor, basis: Tensor) -> Tensor:
    """Project each row of ``x`` (N, pixels) on its basis (N, k, pixels)."""
    along = basis @ x[..., None]
    return (basis.mT @ along)[..., 0]


def coefficients(patches: Tensor, dictionary: Tensor, atoms: Tensor) -> Tensor:
    """Return the codes (N, atoms of the dictionary) of least squares on chosen atoms.

    Parameters
    ----------
    patches : Tensor, shape (N, pixels)
        Whose approximations are wanted.
    dictionary : Tensor, shape (pixels, atoms)
        Unit atoms as columns.
    atoms : Tensor of int64, shape (N, most)
        Of a :class:`Pursuit`.
    """
    used = atoms >= 0
    columns = dictionary.T[atoms.clamp_min(0)] * used[..., None]  # (N, most, pixels)
    gram = columns @ columns.mT
    gram = gram + torch.diag_embed((~used).to(gram) + 1e-6)
    values = torch.linalg.solve(gram, (columns @ patches[..., None]))[..., 0]
    codes = patches.new_zeros(len(patches), dictionary.shape[1])
    return codes.scatter_add_(1, atoms.clamp_min(0), values * used)
