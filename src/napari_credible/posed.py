"""One plane of data as a problem: what is seen, its noise, the range of its image, D for that."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_credible import geometry
from napari_credible.channel import filled, models_of
from napari_credible.colours import Opponent, opponent_ranges
from napari_credible.drawing import Tiled
from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.noise.saturation import saturation_level
from napari_credible.operators import Bayer, Blur, Mask, Operator, Whitened
from napari_credible.plan import Plan, named_operator
from napari_credible.problem import Problem
from napari_credible.recipe import Recipe
from napari_credible.solvers import Pnp, solve

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]
# The range of an image: quantiles of what the data say.
_LOW, _HIGH = 0.001, 0.999
# What is to be seen is on the scale of the middle nine tenths: where objects fill the image, so
# often that this is the range; where a few are far brighter than the rest, that of the rest.
_DARK, _BRIGHT, _CONTENT, _FAINTEST = 0.05, 0.95, 2.0, 1e-4
# Pixels over which counts are smoothed for a first variance, and images found for better ones.
_FIRST, _PASSES = 2.0, 2
# Times the median noise: data beyond are left out where the range is measured.
_NOISY = 10.0
_PILOT = Pnp(evaluations=8)
# A point is taken to be brighter than its brightest datum by this factor at most.
_SHARPEST = 8.0


@dataclass(frozen=True, eq=False)
class Posed:
    """A plane's problem.

    Attributes
    ----------
    problem : Problem
        Of the light above the offset.
    denoise : callable
        D for the image's range, in tiles.
    offset, lowest : float
        What is added to the image, and below which it cannot lie.
    flag : ndarray of uint8, shape of the data
        Doubts that their values raise.
    """

    problem: Problem
    denoise: Denoise
    offset: float
    lowest: float
    flag: NDArray[np.uint8]


@dataclass(frozen=True)
class Known:
    """What is found of all data of a plane, also where a part of them is restored.

    Attributes
    ----------
    limit : float or None
        From which on data are saturated.
    offset : float
        What of the counts' offset the image holds.
    range, bounds : (float, float)
        Between which most of the image lies, and what no pixel exceeds, above the offset.
    content : float
        The scale of what is to be seen beside the brightest.
    """

    limit: float | None
    offset: float
    range: tuple[float, float]
    bounds: tuple[float, float]
    content: float

    @classmethod
    def of(cls, operator: Operator, plane: NDArray[np.float64], model: Model | None) -> Known:
        """Look at all data of a plane, in the units in which they were measured."""
        limit = saturated_from(operator, plane)
        return cls._of(operator, _read(operator, plane, limit), model, limit)

    @classmethod
    def _of(
        cls, operator: Operator, read: _Read, model: Model | None, limit: float | None
    ) -> Known:
        offset = getattr(model, "offset", 0.0)
        low, high, content = _range(read.operator, read.counts - offset, model, read.counts)
        return cls(
            limit,
            geometry.offset_in_image(operator, offset, read.counts.shape),
            (low, high),
            _bounds(read.operator, read.counts - offset, high - low),
            content,
        )


@dataclass(frozen=True, eq=False)
class _Read:
    """H of what counts of a plane, the flags of its data, and the data with all others filled."""

    operator: Operator
    flag: NDArray[np.uint8]
    counts: NDArray[np.float64]


def _read(operator: Operator, plane: NDArray[np.float64], limit: float | None) -> _Read:
    operator, flag = usable(operator, plane, limit)
    seen = np.where(operator.observed(plane.shape), 0, Flag.NOT_FINITE)
    return _Read(operator, flag, filled(plane, seen))


def posed(
    plane: NDArray[np.float64],
    operator: Operator,
    model: Model | None,
    denoiser: Denoise,
    todo: Plan,
    *,
    spectral: bool = False,
    known: Known | None = None,
) -> Generator[str, None, Posed]:
    """Return the problem of a plane, saying on the way what is done.

    The variance of photon counts is the model's at H of an image that plug-and-play finds, twice.

    Parameters
    ----------
    plane : ndarray, shape (*data)
        The data.
    operator : Operator
        H.
    model : NoiseModel or None
        None: the data have no noise.
    denoiser : callable
        On its device, not yet fitted to a range.
    todo : Plan
        Tiles and device.
    spectral : bool
        Whether the method needs one noise level and singular values.
    known : Known, optional
        What was found of all data, where the plane is a part of them.
    """
    if not spectral:
        operator, plane, model = as_measured(operator, plane, model)
    limit = saturated_from(operator, plane) if known is None else known.limit
    read = _read(operator, plane, limit)
    known = known or Known._of(operator, read, model, limit)
    operator, counts, (low, high) = read.operator, read.counts, known.range
    offset = getattr(model, "offset", 0.0)
    denoise = _fitting(denoiser, operator, todo, low, high)

    def problem(variance: Any) -> Problem:
        data, level = (
            torch.from_numpy(np.asarray(a, dtype=np.float32)).to(todo.device)
            for a in (counts - offset, np.sqrt(variance))
        )
        return Problem.of(operator, data, level, low, high, known.bounds, known.content)

    variance: Any = np.zeros(())
    if isinstance(model, Gaussian):
        variance = np.square(np.asarray(model.sigma, dtype=np.float64))
    elif model is not None:
        variance = model.variance(_smooth(counts, geometry.in_units(operator)))
        for _ in range(_PASSES):
            yield "finding the noise level"
            light = _light(problem(variance), denoise)
            variance = model.variance(light + offset)
    lowest = known.offset if isinstance(model, PoissonGaussian) else -np.inf
    return Posed(problem(variance), denoise, known.offset, lowest, read.flag)


def as_measured(
    operator: Operator, plane: NDArray[np.float64], model: Model | None
) -> tuple[Operator, NDArray[np.float64], Model | None]:
    """Return H, data and noise as before each datum was divided by its noise.

    Methods are faster and surer where the noise is a map than where H is.
    """
    if not (isinstance(operator, Whitened) and isinstance(model, Gaussian)):
        return operator, plane, model
    std = np.broadcast_to(np.asarray(operator.std, dtype=np.float64), plane.shape)
    counts = np.isfinite(std)
    level = np.where(counts, std, 1.0)
    seen = operator.operator if counts.all() else Mask(counts) @ operator.operator
    return seen, plane * level, Gaussian(level * np.asarray(model.sigma))


def _light(problem: Problem, denoise: Denoise) -> NDArray[np.float64]:
    """Return H of a first image."""
    with torch.no_grad():
        for now, _ in solve(_PILOT, denoise, problem):
            found = problem.forward(now.x)[0]
    return np.asarray(found.cpu().numpy(), dtype=np.float64)


def _fitting(denoiser: Denoise, operator: Operator, todo: Plan, low: float, high: float) -> Denoise:
    """Return D for the image's range, in tiles, and for three colours where there are."""

    def fitted(ends: tuple[float, float]) -> Denoise:
        fit = getattr(denoiser, "fitted", None)
        return Tiled(denoiser if fit is None else fit(*ends), todo.grid)

    if operator.image_ndim == 3:
        return Opponent([fitted(ends) for ends in opponent_ranges(low, high)])
    return fitted((low, high))


