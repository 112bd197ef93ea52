"""Dictionaries of patches."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


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


class Atoms(nn.Module):
    """Learned atoms, kept as their cosine coefficients.

    Images hold little at high frequencies. Adam scales each value's step by its own gradients, so
    in these coordinates high frequencies are learned as fast as low ones; in those of pixels the
    low ones drown the others.

    Parameters
    ----------
    atoms : Tensor, shape (pixels of a square patch, count)
        To start from.
    """

    waves: Tensor

    def __init__(self, atoms: Tensor) -> None:
        super().__init__()
        side = math.isqrt(len(atoms))
        self.register_buffer("waves", lapped_cosines(side, side), persistent=False)
        self.coefficients = nn.Parameter(self.waves.T @ atoms)

    def forward(self) -> Tensor:
        """Return the atoms (pixels, count)."""
        return self.waves @ self.coefficients

    @torch.no_grad()
    def set(self, atoms: Tensor) -> None:
        """Replace the atoms (pixels, count)."""
        self.coefficients.copy_(self.waves.T @ atoms)
