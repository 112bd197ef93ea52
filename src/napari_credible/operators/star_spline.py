"""A smooth function on a square of pixels: cubic B-splines, one a pixel and two beyond the rim."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from scipy.interpolate import BSpline

_CUBIC = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
_SLOPE = _CUBIC.derivative()


def _splines(places: np.ndarray, size: int, spline: Any) -> np.ndarray:
    """Return each spline's value at pixels of a line shifted against it, (size, size + 4)."""
    knots = np.arange(size + 4) - (size + 3) / 2
    values: np.ndarray = np.nan_to_num(spline(places[:, None] - knots))
    return values


def _lines(shift: np.ndarray, size: int, slopes: tuple[bool, bool] = (False, False)) -> Any:
    """Return the splines, or their slopes, at rows and columns of a star centred at ``shift``."""
    line = np.arange(size) - size // 2
    return (
        _splines(line - s, size, _SLOPE if slope else _CUBIC)
        for s, slope in zip(shift, slopes, strict=True)
    )


def basis(shift: np.ndarray, size: int) -> Any:
    """Return the splines at the pixels of a star, sparse (pixel, spline)."""
    rows, columns = (scipy.sparse.csr_array(line) for line in _lines(shift, size))
    return scipy.sparse.kron(rows, columns, format="csr")


def terms(coefficients: np.ndarray, shift: np.ndarray, size: int) -> np.ndarray:
    """Return the PSF, the sky, and what moving the star down and right adds, (pixel, 4)."""
    table = coefficients.reshape(size + 4, size + 4)
    value, down, right = (
        (rows @ table @ columns.T).ravel()
        for rows, columns in (
            _lines(shift, size, slopes) for slopes in ((False, False), (True, False), (False, True))
        )
    )
    return np.stack([value, np.ones_like(value), -down, -right], 1)


def roughness(side: int) -> np.ndarray:
    """Return the matrix of the squared second differences along rows and columns."""
    bends = np.diff(np.eye(side), 2, axis=0)
    along: np.ndarray = np.kron(bends.T @ bends, np.eye(side))
    across: np.ndarray = np.kron(np.eye(side), bends.T @ bends)
    total: np.ndarray = np.add(along, across)
    return total


def _fine(coefficients: np.ndarray, size: int, step: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Return the PSF on a fine grid and the places of its rows and columns."""
    line = np.arange(-size / 2, size / 2 + step / 2, step)
    table = np.nan_to_num(_CUBIC(line[:, None] - (np.arange(size + 4) - (size + 3) / 2)))
    return table @ coefficients.reshape(size + 4, size + 4) @ table.T, line


def centre_of(coefficients: np.ndarray, size: int) -> np.ndarray:
    """Return the centroid of what is above a fifth of the peak."""
    fine, line = _fine(coefficients, size)
    core = (fine - 0.2 * fine.max()).clip(min=0)
    place: np.ndarray = np.array([core.sum(1) @ line, core.sum(0) @ line]) / core.sum()
    return place


def width_of(coefficients: np.ndarray, size: int, step: float = 0.05) -> float:
    """Return the diameter of the disc of the area above half of the peak."""
    fine, _ = _fine(coefficients, size, step)
    return float(np.sqrt(4 / np.pi * (fine > fine.max() / 2).sum() * step**2))
