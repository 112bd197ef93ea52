"""Mean-variance points of one image: the noise seen through filters that structure avoids.

Small patches of an image lie near a subspace of few dimensions; white noise fills all of
them alike. The patch directions with the least variance therefore hold almost only noise, and
its variance is read there, at the pixels where the other directions show least structure.

References
----------
.. [1] S. Pyatykh, J. Hesser, L. Zheng, "Image noise level estimation by principal component
   analysis", IEEE TIP 22 (2013) 687-699.
.. [2] A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, "Practical Poissonian-Gaussian noise
   modeling and fitting for single-image raw-data", IEEE TIP 17 (2008) 1737-1754.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SIDE = 5
# Quiet directions read the noise, busy ones tell where structure is; the mean is neither.
_QUIET, _BUSY = 4, 14
_KEPT_SHARE = 0.3
_MOST_PATCHES = 400_000
_FEWEST_PATCHES, _SMALLEST_BIN = 100, 400
_BINS = 32
_SQUARE = 64
# Squared standard deviations beyond which a residual is structure, not noise.
_SKEW_LIMIT = 20.0
_LEAST_SKEW = 0.05
# Fewer patches spread the variances of white noise by chance as far as smoothing does.
_TOLD_BY = 2000


@dataclass(frozen=True, eq=False)
class Points:
    """Mean-variance points and what their patches showed.

    Attributes
    ----------
    means, variances, errors : ndarray, shape (n,)
        ADU, ADU squared, and the standard error of each variance.
    thirds, third_errors : ndarray, shape (n,)
        Third cumulant of the noise, ADU cubed, and its standard error: counting skews the
        noise, reading does not.
    correlation : float
        Quietest over median variance of the patch directions among flat patches: near 1 for
        white noise, small where neighbouring pixels share their noise.
    dark : float
        Share of the image that lies at its darkest level.
    averaged : int
        Values that went into each local mean.
    """

    means: Array
    variances: Array
    errors: Array
    thirds: Array
    third_errors: Array
    correlation: float = 1.0
    dark: float = 0.0
    averaged: int = _SIDE**2

    def where(self, good: NDArray[np.bool_]) -> Points:
        """Return the points at which ``good`` is True."""
        return replace(
            self,
            means=self.means[good],
            variances=self.variances[good],
            errors=self.errors[good],
            thirds=self.thirds[good],
            third_errors=self.third_errors[good],
        )

    def with_dark_share(self, means: Array, averaged: int) -> Points:
        """Return the points with the share of local ``means`` that lie at the darkest level.

        ``averaged`` values went into each mean; four of its standard deviations above the
        lowest point is still that level.
        """
        lowest = int(self.means.argmin())
        edge = self.means[lowest] + 4 * np.sqrt(self.variances[lowest] / averaged)
        return replace(self, dark=float(np.mean(means < edge)), averaged=averaged)


def points_of(planes: Array, usable: NDArray[np.bool_], rng: np.random.Generator) -> Points:
    """Return the mean-variance points of planes, shape (n, Y, X), of one detector.

    Parameters
    ----------
    planes : ndarray, shape (n, Y, X), ADU
        Y and X at least 16.
    usable : ndarray of bool, shape (n, Y, X)
        False at saturated or non-finite pixels; patches that hold one are left out.
    rng : numpy Generator
        Chooses patches where there are more than 400 000.

    Raises
    ------
    ValueError
        Where fewer than 100 patches are whole.
    """
    patches, side = _patches(planes, usable, rng)
    if len(patches) < _FEWEST_PATCHES:
        raise ValueError(
            f"only {len(patches)} places of {_SIDE} x {_SIDE} pixels hold no missing or saturated "
            "one, too few to measure the noise; give noise=Gaussian(sigma) or "
            "noise=PoissonGaussian(gain, offset, read_noise)"
        )
    mean = patches.mean(1)
    centred = patches - mean[:, None]
    quiet, energy, skewed, weight = _seen(centred, mean, side)
    order = np.argsort(mean, kind="stable")
    bins = _bins(mean[order], order)
    calm = [b[energy[b] <= np.quantile(energy[b], _KEPT_SHARE)] for b in bins]
    rows = [(*_point(mean[c], quiet[c]), *_third(skewed[c], quiet[c], weight)) for c in calm]
    means, variances, errors, thirds, third_errors = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    good = variances > 0
    whiteness = _whiteness(centred, energy, bins)
    points = Points(means, variances, errors, thirds, third_errors, whiteness).where(good)
    return points.with_dark_share(mean, _SIDE**2) if len(points.means) else points


def _seen(
    centred: Array, mean: Array, side: NDArray[np.bool_]
) -> tuple[Array, Array, Array, float]:
    """Return what quiet and busy directions and the calm centre see of each patch.

    The directions are chosen on the one half of the image and read on the other: the quietest
    of many directions is quiet also by chance, and would make the noise look smaller there.
    """
    # Where light varies, noise does too: dividing by its rough size lets faint and bright
    # patches speak alike when the directions are chosen.
    alike = centred / _rough_noise(mean, centred)[:, None]
    quiet, energy = np.empty((len(centred), _QUIET)), np.empty(len(centred))
    skewed, weights = np.empty(len(centred)), []
    for half in (False, True):
        here, there = side == half, side != half
        directions = _directions(alike[there if there.any() else here])
        quiet[here] = centred[here] @ directions[:, :_QUIET]
        energy[here] = np.square(centred[here] @ directions[:, -_BUSY:]).sum(1)
        skewed[here], weight = _centre_seen(centred[here], directions[:, :-_BUSY])
        weights.append(weight)
    return quiet, energy, skewed, float(np.mean(weights))


def _patches(
    planes: Array, usable: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """Return patches, and in which half of the image each lies: a board of large squares."""
    window = (1, _SIDE, _SIDE)
    views = np.lib.stride_tricks.sliding_window_view(planes, window)
    complete = np.lib.stride_tricks.sliding_window_view(usable, window).all((-3, -2, -1))
    places = np.flatnonzero(complete)
    if len(places) > _MOST_PATCHES:
        places = np.sort(rng.choice(places, _MOST_PATCHES, replace=False))
    where = np.unravel_index(places, complete.shape)
    chosen: Array = views[where]
    square = max(min(_SQUARE, min(planes.shape[1:]) // 2), 1)
    side = (where[1] // square + where[2] // square) % 2 == 1
    return chosen.reshape(len(places), _SIDE**2), side


def _rough_noise(mean: Array, centred: Array) -> Array:
    """Return a smooth, rough noise size of each patch: the low quantile of its bin's spread."""
    spread = centred.std(1)
    edges = np.quantile(mean, np.linspace(0, 1, 17))
    place = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, 15)
    floors = np.array(
        [np.quantile(spread[place == k], 0.2) if (place == k).any() else 0 for k in range(16)]
    )
    positive = floors[floors > 0]
    return np.asarray(np.maximum(floors, positive.min() if positive.size else 1.0)[place])


