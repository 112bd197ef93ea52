"""Draws too large for memory, asked a block of pixels at a time.

Everything that is said of a pixel depends on the draws at that pixel alone, so that the answer is
the same to the last digit whether the draws are at hand as one array or read block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Place = tuple[slice, ...]
# Of all draws of one block, in float32; a question takes about four times as much at work.
_LARGEST_BYTES = 2**26


def is_lazy(draws: Any) -> bool:
    """Return whether draws are read in chunks (dask, zarr, :class:`.stored.Stored`)."""
    return hasattr(draws, "chunks") and hasattr(draws, "shape")


def blocks(draws: Any) -> Iterator[tuple[Place, NDArray[np.float32]]]:
    """Yield the place of each block of pixels and all draws of it, shape (n_draws, *block).

    An array in memory is one block.
    """
    if not is_lazy(draws):
        yield (slice(None),) * (draws.ndim - 1), draws
        return
    for place in places(draws.shape, draws.chunks):
        yield place, np.asarray(draws[(slice(None), *place)])


def places(shape: Sequence[int], chunks: Sequence[Any]) -> list[Place]:
    """Return slices of the axes behind the first that read each chunk once, where they fit.

    No block is a single pixel where there are more: numpy adds the numbers of one pixel in
    another order.
    """
    sides = [size if isinstance(size, int) else max(size) for size in chunks[1:]]
    sides = [min(max(side, 2), length) for side, length in zip(sides, shape[1:], strict=True)]
    while 4 * shape[0] * prod(sides) > _LARGEST_BYTES and max(sides, default=1) > 2:
        widest = sides.index(max(sides))
        sides[widest] = -(-sides[widest] // 2)
    cuts = [_cuts(length, side) for length, side in zip(shape[1:], sides, strict=True)]
    return list(product(*cuts))


def _cuts(length: int, side: int) -> list[slice]:
    edges = [*range(0, length, side), length]
    if len(edges) > 2 and edges[-1] - edges[-2] == 1:
        del edges[-2]
    return [slice(first, last) for first, last in pairwise(edges)]


def filled(
    draws: Any, ask: Callable[[Place, NDArray[np.float32]], tuple[NDArray[Any], ...]]
) -> tuple[NDArray[Any], ...]:
    """Return what ``ask`` answers of all draws, put together from its answers on blocks.

    Parameters
    ----------
    draws : array_like, shape (n_draws, ..., Y, X)
        In memory or lazy.
    ask : callable
        Takes a block's place and its draws; returns arrays whose last axes are the block's.
    """
    if not is_lazy(draws):
        return ask((slice(None),) * (draws.ndim - 1), draws)
    whole: list[NDArray[Any]] = []
    for place, block in blocks(draws):
        answers = ask(place, block)
        for number, answer in enumerate(answers):
            leading: tuple[int, ...] = answer.shape[: answer.ndim - len(place)]
            if len(whole) == number:
                whole.append(np.empty((*leading, *draws.shape[1:]), dtype=answer.dtype))
            target: Any = whole[number]
            target[(..., *place)] = answer
    return tuple(whole)


def box(mask: NDArray[np.bool_]) -> Place:
    """Return the slices that hold every True of a mask."""
    found = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        set_here = np.flatnonzero(mask.any(axis=others))
        found.append(slice(int(set_here[0]), int(set_here[-1]) + 1))
    return tuple(found)
