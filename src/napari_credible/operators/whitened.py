"""Noise of many levels, or correlated from pixel to pixel, made white: W y = W H x + unit noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from napari_credible.operators.blur import Blur
from napari_credible.operators.circulant import circulant_factors, filtered
from napari_credible.operators.identity import Identity
from napari_credible.operators.protocol import Factors, Operator, Shape, kept, like_given, tensor_of


class _Whitening(Operator):
    """W H, with the shapes of H."""

    operator: Operator

    @property
    def image_ndim(self) -> int:  # type: ignore[override]
        """Dimensions of one image."""
        return self.operator.image_ndim

    @property
    def data_ndim(self) -> int:  # type: ignore[override]
        """Dimensions of its data."""
        return self.operator.data_ndim

    @property
    def coarser(self) -> int:  # type: ignore[override]
        """Side of the data's pixels in the image's."""
        return self.operator.coarser

    def for_pixels(self, pixel: tuple[float, float], unit: str) -> _Whitening:
        """Return the same of H for the image's pixels."""
        changed: _Whitening = replace(self, operator=self.operator.for_pixels(pixel, unit))  # type: ignore[type-var]
        return changed

    def whiten(self, data: Any) -> Any:
        """Return W y: data as measured, (..., *data), become data whose noise is white.

        Its variance is 1. A numpy array gives a numpy array, a tensor a tensor.
        """
        return like_given(self._white(tensor_of(data)), data)

    def _white(self, data: Tensor) -> Tensor:
        raise NotImplementedError

    def apply(self, x: Tensor) -> Tensor:
        """Return W H x."""
        return self._white(self.operator.apply(x))

    def transpose(self, y: Tensor) -> Tensor:
        """Return Hᵀ W y: W is symmetric."""
        return self.operator.transpose(self._white(y))

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the image."""
        return self.operator.image_shape(data_shape)

    def fixed_shape(self) -> Shape | None:
        """Return the only shape of image that H takes, if there is one."""
        return self.operator.fixed_shape()


@dataclass(frozen=True, eq=False, repr=False)
class Whitened(_Whitening):
    """y / std = (H / std) x + white noise: independent noise whose level varies.

    Parameters
    ----------
    operator : Operator
        H.
    std : float or array, shape (*data), units of the data
        Of the noise of each datum, above 0. Infinity: the datum is never looked at.
    """

    operator: Operator
    std: Any

    kind: ClassVar[str] = "whitened"

    def __post_init__(self) -> None:
        std = np.asarray(self.std.cpu() if isinstance(self.std, Tensor) else self.std)
        fits = std.dtype.kind in "uif" and (std > 0).all() and np.isfinite(std).any()
        if not fits or std.ndim not in (0, self.data_ndim):
            raise ValueError(
                f"the noise levels have shape {std.shape} and {_range(std)}; give one number, or "
                "one a datum, above 0; infinity where a datum does not count"
            )
        object.__setattr__(self, "std", kept(std, np.float64))

    def _white(self, data: Tensor) -> Tensor:
        """Return data / std, and 0 where std is infinite."""
        weight = self._weight(data)
        return torch.where(weight > 0, data * weight, 0)

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the data."""
        return self._fitting(self.operator.data_shape(image_shape))

    def image_shape(self, data_shape: Shape) -> Shape:
        """Return the shape of the image."""
        return super().image_shape(self._fitting(data_shape))

    def observed(self, data_shape: Shape) -> np.ndarray:
        """Return which data H looks at and whose noise is finite."""
        seen: np.ndarray = self.operator.observed(data_shape) & np.isfinite(self.std)
        return seen

    def factors(self, image_shape: Shape, like: Tensor) -> Factors | None:
        """Return S divided by the noise, where each coordinate is one datum or has the same noise.

        None otherwise.
        """
        plain = self.operator.factors(image_shape, like)
        if plain is None or not (plain.pixelwise or self.std.ndim == 0):
            return None
        weight = self._weight(like)
        if self.std.ndim:
            weight = plain.data_to_spectral(weight.expand(self.data_shape(image_shape)))
        return plain.times(weight)

    def _weight(self, like: Tensor) -> Tensor:
        return (1 / torch.tensor(self.std)).to(like)

    def _fitting(self, data_shape: Shape) -> Shape:
        if self.std.ndim and self.std.shape != tuple(data_shape):
            raise ValueError(
                f"the noise levels have shape {self.std.shape} and the data {tuple(data_shape)}; "
                "give one level a datum"
            )
        return data_shape