def _directions(patches: Array) -> Array:
    """Return the patch directions without the mean, quietest first, shape (25, 24)."""
    flat = np.square(patches).sum(1)
    calm = patches[flat <= np.quantile(flat, 0.7)]
    _, vectors = np.linalg.eigh(calm.T @ calm)
    return np.asarray(vectors[:, 1:])


def _bins(sorted_means: Array, order: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Split patches by mean: half of the edges by number, half by distance, none too small."""
    count = len(order)
    by_number = np.linspace(0, count, _BINS // 2 + 1).astype(int)
    low, high = sorted_means[[int(0.001 * count), int(0.999 * (count - 1))]]
    by_distance = np.searchsorted(sorted_means, np.linspace(low, high, _BINS // 2 + 1))
    edges = np.unique(np.concatenate([by_number, by_distance]))
    kept = [0]
    for edge in edges[1:]:
        if edge - kept[-1] >= _SMALLEST_BIN:
            kept.append(int(edge))
    # The last bin takes what is left; a small image is one bin.
    kept = [*kept[:-1], count] if len(kept) > 1 else [0, count]
    return [order[a:b] for a, b in pairwise(kept)]


def _point(mean: Array, quiet: Array) -> tuple[float, float, float]:
    """Return mean, variance and its error of the calmest patches of a bin."""
    variance = _clipped_mean(np.square(quiet))
    # Neighbouring patches overlap: about every eighth is news.
    freedom = max(quiet.size / 8, 2)
    return float(mean.mean()), variance, variance * np.sqrt(2 / freedom)


def _centre_seen(centred: Array, calm: Array) -> tuple[Array, float]:
    """Return each patch's centre as the calm directions see it, and its share of a third cumulant.

    A filter h of unit norm leaves the variance of white noise as it is, and the third cumulant
    times the sum of h^3: large where h is close to a single pixel.
    """
    centre = np.zeros(_SIDE**2)
    centre[_SIDE**2 // 2] = 1.0
    weights = calm @ (calm.T @ centre)
    weights /= np.linalg.norm(weights)
    return centred @ weights, float((weights**3).sum())


def _third(skewed: Array, quiet: Array, weight: float) -> tuple[float, float]:
    """Return the third cumulant of the noise of one bin, and its standard error."""
    variance = _clipped_mean(np.square(quiet))
    inside = skewed[np.square(skewed) < _SKEW_LIMIT * variance]
    if not inside.size or abs(weight) < _LEAST_SKEW:
        return 0.0, np.inf
    cubes = (inside - inside.mean()) ** 3
    # Overlapping patches double the error of independent ones.
    return float(cubes.mean()) / weight, np.sqrt(2 * 15 * variance**3 / len(inside)) / abs(weight)


def _clipped_mean(squares: Array) -> float:
    """Return the mean of squared noise, edges that slipped through left out."""
    limit, shrink = 9.0, 0.97334  # E[z^2 | z^2 < 9] of a standard normal z
    variance = float(np.median(squares)) / 0.45494
    for _ in range(8):
        inside = squares[squares < limit * variance]
        if not inside.size:
            break
        variance = float(inside.mean()) / shrink
    return variance


def _whiteness(centred: Array, energy: Array, bins: list[NDArray[np.intp]]) -> float:
    calm = np.concatenate([b[energy[b] <= np.quantile(energy[b], 0.25)] for b in bins])
    if len(calm) < _TOLD_BY:
        return 1.0
    values = np.linalg.eigvalsh(centred[calm].T @ centred[calm])[1:]
    return float(values[:3].mean() / np.median(values)) if values[-1] > 0 else 0.0
