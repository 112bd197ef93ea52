"""Dictionaries of patches."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def dct_dictionary(patch: int, atoms: int) -> Tensor:
    """Return the separable overcomplete cosine dictionary, unit atoms as columns.

    Parameters
    ----------
    patch : int
        Side of a patch in pixels.
    atoms : int
        A square number; sqrt(atoms) frequencies along each axis.

    Returns
    -------
    Tensor, shape (patch^2, atoms)
        The first atom is constant, the others have mean zero.
    """
    side = math.isqrt(atoms)
    if side**2 != atoms:
        raise ValueError(f"atoms is {atoms}; give a square number, such as {side**2 or 1}")
    places = torch.arange(patch, dtype=torch.float64)[:, None]
    waves = torch.cos(math.pi / side * places * torch.arange(side))
    waves[:, 1:] -= waves[:, 1:].mean(0)
    waves = waves / waves.norm(dim=0)
    return torch.kron(waves, waves).float().contiguous()
