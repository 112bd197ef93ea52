"""The sums of turned images as a sparse matrix: much faster where it fits into memory."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

# About so many entries come of a pixel and an angle.
_PER_PIXEL = 2
# Beyond so many entries, some 0.3 GB each way in float32, the matrix is not made.
_MOST = 2**25


def fits(angles: np.ndarray, width: int, device: torch.device) -> bool:
    """Return whether the matrix of images (width, width) is small enough to be kept there."""
    return device.type in ("cpu", "cuda") and _PER_PIXEL * len(angles) * width**2 <= _MOST


def matrices(angles: np.ndarray, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the matrix, (angle * detector, pixel), and its transpose, as sparse tensors.

    The last two asked for are kept: a solver asks for the same one thousands of times.
    """
    return _kept(angles.tobytes(), width, like.dtype, like.device)


@lru_cache(maxsize=2)
def _kept(
    angles: bytes, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    parts = [_of_angle(angle, width) for angle in np.deg2rad(np.frombuffer(angles))]
    matrix = scipy.sparse.vstack(parts, format="csr")
    forward, backward = (_tensor(m, dtype, device) for m in (matrix, matrix.T.tocsr()))
    return forward, backward


def _of_angle(angle: float, width: int) -> scipy.sparse.csr_array:
    """Return the weights of the pixels in each detector's sum: bilinear, along the turned rows."""
    place = np.arange(width) - width // 2
    x = np.cos(angle) * place[:, None] + np.sin(angle) * place + width // 2
    y = np.cos(angle) * place - np.sin(angle) * place[:, None] + width // 2
    corners = (
        np.stack([np.floor(y), np.floor(x)])[..., None]
        + np.array([[0, 0, 1, 1], [0, 1, 0, 1]])[:, None, None]
    )
    weight = np.prod(1 - np.abs(np.stack([y, x])[..., None] - corners), axis=0)
    inside = ((corners >= 0) & (corners < width)).all(0)
    pixel = np.where(inside, corners[0] * width + corners[1], 0).astype(np.int32)
    # Each detector sums as many samples: the rows of the matrix are equally long.
    starts = np.arange(width + 1, dtype=np.int32) * 4 * width
    entries = (np.where(inside, weight, 0).ravel(), pixel.ravel(), starts)
    found = scipy.sparse.csr_array(entries, shape=(width, width**2))
    found.sum_duplicates()
    found.eliminate_zeros()
    return found


def _tensor(matrix: scipy.sparse.csr_array, dtype: torch.dtype, device: torch.device) -> Tensor:
    starts, columns = torch.tensor(matrix.indptr), torch.tensor(matrix.indices)
    values = torch.tensor(matrix.data, dtype=dtype)
    with warnings.catch_warnings():
        # Torch calls this kind of matrix beta; its products are all that is used here.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        found = torch.sparse_csr_tensor(
            starts, columns, values, size=matrix.shape, check_invariants=True
        )
    return found.to(device)
