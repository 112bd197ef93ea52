"""Find stars that may stand for a point: bright, alone, not saturated, away from the edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage

# Peaks above so many standard deviations of the smoothed noise are sources.
_SOURCE = 5.0
# A star used is so many times brighter at its peak than the noise of a pixel.
_BRIGHT = 20.0
# A neighbour may have this share of the star's peak.
_NEIGHBOUR = 0.05
# A star lights its neighbours: their mean is at least this share of the peak, and each of the
# four nearest more than a quarter of that. Cosmic rays and hot pixels do not.
_SOFT = 0.2
# As many of the brightest are enough.
_MOST = 150
# Pixels this close to the highest value of the image are suspected of being cut there.
_CUT = 0.98


def noise_map(image: np.ndarray, noise: Any) -> np.ndarray:
    """Return the standard deviation of the noise at each pixel.

    Parameters
    ----------
    image : array (Y, X)
    noise : number, array (Y, X), noise model or None
        A model has ``variance(light)``. None: from the differences of neighbours.

    Raises
    ------
    ValueError
        Where it is not above 0 or does not fit the image.
    """
    if noise is None:
        steps = np.diff(image, 2, axis=1) / np.sqrt(6)
        noise = 1.4826 * np.nanmedian(np.abs(steps))
    std = np.sqrt(noise.variance(image)) if hasattr(noise, "variance") else np.asarray(noise)
    try:
        std = np.broadcast_to(np.asarray(std, dtype=np.float64), image.shape)
    except (TypeError, ValueError):
        raise ValueError(
            f"the noise does not fit an image of {image.shape}; give a standard deviation, a map "
            "of it, a noise model, or None"
        ) from None
    if not (std > 0).all():
        raise ValueError("the noise is not above 0 everywhere; give its standard deviation")
    return std


def background(image: np.ndarray, block: int) -> np.ndarray:
    """Return the sky, from the medians of blocks, each cut at 3 standard deviations above."""
    counts = [max(1, n // block) for n in image.shape]
    edges = [np.linspace(0, n, c + 1).astype(int) for n, c in zip(image.shape, counts, strict=True)]
    sky = np.array(
        [
            [_sky(image[y0:y1, x0:x1]) for x0, x1 in zip(edges[1], edges[1][1:], strict=False)]
            for y0, y1 in zip(edges[0], edges[0][1:], strict=False)
        ]
    )
    places = [(np.arange(n) + 0.5) * c / n - 0.5 for n, c in zip(image.shape, counts, strict=True)]
    smooth: np.ndarray = scipy.ndimage.map_coordinates(
        scipy.ndimage.median_filter(sky, 3),
        np.meshgrid(*places, indexing="ij"),
        order=1,
        mode="nearest",
    )
    return smooth


def _sky(block: np.ndarray) -> float:
    values = block[np.isfinite(block)]
    if not values.size:
        return 0.0
    for _ in range(5):
        middle = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - middle))
        below = values[values <= middle + 3 * spread]
        if below.size in (0, values.size):
            break
        values = below
    return float(np.median(values))


def find_stars(image: np.ndarray, std: np.ndarray, size: int) -> np.ndarray:
    """Return the rows and columns of isolated unsaturated stars, brightest first, (n, 2).

    Parameters
    ----------
    image : array (Y, X)
        Less its sky; NaN where nothing is to be trusted.
    std : array (Y, X)
        Noise.
    size : int
        Side of the square around a star that must lie inside the image and hold no other.
    """
    broad = scipy.ndimage.gaussian_filter(np.where(np.isfinite(image), image, 0), 1.0)
    # Smoothing by a Gaussian of std 1 divides white noise by sqrt(4 pi).
    heights = broad / (std / np.sqrt(4 * np.pi))
    summits = (broad == scipy.ndimage.maximum_filter(broad, 3)) & (heights > _SOURCE)
    places = np.argwhere(summits)
    peaks = broad[summits]
    order = np.argsort(-peaks, kind="stable")
    places, peaks = places[order], peaks[order]
    reach = size // 2
    spoilt = scipy.ndimage.maximum_filter(~np.isfinite(image), size)
    inside = ((places >= reach) & (places < np.array(image.shape) - reach)).all(1)
    found = []
    for place, peak in zip(places[inside], peaks[inside], strict=True):
        bright = image[tuple(place)] >= _BRIGHT * std[tuple(place)]
        if not bright or spoilt[tuple(place)] or not _soft(image, place):
            continue
        near = (np.abs(places - place).max(1) <= reach + 1) & (peaks > _NEIGHBOUR * peak)
        if near.sum() == 1:
            found.append(place)
        if len(found) == _MOST:
            break
    return np.array(found).reshape(-1, 2)


def _soft(image: np.ndarray, place: np.ndarray) -> bool:
    """Return whether a peak lights the pixels around it, as the least star does."""
    y, x = place
    square = image[y - 1 : y + 2, x - 1 : x + 2]
    peak = square[1, 1]
    nearest = min(square[0, 1], square[1, 0], square[1, 2], square[2, 1])
    return bool((square.sum() - peak) / 8 > _SOFT * peak and nearest > _SOFT / 4 * peak)


def cut_off(image: np.ndarray) -> float | None:
    """Return the value where an image is cut off: several pixels just below its highest.

    None where only a peak or two come near it.
    """
    highest = np.nanmax(image)
    near = image >= _CUT * highest
    # A star's peak that is not cut has at most a few such pixels, and other stars have others.
    plateau = scipy.ndimage.binary_erosion(near, np.ones((2, 2)))
    return float(_CUT * highest) if plateau.any() else None
