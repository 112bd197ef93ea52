"""Measure the noise of an image: which model, which parameters, how sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_credible.noise.dark import Dark, disagreement, free_line, look_at, pinned
from napari_credible.noise.evidence import Evidence
from napari_credible.noise.fit import Line, fit_line
from napari_credible.noise.header import from_header, states_offset
from napari_credible.noise.models import Gaussian, PoissonGaussian
from napari_credible.noise.patches import Points, points_of
from napari_credible.noise.saturation import saturation_level

Array = NDArray[np.float64]

_LEAST_SIDE = 16
_MOST_PLANES = 8
# Poisson noise is claimed where the slope is this many errors from zero, and the variance
# changes by this share over the image: texture alone can fake less.
_SURE_ERRORS, _SURE_SHARE = 4.0, 0.3
_CORRELATED_BELOW = 0.25
_HEADER_AGREES_WITHIN = 0.3
# Rounding alone has a standard deviation of 1/sqrt(12) of a step.
_STEP = 12**-0.5
# A background that fills this share of the image is taken to be without light.
_DARK_SHARE = 0.3


def estimate_noise(
    image: Any,
    *,
    offset: float | None = None,
    repeats: bool = False,
    dark: Any = None,
    seed: int = 0,
) -> Gaussian | PoissonGaussian:
    """Measure the noise of an image, or of several exposures of one scene.

    Parameters
    ----------
    image : array_like, shape (..., Y, X), or Image
        Raw counts in their own units, at least 16 x 16. All leading axes belong to one
        detector; up to 8 planes are looked at. A FITS header (an ``Image`` has one) that
        states GAIN and RDNOISE is used where the image does not contradict it.
    offset : float, optional, ADU
        Counts without light, from a dark frame or the camera's manual. One image shows only
        ``read_noise**2 - gain * offset`` well: without it the skewness of the noise and the
        darkest level decide, with a standard error, where a straight line through the noise
        demands an offset; elsewhere it is taken as 0.
    repeats : bool
        The first axis counts exposures of one unchanging scene. Then texture cannot mislead.
    dark : array_like, shape (Y, X) or (n, Y, X), or Image, optional
        Frames taken without light, with the same camera settings, region and binning. They give
        offset and read noise, and the line through the noise of the image, pinned there within
        their errors, the gain; a header is not asked then. From two frames on, what differs
        only from pixel to pixel is not counted as read noise.
    seed : int
        Chooses the patches of images with more than 400 000 of them.

    Returns
    -------
    Gaussian or PoissonGaussian
        Whichever the data show. ``.evidence`` holds the standard errors, the doubts in words
        and the points of the mean-variance plot.

    Raises
    ------
    ValueError
        Where the image is too small, constant or without noise, so that nothing can be told, or
        where the dark frames do not fit it.
    """
    if dark is not None and offset is not None:
        raise ValueError("an offset is given and a dark frame too, which has its own; give one")
    darkness = None if dark is None else look_at(dark, image, seed)
    header = getattr(image, "header", None) or {}
    planes = _planes(getattr(image, "array", image), every=repeats)
    finite = np.isfinite(planes)
    limit = saturation_level(planes)
    usable = finite if limit is None else finite & (planes < limit)
    planes = np.where(usable, planes, 0.0)
    _refuse_what_tells_nothing(planes, usable)
    points = (
        _repeat_points(planes, usable)
        if repeats
        else points_of(planes, usable, np.random.default_rng(seed))
    )
    doubts = _doubts(points, usable, finite)
    if points.variances.size and np.sqrt(np.median(points.variances)) < _STEP * _step(
        planes[usable]
    ):
        doubts.append(_COARSE)
    if darkness is not None and len(points.means):
        return _with_dark(darkness, points, doubts, len(planes) if repeats else 0)
    if len(points.means) < 3:
        return _gaussian(points, [*doubts, _FLAT], "repeats" if repeats else "image")
    line = fit_line(points.means, points.variances, points.errors)
    stated = from_header(header)
    if stated is not None and _agrees(stated, line):
        return _with_header(stated, line, points, doubts, states_offset(header))
    if stated is not None:
        doubts.append(
            f"the header's gain of {stated.gain:.3g} ADU per photoelectron does not fit the "
            f"measured {line.slope:.3g}; the measured noise is used"
        )
    if not _shows_poisson(line, points):
        return _gaussian(points, doubts, "repeats" if repeats else "image")
    return _poisson(line, points, offset, doubts, "repeats" if repeats else "image")


_COARSE = (
    "the noise is finer than the steps of the numbers, so that it cannot be measured well; "
    "keep more bits when the image is saved"
)
_FLAT = "the image is too flat to tell a gain; its noise is taken as Gaussian"
_NO_LIGHT = "light adds no noise to that of the dark frame; the noise is taken as Gaussian"


def _planes(array: ArrayLike, *, every: bool) -> Array:
    """Return planes (n, Y, X) as float64, evenly chosen where there are many."""
    shape = np.shape(array)
    if len(shape) < 2 or min(shape[-2:]) < _LEAST_SIDE:
        raise ValueError(
            f"an image of shape {shape} is too small to measure its noise; it takes at least "
            f"{_LEAST_SIDE} x {_LEAST_SIDE} pixels, or give noise=Gaussian(sigma)"
        )
    if every and (len(shape) != 3 or shape[0] < 2):
        raise ValueError(
            f"repeats=True needs at least two exposures, shape (n, Y, X), but the shape is {shape}"
        )
    leading = list(np.ndindex(shape[:-2]))
    if not every and len(leading) > _MOST_PLANES:
        chosen = np.linspace(0, len(leading) - 1, _MOST_PLANES).astype(int)
        leading = [leading[k] for k in chosen]
    source: Any = array
    if not hasattr(source, "shape"):
        source = np.asarray(source)
    return np.stack([np.asarray(source[place], dtype=np.float64) for place in leading])


def _refuse_what_tells_nothing(planes: Array, usable: NDArray[np.bool_]) -> None:
    share = usable.mean()
    if share < 0.05:
        raise ValueError(
            f"only {share:.1%} of the pixels are finite and below saturation, too few to "
            "measure the noise; give noise=Gaussian(sigma) or "
            "noise=PoissonGaussian(gain, offset, read_noise)"
        )
    values = planes[usable]
    if values.min() == values.max():
        raise ValueError(
            f"every usable pixel is {values.min():g}, so there is no noise to measure; "
            "give noise=Gaussian(sigma) if it has any"
        )


def _step(values: Array) -> float:
    """Return the step of whole numbers, or 0 where values are not whole."""
    sample = values[:: max(len(values) // 10_000, 1)]
    return 1.0 if np.array_equal(sample, np.round(sample)) else 0.0


def _repeat_points(planes: Array, usable: NDArray[np.bool_]) -> Points:
    """Return mean and variance over the exposures, binned by the mean."""
    always = usable.all(0)
    frames = planes[:, always]
    means, variances = frames.mean(0), frames.var(0, ddof=1)
    order = np.argsort(means, kind="stable")
    bins = [b for b in np.array_split(order, min(40, max(len(order) // 100, 3))) if len(b)]
    freedom = np.array([(len(planes) - 1) * len(b) for b in bins])
    level = np.array([variances[b].mean() for b in bins])
    mean = np.array([means[b].mean() for b in bins])
    thirds, third_errors = _repeat_thirds(frames, means, bins, level)
    errors = level * np.sqrt(2 / freedom)
    points = Points(mean, level, errors, thirds, third_errors).where(level > 0)
    return points.with_dark_share(means, len(frames)) if len(points.means) else points


def _repeat_thirds(
    frames: Array, means: Array, bins: list[NDArray[np.intp]], level: Array
) -> tuple[Array, Array]:
    """Return the unbiased third cumulant of each bin and its error; silent for two exposures."""
    count = len(frames)
    if count < 3:
        return np.zeros(len(bins)), np.full(len(bins), np.inf)
    cubes = ((frames - means) ** 3).sum(0) * count / ((count - 1) * (count - 2))
    errors = [np.sqrt(15 * v**3 / (count * len(b))) for v, b in zip(level, bins, strict=True)]
    return np.array([cubes[b].mean() for b in bins]), np.array(errors)


def _doubts(points: Points, usable: NDArray[np.bool_], finite: NDArray[np.bool_]) -> list[str]:
    doubts = []
    if not finite.all():
        doubts.append(f"{(~finite).mean():.2%} of the pixels are not finite and were left out")
    saturated = finite & ~usable
    if saturated.any():
        doubts.append(f"{saturated.mean():.2%} of the pixels are saturated and were left out")
    if points.correlation < _CORRELATED_BELOW:
        doubts.append(
            "neighbouring pixels share their noise: the image was already smoothed, compressed or "
            "interpolated, so the noise is stronger than it looks; start from raw data"
        )
    return doubts


def _shows_poisson(line: Line, points: Points, darkest: float = np.inf) -> bool:
    change = line.slope * (points.means.max() - min(points.means.min(), darkest))
    return line.slope > _SURE_ERRORS * line.slope_error and change > _SURE_SHARE * line.level


def _gaussian(points: Points, doubts: list[str], source: str) -> Gaussian:
    if not points.variances.size:
        raise ValueError(
            "no noise was found: neighbouring pixels agree everywhere; the image may be "
            "simulated or already denoised, else give noise=Gaussian(sigma)"
        )
    freedom = (points.variances / points.errors) ** 2
    sigma = float(np.sqrt(np.average(points.variances, weights=freedom)))
    error = sigma / (2 * float(np.sqrt(freedom.sum())))
    covariance = np.diag([0.0, (2 * sigma * error) ** 2])
    evidence = _evidence(source, {"sigma": error}, doubts, points, covariance)
    return Gaussian(sigma, evidence=evidence)


def _poisson(
    line: Line, points: Points, offset: float | None, doubts: list[str], source: str
) -> PoissonGaussian:
    offset_error = 0.0
    if offset is None:
        offset, offset_error = _offset(line, points)
        doubts.append(
            "offset and read noise are hardly told apart without a dark frame: the offset is taken "
            f"as {offset:.4g} ADU; give it if you know it"
        )
    variance = max(line.at(offset), 0.0)
    read_noise = float(np.sqrt(variance))
    spread = float(np.hypot(line.error_at(offset), line.slope * offset_error))
    errors = {
        "gain": line.slope_error,
        "offset": offset_error,
        "read_noise": spread / (2 * read_noise) if variance > spread else float(np.sqrt(spread)),
    }
    evidence = _evidence(source, errors, doubts, points, _about_zero(line))
    return PoissonGaussian(line.slope, offset, read_noise, evidence=evidence)


def _offset(line: Line, points: Points) -> tuple[float, float]:
    """Return the counts without light, and their standard error.

    Where the line passes above zero no offset is called for. Else it lies between the level at
    which the line has no variance left and the darkest level seen; within these the skewness
    of the noise speaks: its third cumulant is gain^2 (mean - offset), and reading adds none.
    Before it has spoken, the darkest level is believed to be without light as far as a share
    of the image lies there.
    """
    lowest, highest = -line.at(0.0) / line.slope, float(points.means.min())
    if line.at(0.0) > -2 * line.error_at(0.0):
        return 0.0, 0.0
    highest = max(highest, lowest)
    belief = 0.5 + 0.5 * min(points.dark / _DARK_SHARE, 1.0)
    middle = lowest + belief * (highest - lowest)
    width = max((highest - lowest) / np.sqrt(12), 1e-12)
    votes = points.means - points.thirds / line.slope**2
    weights = (line.slope**2 / points.third_errors) ** 2
    total = weights.sum() + width**-2
    offset = (weights @ votes + middle * width**-2) / total
    return float(np.clip(offset, lowest, highest)), float(total**-0.5)


def _agrees(stated: PoissonGaussian, line: Line) -> bool:
    slack = max(_HEADER_AGREES_WITHIN * float(stated.gain), 3 * line.slope_error)
    return abs(line.slope - float(stated.gain)) < slack


def _with_header(
    stated: PoissonGaussian, line: Line, points: Points, doubts: list[str], knows_offset: bool
) -> PoissonGaussian:
    """Take gain and read noise from the header, and the offset from the line through the noise."""
    gain, read_noise = float(stated.gain), float(stated.read_noise)
    offset = float(stated.offset)
    if not knows_offset:
        offset = line.pivot - (line.level - read_noise**2) / gain
        offset = min(offset, float(points.means.min()))
    error = 0.0 if knows_offset else float(np.sqrt(line.covariance[1, 1]))
    errors = {"gain": 0.0, "read_noise": 0.0, "offset": error / gain}
    missing = [d for d in (stated.evidence.doubts if stated.evidence else ()) if "offset" not in d]
    covariance = np.diag([0.0, error**2])
    evidence = _evidence("header", errors, [*doubts, *missing], points, covariance)
    return PoissonGaussian(gain, offset, read_noise, evidence=evidence)


def _with_dark(
    dark: Dark, points: Points, doubts: list[str], exposures: int
) -> Gaussian | PoissonGaussian:
    """Take offset and read noise from the dark frames, the gain from the line that starts there.

    ``exposures`` is 0 where the points come from patches of one image.
    """
    free = free_line(points, dark, repeats=exposures > 0)
    line = pinned(free, dark, repeats=exposures > 0)
    doubts = [*doubts, *dark.doubts, *disagreement(points, free, dark, exposures)]
    if not _shows_poisson(line, points, dark.offset):
        return _gaussian(points, [*doubts, _NO_LIGHT], "repeats" if exposures else "image")
    errors = {
        "gain": line.slope_error,
        "offset": dark.offset_error,
        "read_noise": dark.read_noise_error,
    }
    evidence = _evidence("dark frame", errors, doubts, points, _about_zero(line))
    return PoissonGaussian(line.slope, dark.offset, dark.read_noise, evidence=evidence)


def _about_zero(line: Line) -> Array:
    """Return the covariance of slope and intercept, the variance at a mean of 0."""
    shift = np.array([[1.0, 0.0], [-line.pivot, 1.0]])
    return np.asarray(shift @ line.covariance @ shift.T)


def _evidence(
    source: str,
    errors: Mapping[str, float],
    doubts: list[str],
    points: Points,
    covariance: Array,
) -> Evidence:
    return Evidence(
        source, errors, tuple(doubts), points.means, points.variances, points.errors, covariance
    )
