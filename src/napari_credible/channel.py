"""One channel of an image: its noise model, its range, its pixels in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.noise.saturation import saturation_level
from napari_credible.recipe import Recipe
from napari_credible.region import Region

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]

# The image's range for a learned denoiser: values outside it are allowed.
_LOW, _HIGH = 0.001, 0.999
_LOOKED_AT = 8
# Of a plane: more would not move the 0.1 % quantiles by a hundredth of the range.
_SAMPLED = 500_000


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


def within(channels: list[Channel], region: Region, image: Image) -> list[Channel]:
    """Return the channels inside a region of an image, their maps cut to what is read for it."""
    return [
        replace(channel, model=region.model(channel.model, image))
        for channel in channels[region.channels(image)]
    ]


def models_of(recipe: Recipe, channels: Sequence[Image]) -> list[Model]:
    """Return the noise model of each channel: given, or measured."""
    noise = recipe.noise
    if noise is None:
        from napari_credible.noise import estimate_noise

        return [estimate_noise(channel, seed=recipe.seed) for channel in channels]
    given = list(noise) if isinstance(noise, tuple) else [noise] * len(channels)
    if len(given) != len(channels):
        raise ValueError(
            f"{len(given)} noise models for {len(channels)} channels; give one, or one each"
        )
    for model in given:
        _fits(model, channels[0].ordered().shape[-2:])
    return given


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
    finite = np.concatenate([_sample(model, plane) for plane in raw])
    if not finite.size:
        raise ValueError(
            "no pixel of the image is a finite number; look at the file with another program"
        )
    low, high = np.quantile(finite, [_LOW, _HIGH])
    return Channel(model, saturation_level(raw), float(low), float(high))


def _sample(model: Model, plane: NDArray[Any]) -> NDArray[np.float64]:
    """Return some of a plane's finite stabilised values, evenly chosen: enough for a range."""
    values = model.stabilise(np.where(np.isfinite(plane), plane, np.nan)).ravel()
    values = values[np.isfinite(values)]
    return values[:: max(values.size // _SAMPLED, 1)]


def flagged(plane: NDArray[np.float64], channel: Channel) -> NDArray[np.uint8]:
    """Return the doubts that the values of a plane raise by themselves.

    The limit of the detector is that of the channel, or the plane's own: a few bright planes of
    a long stack may alone reach it.
    """
    finite = np.isfinite(plane)
    flag = np.where(finite, np.uint8(0), np.uint8(Flag.NOT_FINITE))
    limits = [v for v in (channel.limit, saturation_level(plane)) if v is not None]
    if limits:
        flag[finite & (plane >= min(limits))] |= np.uint8(Flag.SATURATED)
    flag[finite & channel.model.impossible(plane)] |= np.uint8(Flag.BELOW_OFFSET)
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
