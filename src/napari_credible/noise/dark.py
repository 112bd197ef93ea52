r"""Frames taken without light: offset, read noise, and what they say of the mean-variance line.

Frame k of a dark stack is :math:`d_k = o + f + r_k`, with the offset o, a pattern f that stays
from frame to frame, and the read noise r. The difference of a frame from the mean of the k before,

.. math:: (d_{k+1} - \bar d_k) \sqrt{k / (k + 1)},

has the variance of r alone, and these differences are independent of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.noise.fit import Line, fit_line
from napari_credible.noise.patches import Points

Array = NDArray[np.float64]

# More would hardly say more: a million pixels of two frames give read noise to 1 in 1400.
_MOST_FRAMES, _MOST_PIXELS = 16, 1_000_000
_LEAST_SHARE = 0.05
# Values further out are hot pixels or cosmic rays; E[z^2 | z^2 < 16] of a standard normal z.
_CLIP, _KEPT_VARIANCE = 4.0, 0.99893
_ROUNDS = 30
# Worth a doubt: the pattern in read noises, the share of hot pixels, of the lowest value.
_STRONG_PATTERN, _MANY_HOT, _PILED_UP = 0.5, 0.01, 0.2
# A slope of any size, and an error of none, in shares of the variance.
_STEEP, _EXACT = 1e3, 1e-6
# Patches are seen through the directions quietest on these very patches: draws of flat, smooth and
# rich images of 128, 256 and 512 pixels a side had variances low by 3 to 4 / sqrt(freedom).
_QUIET = 4.0
# Cauchy's weights lose 5 % of the information in normal errors with it (Holland, Welsch, 1977).
_TOLERANCE = 2.385
# An image and a dark frame this many errors, and this share of the variance, apart are doubted.
_FAR, _FAR_SHARE = 5.0, 0.5
_PATCH_PIXELS = 25


@dataclass(frozen=True)
class Dark:
    """What frames without light say.

    Attributes
    ----------
    offset, offset_error : float, ADU
        Mean without light, hot pixels left out, and its standard error.
    read_noise, read_noise_error : float, ADU
        Standard deviation from frame to frame (one frame: from pixel to pixel), and its
        standard error.
    pattern : float, ADU
        Standard deviation of the offset from pixel to pixel; 0 where one frame cannot tell.
    pixels : int
        Looked at in each frame.
    doubts : tuple of str
        Sentences on what the frames cannot tell.
    """

    offset: float
    offset_error: float
    read_noise: float
    read_noise_error: float
    pattern: float
    pixels: int
    doubts: tuple[str, ...] = ()

    def level(self, *, repeats: bool) -> tuple[float, float]:
        """Return the variance of an image's points where no light falls, and its standard error.

        Repeats show the read noise alone; the patches of one image show the pattern with it.
        """
        if repeats:
            return self.read_noise**2, 2 * self.read_noise * self.read_noise_error
        level = self.read_noise**2 + self.pattern**2
        return level, level * float(np.sqrt(2 / self.pixels))


def look_at(dark: Any, image: Any, seed: int = 0) -> Dark:
    """Measure offset and read noise in frames taken without light.

    Parameters
    ----------
    dark : array_like, shape (..., Y, X), or Image, ADU
        One frame or more; up to 16 of them, and a million pixels of each, are looked at.
    image : array_like, shape (..., Y, X), or Image, ADU
        Taken with the same settings: it must have the same planes and the same unit.
    seed : int
        Chooses the pixels of larger frames.

    Raises
    ------
    ValueError
        Where the frames do not fit the image, or hold no finite numbers.
    """
    _refuse_other_units(dark, image)
    frames = _frames(
        getattr(dark, "array", dark),
        np.shape(getattr(image, "array", image))[-2:],
        np.random.default_rng(seed),
    )
    step = 1.0 if np.array_equal(frames, np.round(frames)) else 0.0
    middle = frames.mean(0)
    cold = _inside(middle, step)
    frames, middle = frames[:, cold], middle[cold]
    count, pixels = frames.shape
    offset, spread = _clipped(middle, step)
    read_noise, pattern = spread, 0.0
    if count > 1:
        read_noise = _from_differences(frames, step)
        pattern = float(np.sqrt(max(spread**2 - read_noise**2 / count, 0)))
        # Below this it may be chance.
        pattern *= bool(pattern**2 > 4 * spread**2 * np.sqrt(2 / pixels))
    return Dark(
        offset,
        spread / float(np.sqrt(pixels)),
        read_noise,
        read_noise / float(np.sqrt(2 * pixels * max(count - 1, 1))),
        pattern,
        pixels,
        tuple(_doubts(frames, read_noise, pattern, 1 - cold.mean(), step)),
    )


def free_line(points: Points, dark: Dark, *, repeats: bool) -> Line:
    """Return the line through the points alone; through a single level any slope goes."""
    if len(points.means) < 3:
        return _through_one(points, dark)
    if repeats:
        return _fair_line(points)
    line = fit_line(points.means, points.variances, points.errors)
    # All variances are low by one share of about this size.
    share = _QUIET / np.sqrt(np.sum(2 * (points.variances / points.errors) ** 2))
    both = share * np.array([line.slope, line.level])
    return replace(line, covariance=line.covariance + np.outer(both, both))


def _through_one(points: Points, dark: Dark) -> Line:
    weights = points.errors**-2
    mean, level = np.average([points.means, points.variances], axis=1, weights=weights)
    reach = max(abs(mean - dark.offset), dark.read_noise, 1e-9 * abs(mean), 1e-30)
    covariance = np.diag([(_STEEP * level / reach) ** 2, 1 / weights.sum()])
    return Line(0.0, float(level), float(mean), covariance)


def _fair_line(points: Points) -> Line:
    """Fit points that no texture lifted: outliers of either side lose their weight alike."""
    relative = points.errors / points.variances
    pivot = float(np.average(points.means, weights=relative**-2))
    design = np.stack([points.means - pivot, np.ones_like(points.means)], axis=1)
    model, trust = points.variances, np.ones_like(points.means)
    for _ in range(_ROUNDS):
        weight = trust / (relative * model) ** 2
        covariance = np.asarray(np.linalg.inv(design.T @ (weight[:, None] * design)), np.float64)
        slope, level = covariance @ design.T @ (weight * points.variances)
        model = np.maximum(design @ (slope, level), 0.05 * np.median(points.variances))
        trust = 1 / (1 + ((points.variances / model - 1) / relative / _TOLERANCE) ** 2)
    return Line(float(slope), float(level), pivot, covariance)


def pinned(free: Line, dark: Dark, *, repeats: bool) -> Line:
    """Return the line through the points, told where the dark frames say that it starts.

    Its own covariance and the errors of the dark frames weigh the two against each other, as
    two measurements of one number are weighed.
    """
    level, error = dark.level(repeats=repeats)
    first = _told(free, dark.offset, level, error)
    return _told(free, dark.offset, level, float(np.hypot(error, first.slope * dark.offset_error)))


def disagreement(points: Points, free: Line, dark: Dark, exposures: int) -> list[str]:
    """Say where image and dark frames cannot both be right.

    ``exposures`` is 0 where the points come from patches of one image.
    """
    # The lowest of many means, each of a patch's pixels or of the exposures of one pixel.
    chance = np.hypot(dark.read_noise, dark.pattern) / np.sqrt(exposures or _PATCH_PIXELS)
    below = dark.offset - float(points.means.min())
    if below > _FAR * np.hypot(chance, dark.offset_error):
        return [
            f"the image is darker than the dark frame, by {below:.3g} ADU at its darkest: the two "
            "were taken with other settings, or something was subtracted from the image"
        ]
    level, error = dark.level(repeats=exposures > 0)
    seen = free.at(dark.offset)
    far = abs(seen - level) / np.hypot(error, free.error_at(dark.offset))
    if far < _FAR or abs(seen - level) < _FAR_SHARE * level:
        return []
    return [
        f"the noise of the image leads to a variance of {seen:.3g} ADU² without light, the dark "
        f"frame has {level:.3g}: other settings, or an image already processed"
    ]


def _told(line: Line, offset: float, level: float, error: float) -> Line:
    """Return the line, told that its variance at ``offset`` is ``level`` within ``error``."""
    error = max(error, _EXACT * line.level)
    row = np.array([offset - line.pivot, 1.0])
    seen = line.covariance @ row
    pull = seen / (row @ seen + error**2)
    slope, here = np.array([line.slope, line.level]) + pull * (level - line.at(offset))
    # Joseph's form: the covariance stays positive where the error is tiny.
    kept = np.eye(2) - np.outer(pull, row)
    covariance = kept @ line.covariance @ kept.T + error**2 * np.outer(pull, pull)
    return Line(float(slope), float(here), line.pivot, covariance)


def _refuse_other_units(dark: Any, image: Any) -> None:
    units = [getattr(frames, "unit", "") for frames in (dark, image)]
    if all(units) and units[0] != units[1]:
        raise ValueError(
            f"the dark frame is in {units[0]} and the image in {units[1]}; give both in one unit"
        )


def _frames(array: Any, plane: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return up to 16 frames as float64, shape (n, pixels), at the pixels that are finite."""
    shape = np.shape(array)
    if len(shape) < 2 or shape[-2:] != plane or 0 in shape:
        raise ValueError(
            f"the dark frame has shape {shape}, but the planes of the image have {plane}; take "
            "it with the same region and binning, as (Y, X) or as (n, Y, X) for n frames"
        )
    leading = list(np.ndindex(shape[:-2]))
    chosen = np.unique(np.linspace(0, len(leading) - 1, _MOST_FRAMES).astype(int))
    pixels = np.arange(plane[0] * plane[1])
    if len(pixels) > _MOST_PIXELS:
        pixels = np.sort(rng.choice(pixels, _MOST_PIXELS, replace=False))
    source = array if hasattr(array, "shape") else np.asarray(array)
    frames = np.stack(
        [np.asarray(source[leading[k]], dtype=np.float64).ravel()[pixels] for k in chosen]
    )
    finite = np.isfinite(frames).all(0)
    if finite.mean() < _LEAST_SHARE:
        raise ValueError(
            f"only {finite.mean():.1%} of the dark frame's pixels are finite; take another one"
        )
    return frames[:, finite]


