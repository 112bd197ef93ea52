r"""The diagonal of a Jacobian from a few products with it.

A probe is +1 or -1 at random on the points of a lattice, and 0 between them; the lattices of all
probes together hold each pixel once. Multiplied by its own sign, a pixel's answer is J_ii and a
sum of J_ij over the other points of its lattice, with random signs: right on average, and with
little noise, because J_ij falls with distance (Hutchinson's probes take all j at once [1]_).

What noise is left is smoothed away, but only where it is noise. The answers also give
q_i = sum_j J_ij^2 with hardly any. For a covariance with eigenvalues in [0, 1],
q_i <= J_ii <= sqrt(q_i), and between the two J_ii follows q_i^{3/4} with a factor that hardly
changes from pixel to pixel: it is the ratio of both, averaged around the pixel. The two estimates
are weighted by how much of their difference noise explains, so that a Jacobian that acts on each
pixel alone is found exactly.

References
----------
.. [1] M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for
   Laplacian smoothing splines", Communications in Statistics 19 (1990) 433-450.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Plane = NDArray[np.float64]

# Between 1/2 and 1, the powers of q that bound the diagonal.
_POWER = 0.75
# Standard deviation of the average around a pixel, pixels.
_AROUND = 1.5


def lattice(shape: tuple[int, int], probes: int, rng: torch.Generator) -> Tensor:
    """Return the probes, shape (n, 1, Y, X), n the largest p q <= ``probes`` with p near q.

    Parameters
    ----------
    shape : (int, int)
        Of a plane.
    probes : int, at least 1
        The lattice has every p-th row and q-th column.
    rng : torch.Generator
        Of the signs, on the CPU.
    """
    if probes < 1:
        raise ValueError(f"probes is {probes}; give at least one")
    rows = math.isqrt(probes)
    columns = probes // rows
    signs = torch.randint(0, 2, shape, generator=rng) * 2.0 - 1
    found = torch.zeros((rows * columns, 1, *shape))
    for number in range(rows * columns):
        place = (slice(number // columns, None, rows), slice(number % columns, None, columns))
        found[(number, 0, *place)] = signs[place]
    return found


def diagonal(probes: NDArray[Any], answers: NDArray[Any]) -> Plane:
    """Return the diagonal of J, within [0, 1], from what it answers to the probes.

    Parameters
    ----------
    probes, answers : ndarray, shape (n, Y, X)
        Of :func:`lattice`, and J times each.
    """
    own = (probes * answers).sum(0, dtype=np.float64)
    energy = np.square(answers, dtype=np.float64).sum(0)
    found = _weighted(own, energy, len(probes))
    return np.clip(found, np.minimum(energy, 1), np.minimum(np.sqrt(energy), 1))


def _weighted(own: Plane, energy: Plane, probes: int) -> Plane:
    """Weight the answers and their smooth model by how much of the difference is noise."""
    if probes < 2:
        return own
    followed = energy**_POWER
    model = followed * _around(own) / np.maximum(_around(followed), 1e-12)
    # What the other lattices answer at a pixel is what its own adds to J_ii, or more: they
    # hold its neighbours.
    noise = _around(np.maximum(energy - np.square(own), 0) / (probes - 1))
    share = np.minimum(noise / np.maximum(_around(np.square(own - model)), 1e-20), 1)
    return own + share * (model - own)


def _around(plane: Plane) -> Plane:
    from scipy.ndimage import gaussian_filter

    found: Plane = gaussian_filter(plane, _AROUND)
    return found
