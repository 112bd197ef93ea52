"""One channel of an image: its noise model, its range, its pixels in doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian, estimate_noise
from napari_credible.noise.saturation import saturation_level
from napari_credible.recipe import Recipe

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]

# The image's range for a learned denoiser: values outside it are allowed.
_LOW, _HIGH = 0.001, 0.999
_LOOKED_AT = 8


@dataclass(frozen=True, eq=False)
class Channel:
    """What holds for all planes of a channel, and is therefore found once.

    Attributes
    ----------
    model : NoiseModel
        Given or measured.
    limit : float or None
        Value from which on pixels are saturated, image units.
    low, high : float
        Range of the stabilised values: the one affine of a learned denoiser.
    """

    model: Model
    limit: float | None
    low: float
    high: float

    def fit(self, denoiser: Denoise) -> tuple[Denoise, Flag]:
        """Return the denoiser for this channel's range, and the doubt that the range raises."""
        fitted = getattr(denoiser, "fitted", None)
        if fitted is None:
            return denoiser, Flag(0)
        # Noise has standard deviation 1 here, so a span below 1 would be noise above the range.
        doubt = Flag.OUT_OF_RANGE if self.high < self.low + 1.0 else Flag(0)
        return fitted(self.low, max(self.high, self.low + 1.0)), doubt


def model_of(recipe: Recipe, image: Image, channel: int, channels: int, ordered: Any) -> Model:
    """Return the noise model of a channel: given, or measured."""
    noise = recipe.noise
    if noise is None:
        return estimate_noise(Image(ordered[channel], header=image.header), seed=recipe.seed)
    if isinstance(noise, tuple):
        if len(noise) != channels:
            raise ValueError(
                f"{len(noise)} noise models for {channels} channels; give one, or one each"
            )
        noise = noise[channel]
    _fits(noise, ordered.shape[-2:])
    model: Model = noise
    return model


def _fits(model: Model, shape: tuple[int, ...]) -> None:
    """Refuse a per-pixel map of another size than the planes."""
    for name, value in model.to_dict().items():
        size = np.shape(value)
        if size and size != tuple(shape):
            raise ValueError(
                f"the map of {name} has shape {size}, the planes of the image {tuple(shape)}; "
                "cut the map to the same region of the detector"
            )


def prepare(model: Model, planes: Any) -> Channel:
    """Look at up to 8 planes (..., Y, X) of a channel and fix what holds for all of them.

    Raises
    ------
    ValueError
        Where no pixel is finite.
    """
    places = list(np.ndindex(planes.shape[:-2]))
    chosen = np.unique(np.linspace(0, len(places) - 1, _LOOKED_AT).astype(int))
    raw = np.stack([np.asarray(planes[places[k]]) for k in chosen])
    values = model.stabilise(np.where(np.isfinite(raw), raw, np.nan))
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError(
            "no pixel of the image is a finite number; look at the file with another program"
        )
    low, high = np.quantile(finite, [_LOW, _HIGH])
    return Channel(model, saturation_level(raw), float(low), float(high))


def flagged(plane: NDArray[np.float64], limit: float | None) -> NDArray[np.uint8]:
    """Return the doubts that the values of a plane raise by themselves."""
    flag = np.where(np.isfinite(plane), np.uint8(0), np.uint8(Flag.NOT_FINITE))
    if limit is not None:
        flag[np.isfinite(plane) & (plane >= limit)] |= np.uint8(Flag.SATURATED)
    return flag


def filled(plane: NDArray[np.float64], flag: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give pixels without a finite value that of the nearest one with."""
    missing = flag & Flag.NOT_FINITE > 0
    if not missing.any():
        return plane
    if missing.all():
        return np.zeros_like(plane)
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    whole: NDArray[np.float64] = plane[tuple(nearest)]
    return whole