def _from_differences(frames: Array, step: float) -> float:
    """Return the standard deviation from frame to frame, by independent differences."""
    middle = frames[0]
    squares = []
    for k, frame in enumerate(frames[1:], 1):
        change = frame - middle
        squares.append(_clipped(change * np.sqrt(k / (k + 1)), step)[1] ** 2)
        middle = middle + change / (k + 1)
    return float(np.sqrt(np.mean(squares)))


def _clipped(values: Array, step: float) -> tuple[float, float]:
    """Return mean and standard deviation of normal values, outliers left out."""
    kept = values[_inside(values, step)]
    return float(kept.mean()), float(kept.std() / np.sqrt(_KEPT_VARIANCE))


def _inside(values: Array, step: float) -> NDArray[np.bool_]:
    """Return which values lie within 4 standard deviations of the mean, found by turns.

    ``step`` is that of whole numbers: noise finer than it still reaches the next number.
    """
    low, centre, high = np.quantile(values, [0.16, 0.5, 0.84])
    spread, count = (high - low) / 2, -1
    for _ in range(_ROUNDS):
        inside = np.abs(values - centre) <= max(_CLIP * spread, 1.5 * step)
        kept = values[inside]
        if len(kept) == count:
            break
        count, centre = len(kept), kept.mean()
        spread = kept.std() / np.sqrt(_KEPT_VARIANCE)
    return np.asarray(inside)


def _doubts(frames: Array, read_noise: float, pattern: float, hot: float, step: float) -> list[str]:
    doubts = []
    if len(frames) == 1:
        doubts.append(
            "one dark frame cannot tell read noise from what differs from pixel to pixel; take two "
            "or more"
        )
    if pattern > _STRONG_PATTERN * read_noise:
        doubts.append(
            f"the offset differs by {pattern:.3g} ADU from pixel to pixel, which no read noise "
            "accounts for; subtract the mean of the dark frames from the image"
        )
    if hot > _MANY_HOT:
        doubts.append(f"{hot:.1%} of the dark frame's pixels are hot and were left out")
    if read_noise > step and (frames == frames.min()).mean() > _PILED_UP:
        doubts.append(
            f"the dark frame is cut off at {frames.min():.4g}, so that its offset is too high and "
            "its read noise too low; raise the camera's offset"
        )
    return doubts