def _range(
    operator: Operator, data: NDArray[np.float64], model: Any, counts: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return between which values most of the image lies, and the scale of what is to be seen.

    The former are, of a picture, at least its noise apart.
    """
    picture = geometry.in_units(operator)
    seen = operator.observed(data.shape)
    if picture and isinstance(model, Gaussian):  # what is nearly all noise tells no range
        level = np.broadcast_to(np.asarray(model.sigma, dtype=np.float64), data.shape)
        seen = seen & (level <= _NOISY * np.median(level[seen]))
    values = data[seen] if picture else geometry.back_projected(operator, data)
    low, dark, bright, high = (float(v) for v in np.quantile(values, [_LOW, _DARK, _BRIGHT, _HIGH]))
    noise = 0.0
    if picture and model is not None:
        noise = float(np.sqrt(np.broadcast_to(model.variance(counts), data.shape)[seen].mean()))
    high = max(high, low + max(noise, 1e-12))
    content = min(max(_CONTENT * (bright - dark), _FAINTEST * (high - low)), high - low)
    return low, high, content


def _bounds(operator: Operator, data: NDArray[np.float64], span: float) -> tuple[float, float]:
    """Return what no pixel can exceed: a range beyond the data, and more where points are spread.

    A point behind a PSF is brighter than its brightest datum by the PSF's peak at most.
    """
    if not geometry.in_units(operator):
        return -np.inf, np.inf
    seen = data[operator.observed(data.shape)]
    low, high = float(seen.min()), float(seen.max())
    peaks = [part.psf.max() for part in geometry.parts(operator) if isinstance(part, Blur)]
    sharper = min(float(np.prod([1 / peak for peak in peaks])), _SHARPEST)
    return low - span, low + max(sharper * (high - low), high - low + span)


def usable(
    operator: Operator, plane: NDArray[np.float64], limit: float | None
) -> tuple[Operator, NDArray[np.uint8]]:
    """Return H without the data that are saturated or not finite, and the flags of the data.

    Parameters
    ----------
    operator : Operator
        H.
    plane : ndarray, shape (*data)
        The data.
    limit : float, optional
        From which on they are saturated; see :func:`saturated_from`.

    Raises
    ------
    ValueError
        Where nothing is left.
    """
    finite = np.isfinite(plane)
    flag = np.where(finite, np.uint8(0), np.uint8(Flag.NOT_FINITE))
    if limit is not None:
        flag[finite & (plane >= limit)] |= np.uint8(Flag.SATURATED)
    seen = operator.observed(plane.shape)
    if not (seen & (flag == 0)).any():
        raise ValueError(
            "no pixel that the operator looks at is a finite, unsaturated number; look at the "
            "data and at the mask"
        )
    bad = (flag > 0) & seen
    return (Mask(~bad) @ operator if bad.any() else operator), flag


def saturated_from(operator: Operator, plane: NDArray[np.float64]) -> float | None:
    """Return the value from which on data are saturated, where they are a picture and some are."""
    if not geometry.in_units(operator):
        return None
    return saturation_level(np.where(np.isfinite(plane), plane, 0)[None])


def operator_for(recipe: Recipe, image: Image, own: Operator | None = None) -> Operator:
    """Return the caller's operator, or a recipe's, for the pixels of the data."""
    operator = own or named_operator(recipe)
    return geometry.fitted(operator, image, operator.coarser)


def measured(recipe: Recipe, image: Image, operator: Operator) -> list[Model]:
    """Return the noise models that are given, or measured where the data are a picture.

    Raises
    ------
    ValueError
        Where they are not, and no noise is given.
    """
    if recipe.noise is not None:
        return models_of(recipe, image.channels())
    if geometry.white(operator):
        return [Gaussian(1.0) for _ in image.channels()]
    if not geometry.in_units(operator):
        raise ValueError(
            f"the data of {operator} are no picture whose noise can be measured; give noise=..., "
            "such as Gaussian(sigma)"
        )
    channels = [_looked_at(channel, operator) for channel in image.channels()]
    return models_of(recipe, channels)


def _looked_at(channel: Image, operator: Operator) -> Image:
    """Return a channel with NaN where nothing is seen, and of a mosaic one colour."""
    array = channel.array
    seen = operator.observed(array.shape[-2:])
    if not seen.all():
        array = np.where(seen, np.asarray(array, dtype=np.float64), np.nan)
    if any(isinstance(part, Bayer) for part in geometry.parts(operator)):
        array = array[..., ::2, ::2]
    return channel.with_array(array)


def _smooth(counts: NDArray[np.float64], picture: bool) -> NDArray[np.float64]:
    """Return counts without most of their noise; of no picture, what they are on average."""
    from scipy.ndimage import gaussian_filter

    if not picture:
        return np.full(counts.shape, counts.mean())
    found: NDArray[np.float64] = gaussian_filter(counts, _FIRST, mode="nearest")
    return found
