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


def lapped_cosines(kernel: int, stride: int) -> Tensor:
    """Return cosines under a window whose shifted squares sum to one, atoms as columns.

    Placed on a grid of every ``stride`` pixels they are a tight frame: synthesis after analysis
    is the identity.

    Parameters
    ----------
    kernel : int
        Side of an atom in pixels, from ``stride`` to twice that.
    stride : int
        Of the grid in pixels.

    Returns
    -------
    Tensor, shape (kernel^2, kernel^2)
        Lowest frequencies first; the first atom is the window itself, but for its norm.
    """
    places = torch.arange(kernel, dtype=torch.float64)
    waves = torch.cos(math.pi / kernel * (places[:, None] + 0.5) * places)
    waves = waves / waves.norm(dim=0)
    shared = kernel - stride
    ramp = torch.sin(math.pi / 2 * (torch.arange(shared) + 0.5) / max(shared, 1))
    window = torch.ones(kernel, dtype=torch.float64)
    window[:shared], window[kernel - shared :] = ramp, ramp.flip(0)
    waves = window[:, None] * waves
    order = (places[:, None] + places).flatten().argsort(stable=True)
    return torch.kron(waves, waves)[:, order].float().contiguous()
