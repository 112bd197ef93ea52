"""What an operator is: a real linear map H from an image to the data, and its transpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Factors:
    """The singular value decomposition H = U S Vᵀ for one shape of image, as fast transforms.

    Batches lead: an image is (..., *image), its coordinates are (..., n), n the number of its
    pixels. The columns of V are an orthonormal basis of the images in real coordinates.

    Attributes
    ----------
    singular_values : Tensor, shape (n,)
        In no particular order; 0 for the null space, whose coordinates the data do not see.
    to_spectral, from_spectral : callable
        Vᵀ x and V c.
    data_to_spectral : callable
        Uᵀ y, (..., *data) to (..., n), aligned with the singular values, 0 where they are 0.
    data_from_spectral : callable
        U c, (..., n) to (..., *data); coordinates of the null space are left out.
    pixelwise : bool
        Whether each coordinate with a singular value above 0 is one datum: noise that is
        independent from datum to datum, of any levels, then stays so.
    """

    singular_values: Tensor
    to_spectral: Callable[[Tensor], Tensor]
    from_spectral: Callable[[Tensor], Tensor]
    data_to_spectral: Callable[[Tensor], Tensor]
    data_from_spectral: Callable[[Tensor], Tensor]
    pixelwise: bool = False

    def times(self, weight: Tensor) -> Factors:
        """Return the same bases with the singular values times ``weight``, shape (n,), >= 0.

        Where they become 0 nothing is seen any more.
        """
        values = self.singular_values * weight
        seen = values > 0
        return replace(
            self,
            singular_values=values,
            data_to_spectral=lambda y: torch.where(seen, self.data_to_spectral(y), 0),
            data_from_spectral=lambda c: self.data_from_spectral(torch.where(seen, c, 0)),
        )


class Operator:
    """A real linear map, y = H x: how the instrument turns the image into the data.

    A subclass is a frozen dataclass of numbers and arrays that does not know the size of the
    image until it is asked. It writes :meth:`apply`; :meth:`data_shape` and :meth:`image_shape`
    where the shape changes; :meth:`transpose` where automatic differentiation, which gives it
    otherwise, is too slow; and :meth:`factors` where H has a fast singular value decomposition.

    Attributes
    ----------
    image_ndim, data_ndim : int
        Dimensions of one image and of its data; all before them are a batch.
    coarser : int
        Side of the data's pixels in the image's.
    """

    image_ndim: ClassVar[int] = 2
    data_ndim: ClassVar[int] = 2
    coarser: ClassVar[int] = 1

    def __call__(self, image: Any) -> Any:
        """Return H x, shape (..., *data), of images (..., *image).

        A numpy array gives a numpy array, a tensor a tensor, of the same precision and device;
        integers become floats.
        """
        x = tensor_of(image)
        self.data_shape(_last(x.shape, self.image_ndim, "the image"))
        return like_given(self.apply(x), image)

    def adjoint(self, data: Any) -> Any:
        """Return Hᵀ y, shape (..., *image), of data (..., *data), as :meth:`__call__` does."""
        y = tensor_of(data)
        self.image_shape(_last(y.shape, self.data_ndim, "the data"))
        return like_given(self.transpose(y), data)

    def apply(self, x: Tensor) -> Tensor:
        """Return H x of floating-point tensors whose shape fits."""
        raise NotImplementedError(f"{type(self).__name__} must write apply(x)")

    def transpose(self, y: Tensor) -> Tensor:
        """Return Hᵀ y: the derivative of <H x, y> by x."""
        batch = y.shape[: y.ndim - self.data_ndim]
        origin = y.new_zeros((*batch, *self.image_shape(tuple(y.shape[len(batch) :]))))
        pulled: Tensor = torch.func.vjp(self.apply, origin)[1](y)[0]
        return pulled

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the data of one image; ``ValueError`` where it does not fit."""
        return image_shape

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the image of such data; ``ValueError`` where it does not fit."""
        return data_shape

    def fixed_shape(self) -> Shape | None:
        """Return the shape of the image where only one fits; None where many do."""
        return None

    def observed(self, data_shape: Shape) -> np.ndarray:
        """Return which data count, boolean (*data): the others are never looked at."""
        return np.ones(data_shape, dtype=bool)

    def for_pixels(self, pixel: tuple[float, float], unit: str) -> Operator:
        """Return the operator for an image of pixels of a height and width, in ``unit``."""
        return self

    def factors(self, image_shape: Shape, like: Tensor) -> Factors | None:
        """Return U, S and V for images of a shape, of the dtype and on the device of ``like``.

        None where there is no fast decomposition.
        """
        return None

    def __matmul__(self, other: Operator) -> Operator:
        """Return the operator that applies ``other`` first and this one to what comes out."""
        from napari_credible.operators.compose import Compose

        return Compose(self, other)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _parts(other) == _parts(self)

    def __hash__(self) -> int:
        return hash((type(self), _parts(self)))

    def __repr__(self) -> str:
        told = [(f.name, getattr(self, f.name), f.default) for f in _fields(self)]
        said = [f"{name}={_short(value)}" for name, value, usual in told if value is not usual]
        return f"{type(self).__name__}({', '.join(said)})"


def kept(array: Any, dtype: Any) -> np.ndarray:
    """Return a copy that cannot be written to: what a frozen dataclass may hold."""
    own = np.array(array, dtype=dtype)
    own.setflags(write=False)
    return own


def tensor_of(array: Any) -> Tensor:
    """Return an array as a tensor of floating-point numbers."""
    if isinstance(array, Tensor):
        if array.is_complex():
            raise ValueError("the array holds complex numbers; operators take real ones")
        return array if array.is_floating_point() else array.to(torch.float32)
    array = np.asarray(array)
    if array.dtype.kind not in "buif":
        raise ValueError(f"the array holds {array.dtype} values; operators take real numbers")
    # Any byte order comes in; 16-bit integers fit float32, longer ones need float64.
    kind = np.result_type(array.dtype.newbyteorder("="), np.float32)
    precise = np.float64 if kind.itemsize > 4 else np.float32
    return torch.tensor(np.ascontiguousarray(array, dtype=precise))


def like_given(found: Tensor, given: Any) -> Any:
    """Return a tensor as what was given: a tensor, or a numpy array."""
    return found if isinstance(given, Tensor) else found.numpy()


def _last(shape: Shape, ndim: int, what: str) -> Shape:
    if len(shape) < ndim:
        raise ValueError(f"{what} has shape {tuple(shape)}; give at least {ndim} dimensions")
    return tuple(shape[len(shape) - ndim :])


def _fields(operator: Any) -> tuple[Any, ...]:
    return fields(operator) if hasattr(operator, "__dataclass_fields__") else ()


def _parts(operator: Any) -> tuple[Any, ...]:
    return tuple(_hashable(getattr(operator, f.name)) for f in _fields(operator))


def _hashable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    return value


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{' x '.join(map(str, value.shape))} {value.dtype}>"
    return repr(value)
