r"""Hartley's transform: the Fourier transform in real numbers.

.. math:: c_k = \frac{1}{\sqrt n} \sum_j x_j \,(\cos + \sin)(2 \pi k \cdot j / n)

It is orthonormal, symmetric and its own inverse, for any size.
"""

from __future__ import annotations

import torch
from torch import Tensor


def hartley(x: Tensor, ndim: int = 1) -> Tensor:
    """Return the transform of the last ``ndim`` dimensions, shape of ``x``.

    References
    ----------
    .. [1] R. N. Bracewell, "Discrete Hartley transform", J. Opt. Soc. Am. 73 (1983) 1832-1835.
    """
    waves = torch.fft.fftn(x, dim=tuple(range(-ndim, 0)), norm="ortho")
    found: Tensor = waves.real - waves.imag
    return found
