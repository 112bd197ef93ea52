"""A part of the data, and the operator that made it of a part of the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_credible.operators import (
    Bayer,
    Blur,
    Compose,
    Downsample,
    Identity,
    Mask,
    Operator,
    Whitened,
)

Window = tuple[slice, slice]
Edges = tuple[int, int, int, int]
Shape = tuple[int, ...]


def cropped(operator: Operator, window: Window, data_shape: Shape) -> Operator | None:
    """Return H of a part of the data, whose image is the part of the image that it sees.

    Parameters
    ----------
    operator : Operator
        H of all data.
    window : (slice, slice)
        Rows and columns of the data, with start and stop.
    data_shape : (int, int)
        Of all data.

    Returns
    -------
    Operator or None
        None where a part cannot be told from the rest: projections, measurements, noise that
        hangs together, a PSF that reaches beyond the image's edge, an operator of your own.

    Notes
    -----
    A blur of any boundary is "valid" on a part: the data at its edge see beyond it.
    """
    found = _cropped(operator, window, data_shape)
    return None if found is None else found[0]


def _cropped(
    operator: Operator, window: Window, data_shape: Shape
) -> tuple[Operator, Window] | None:
    """Return H of a window of the data, and the window of the image that it sees."""
    if isinstance(operator, Compose):
        return _both(operator, window, data_shape)
    if isinstance(operator, Whitened):
        return _whitened(operator, window, data_shape)
    if isinstance(operator, Identity):
        return operator, window
    if isinstance(operator, Mask):
        return Mask(np.asarray(operator.mask)[window]), window
    if isinstance(operator, Downsample):
        return operator, _times(window, operator.factor)
    if isinstance(operator, Bayer):  # its pattern begins at even rows and columns
        return (operator, window) if all(side.start % 2 == 0 for side in window) else None
    if isinstance(operator, Blur):
        return _blurred(operator, window, data_shape)
    return None


def _both(operator: Compose, window: Window, data_shape: Shape) -> tuple[Operator, Window] | None:
    last = _cropped(operator.last, window, data_shape)
    if last is None:
        return None
    seen = operator.last.image_shape(data_shape)
    first = _cropped(operator.first, last[1], seen)
    return None if first is None else (last[0] @ first[0], first[1])


def _whitened(
    operator: Whitened, window: Window, data_shape: Shape
) -> tuple[Operator, Window] | None:
    inner = _cropped(operator.operator, window, data_shape)
    if inner is None:
        return None
    std = np.broadcast_to(np.asarray(operator.std), data_shape)[window]
    return Whitened(inner[0], std), inner[1]


def _blurred(operator: Blur, window: Window, data_shape: Shape) -> tuple[Operator, Window] | None:
    shape = operator.image_shape(data_shape)
    seen = []
    for side, size, length in zip(window, operator.psf.shape, shape[-2:], strict=True):
        before = 0 if operator.boundary == "valid" else size // 2 - size + 1
        first, behind = side.start + before, side.stop + before + size - 1
        if first < 0 or behind > length:
            return None
        seen.append(slice(first, behind))
    return replace(operator, boundary="valid"), (seen[0], seen[1])


def edges(operator: Operator) -> Edges:
    """Return how many data lie too near an edge to be a part, since H looks beyond it there.

    Returns
    -------
    tuple of int
        Rows at the top, columns at the left, rows at the bottom, columns at the right.
    """
    if isinstance(operator, Compose):
        last, first, coarser = edges(operator.last), edges(operator.first), operator.last.coarser
        top, left, bottom, right = (a - (-b // coarser) for a, b in zip(last, first, strict=True))
        return top, left, bottom, right
    if isinstance(operator, Whitened):
        return edges(operator.operator)
    if isinstance(operator, Blur) and operator.boundary != "valid":
        height, width = operator.psf.shape
        return height - 1 - height // 2, width - 1 - width // 2, height // 2, width // 2
    return 0, 0, 0, 0


def _times(window: Window, factor: int) -> Window:
    rows, columns = (slice(factor * side.start, factor * side.stop) for side in window)
    return rows, columns