@dataclass(frozen=True, eq=False, repr=False)
class Decorrelated(_Whitening):
    """W y = W H x + white noise, for noise whose neighbours vary together, everywhere alike.

    W divides each frequency of the data, taken as periodic, by the noise's amplitude there.

    Parameters
    ----------
    operator : Operator
        H; all of its data must count.
    autocovariance : array, shape (y, x), both odd; squared units of the data
        Mean product of the noise of two pixels by the distance between them, the variance in
        the middle; 0 outside. :func:`autocovariance_of` measures it on a frame of noise alone.

    Raises
    ------
    ValueError
        Where no noise varies so: the power of some frequency would not be above 0.
    """

    operator: Operator
    autocovariance: Any

    kind: ClassVar[str] = "decorrelated"

    def __post_init__(self) -> None:
        lags = np.asarray(self.autocovariance, dtype=np.float64)
        odd = lags.ndim == 2 and all(n % 2 for n in lags.shape) and np.isfinite(lags).all()
        if not odd or not np.allclose(lags, lags[::-1, ::-1], rtol=1e-6, atol=1e-9 * lags.max()):
            raise ValueError(
                f"the autocovariance has shape {lags.shape}; give finite numbers, the same in "
                "opposite directions, with the variance in the middle of odd sides"
            )
        object.__setattr__(self, "autocovariance", kept((lags + lags[::-1, ::-1]) / 2, float))

    def _white(self, data: Tensor) -> Tensor:
        """Return the data with each frequency divided by the noise's amplitude."""
        return filtered(data, self._gain(tuple(data.shape[-2:])).to(data))

    def data_shape(self, image_shape: Shape) -> Shape:
        """Return the shape of the data."""
        found = self.operator.data_shape(image_shape)
        if not self.operator.observed(found).all():
            raise ValueError(
                "correlated noise cannot be made white where some data do not count; "
                "use Whitened, with the noise of each datum alone"
            )
        return found

    def factors(self, image_shape: Shape, like: Tensor) -> Factors | None:
        """Return those of one filter where H is a circular blur or the identity; else None."""
        shape = tuple(image_shape)
        if isinstance(self.operator, Identity):
            return circulant_factors(self._gain(shape) + 0j, shape, like)
        if isinstance(self.operator, Blur) and self.operator.boundary == "circular":
            response = self.operator.response(shape, torch.zeros((), dtype=torch.float64))
            response = response * self._gain(shape)
            return circulant_factors(response, shape, like)
        return None

    def _gain(self, shape: Shape) -> Tensor:
        """Return 1 / the amplitude of the noise at each frequency (rfft2), float64, processor."""
        lags = Blur(self.autocovariance, normalise=False)
        power = lags.response(lags.data_shape(shape), torch.zeros((), dtype=torch.float64)).real
        if not bool((power > 1e-9 * power.max()).all()):
            raise ValueError(
                f"no noise has this autocovariance: the power of some frequency is "
                f"{float(power.min()):.3g}; autocovariance_of measures one that can be"
            )
        return power.rsqrt()


def autocovariance_of(noise: Any, reach: int = 3) -> np.ndarray:
    """Measure the autocovariance of noise that is alike everywhere, shape (2 reach + 1,) * 2.

    Parameters
    ----------
    noise : array, shape (..., Y, X)
        Frames of noise alone, such as dark frames or the difference of two exposures divided by
        sqrt(2); their mean is taken off.
    reach : int
        Largest distance, pixels.

    Returns
    -------
    ndarray
        Mean products, weighted by 1 - distance / (reach + 1) along each axis, so that the power of
        every frequency stays above 0 (Bartlett's window): correlations look that much shorter.
    """
    frames = np.asarray(noise, dtype=np.float64)
    frames = (frames - frames.mean()).reshape(-1, *frames.shape[-2:])
    if not np.isfinite(frames).all() or not frames.any() or min(frames.shape[1:]) <= 2 * reach:
        raise ValueError(
            f"noise of shape {np.shape(noise)} gives no autocovariance up to {reach} pixels; "
            "give finite, larger frames that vary"
        )
    size = [n + reach for n in frames.shape[1:]]
    power = np.square(np.abs(np.fft.rfft2(frames, s=size))).mean(0)
    products = np.fft.irfft2(power, s=size) / np.prod(frames.shape[1:])
    lags = np.arange(-reach, reach + 1)
    fall = 1 - np.abs(lags) / (reach + 1)
    found: np.ndarray = products[np.ix_(lags, lags)] * np.outer(fall, fall)
    return found


def _range(values: np.ndarray) -> str:
    return f"go from {values.min():g} to {values.max():g}" if values.dtype.kind in "uif" else "none"
