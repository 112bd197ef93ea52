"""Point-spread functions: simple ones, and what is asked of any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# A Gaussian is cut where it has fallen to this share of its peak.
_TAIL = 1e-4


def check_psf(psf: Any, normalise: bool = True) -> np.ndarray:
    """Return a PSF in float64, of sum 1 where ``normalise``.

    Raises
    ------
    ValueError
        One sentence, where it is no PSF.
    """
    psf = np.asarray(psf.detach().cpu() if hasattr(psf, "detach") else psf)
    if psf.dtype.kind not in "buif" or psf.ndim != 2 or not psf.size:
        raise ValueError(
            f"the PSF has shape {psf.shape} and holds {psf.dtype}; give numbers (y, x)"
        )
    values: np.ndarray = psf.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{int((~np.isfinite(values)).sum())} values of the PSF are not finite; "
            "set them to 0 or cut them off"
        )
    if not values.any():
        raise ValueError("the PSF is zero everywhere; give the image of a point")
    total = float(values.sum())
    if normalise and total <= 1e-12 * float(np.abs(values).sum()):
        raise ValueError(
            f"the PSF sums to {total:g}; subtract its background so that light remains, "
            "or say normalise=False for a kernel that is no PSF"
        )
    # A sum of 1 up to rounding stays, so that a normalised PSF is the same once more.
    kept = not normalise or abs(total - 1) < 1e-12
    return values if kept else np.divide(values, total)


def uniform(size: int) -> np.ndarray:
    """Return a box of ``size`` x ``size`` pixels of sum 1; ``size`` is odd, so it is centred."""
    if not isinstance(size, (int, np.integer)) or size < 1 or size % 2 == 0:
        raise ValueError(f"the box has a side of {size} pixels; give an odd number of at least 1")
    return np.full((size, size), 1 / size**2)


def gaussian(std: float) -> np.ndarray:
    """Return a Gaussian, sampled at the pixels' centres, of standard deviation ``std`` pixels."""
    if not math.isfinite(std) or std <= 0:
        raise ValueError(f"the Gaussian has a std of {std} pixels; give a finite number above 0")
    reach = max(1, math.ceil(std * math.sqrt(-2 * math.log(_TAIL))))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    line /= line.sum()
    return np.outer(line, line)
