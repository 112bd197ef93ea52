"""Where the image of an operator lies, seen from its data: pixel size, place, axes, range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_credible.conjugate import conjugate_gradients
from napari_credible.io.image import Image
from napari_credible.operators import (
    Bayer,
    Blur,
    Compose,
    Decorrelated,
    Downsample,
    Identity,
    Mask,
    Operator,
    Radon,
    Whitened,
    pixel_size,
)

_WHITE = (Whitened, Decorrelated)
_PICTURED = (Identity, Mask, Blur, Downsample, Bayer)
# Of the squared norm of H: how firmly a first image is held to zero.
_RIDGE, _PRODUCTS = 1e-2, 20
# H takes a constant image for a constant, to this.
_CONSTANT = 1e-3


def parts(operator: Operator) -> list[Operator]:
    """Return the operators that one is made of, the last applied first; whitening is none."""
    return [each for each in _nodes(operator) if _inner(each) is None]


def _nodes(operator: Operator) -> list[Operator]:
    """Return all that a composition holds, what whitens before what it whitens."""
    if isinstance(operator, Compose):
        return [*_nodes(operator.last), *_nodes(operator.first)]
    inner = _inner(operator)
    return [operator] if inner is None else [operator, *_nodes(inner)]


def _inner(operator: Operator) -> Operator | None:
    inner = getattr(operator, "operator", None)
    return inner if isinstance(inner, Operator) else None


def pictured(operator: Operator) -> bool:
    """Return whether the data are a picture of the image, pixel beside pixel."""
    return all(isinstance(part, _PICTURED) for part in parts(operator))


def white(operator: Operator) -> bool:
    """Return whether the data are counted in their noise, whose level is then 1."""
    if isinstance(operator, Compose):
        passed = isinstance(operator.last, (Identity, Mask)) and white(operator.first)
        return white(operator.last) or passed
    return isinstance(operator, _WHITE)


def in_units(operator: Operator) -> bool:
    """Return whether the data are a picture of the image, and in its units."""
    whitened = any(isinstance(each, _WHITE) for each in _nodes(operator))
    return pictured(operator) and not whitened


def _sinogram(operator: Operator) -> bool:
    return any(isinstance(part, Radon) for part in parts(operator))


def first_pixel(operator: Operator) -> tuple[float, float]:
    """Return where in the image the middle of the first datum lies, in the image's pixels."""
    place = np.zeros(2)
    for part in parts(operator):  # from the data to the image
        if isinstance(part, Downsample):
            place = place * part.factor + (part.factor - 1) / 2
        elif isinstance(part, Blur) and part.boundary == "valid":
            place = place + (np.array(part.psf.shape) - 1) // 2
    return float(place[0]), float(place[1])


def fitted(operator: Operator, image: Image, finer: int = 1) -> Operator:
    """Return the operator for the pixels that it sees, where their size is known.

    Parameters
    ----------
    operator : Operator
        PSFs in it may have pixels of their own.
    image : Image
        Whose pixels are known: what the operator sees, or its data.
    finer : int
        How many times finer the pixels are that the operator sees: ``operator.coarser`` for data.
    """
    known = pixel_size(image)
    if known is None:
        return operator
    (height, width), unit = known
    return operator.for_pixels((height / finer, width / finer), unit)


def frame(operator: Operator, image: Image) -> Image:
    """Return the axes, scale, units and header of the restored image, without its pixels.

    Opacity is left out. Three colours come as a first axis C.

    Raises
    ------
    ValueError
        Where data of one colour a pixel have channels already.
    """
    image = image.opaque()
    ordered = image.ordered().shape
    shape = operator.image_shape(ordered[-2:])
    scale, units = list(image.scale), list(image.axis_units)
    for axis in "YX":
        scale[image.axes.index(axis)] /= operator.coarser
    if not pictured(operator):
        # The data's other axis counts angles or measurements: the image's pixels are square.
        known, other = "YX" if _sinogram(operator) else "XY"
        one, like = image.axes.index(other), image.axes.index(known)
        scale[one], units[one] = scale[like], units[like]
    sizes = list(image.shape)
    for axis, size in zip("YX", shape[-2:], strict=True):
        sizes[image.axes.index(axis)] = size
    header = image.header
    if operator.coarser != 1 or any(first_pixel(operator)):
        header = _placed(header, operator)
    found = replace(
        image,
        header=header,
        scale=tuple(scale),
        axis_units=tuple(units),
        array=_nothing(sizes, image),
    )
    if len(shape) == 2:
        return found
    if image.channel_axis:
        raise ValueError(
            f"the image has a channel axis ({image.axes}), and {operator} makes three colours of "
            "one; give the raw frames alone"
        )
    return replace(
        found,
        array=_nothing([3, *sizes], image),
        axes=f"C{found.axes}",
        scale=(1.0, *found.scale),
        axis_units=("pixel", *found.axis_units),
    )


def translate(operator: Operator, image: Image) -> tuple[float, ...]:
    """Return the place of the result's first pixel, in the units of the image's axes."""
    first = dict(zip("YX", first_pixel(operator), strict=True))
    made = frame(operator, image)
    steps = zip(made.axes, made.scale, strict=True)
    return tuple(0.0 - first.get(axis, 0.0) * step for axis, step in steps)


def keeps_constants(operator: Operator, data_shape: tuple[int, ...]) -> bool:
    """Return whether H takes an image of ones for ones, where data count."""
    ones = operator(np.ones(operator.image_shape(tuple(data_shape))))
    seen = operator.observed(tuple(data_shape))
    return bool(np.abs(ones[seen] - 1).max() < _CONSTANT)


def offset_in_image(operator: Operator, offset: Any, data_shape: tuple[int, ...]) -> float:
    """Return what of the counts' offset the image holds: all where H keeps constants, else 0."""
    kept = bool(np.any(offset)) and keeps_constants(operator, data_shape)
    return float(np.mean(offset)) if kept else 0.0


def light_behind(operator: Operator, offset: Any, image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the data of an image without noise, as counts on their offset.

    The offset is in the image too where H keeps constants: see :func:`napari_credible.restore`.

    Parameters
    ----------
    operator : Operator
        H.
    offset : float or ndarray, shape (*data)
        Counts without light.
    image : ndarray, shape (..., *image)
        One or many.
    """
    light = np.asarray(image, dtype=np.float64)
    data = operator.data_shape(light.shape[light.ndim - operator.image_ndim :])
    return np.asarray(operator(light - offset_in_image(operator, offset, data)) + offset)


def back_projected(operator: Operator, data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest image that roughly explains the data: for its range."""
    y = torch.as_tensor(np.where(operator.observed(data.shape), data, 0))[None]
    right = operator.adjoint(y)
    probe = operator(right)
    ridge = _RIDGE * float(probe.square().sum() / right.square().sum().clamp(min=1e-300))

    def normal(x: Any) -> Any:
        return operator.adjoint(operator(x)) + ridge * x

    found = conjugate_gradients(normal, right, most=_PRODUCTS, tolerance=1e-3).x
    return np.asarray(found.numpy(), dtype=np.float64)


def _nothing(sizes: list[int], image: Image) -> NDArray[Any]:
    return np.broadcast_to(np.zeros((), np.dtype(image.array.dtype)), tuple(sizes))


def _placed(header: Any, operator: Operator) -> Any:
    """Return a header whose sky coordinates are those of the restored image."""
    if "_cards" not in header:
        return header
    from napari_credible.io.fits import finer

    place = first_pixel(operator)
    return {**header, "_cards": finer(header["_cards"], operator.coarser, place)}
