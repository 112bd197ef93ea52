"""Means over blocks of an image, and standard errors that know that pixels err together.

Pixels of one image share their errors, so a share of pixels is known far worse than a binomial
error says. Errors here are those of the means of blocks, which are nearly independent of each
other; of many images, those of the images' own means.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Sides of the blocks whose means give errors: at most a quarter of the image, to have some.
_BLOCK, _BLOCKS_A_SIDE = 32, 4
# From so many images on, their own means give the errors.
MANY_IMAGES = 8


def blocked(array: Floats, side: int) -> Floats:
    """Return the means over squares of ``side`` pixels; what is left at the edges is cut off."""
    rows, columns = (n // side for n in array.shape[-2:])
    if not rows * columns:
        raise ValueError(f"planes of {array.shape[-2:]} hold no square of {side}; take less")
    cut = array[..., : rows * side, : columns * side]
    shape = (*array.shape[:-2], rows, side, columns, side)
    return np.asarray(cut.reshape(shape).mean((-3, -1), dtype=np.float64))


def block_means(values: Floats) -> Floats:
    """Return value and weight of each block, shape (2, blocks); NaN has no weight."""
    side = max(min(_BLOCK, min(values.shape[-2:]) // _BLOCKS_A_SIDE), 1)
    known = np.isfinite(values)
    weight = blocked(known.astype(np.float64), side).ravel()
    total = blocked(np.where(known, values, 0.0), side).ravel()
    return np.stack([total[weight > 0] / weight[weight > 0], weight[weight > 0]])


def mean_and_error(blocks: list[Floats], by_image: bool) -> tuple[float, float]:
    """Return the mean of all and its standard error, from blocks or from whole images."""
    if by_image:
        blocks = [np.array([[np.average(b[0], weights=b[1])], [b[1].sum()]]) for b in blocks]
    means, weights = np.concatenate(blocks, axis=1)
    mean = float(np.average(means, weights=weights))
    if len(means) < 2:
        return mean, math.inf
    off = weights * (means - mean) / weights.sum()
    return mean, math.sqrt(float(np.square(off).sum()) * len(means) / (len(means) - 1))
