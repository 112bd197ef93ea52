"""Fit one function to squares of pixels about stars, with each star's centre, flux and sky."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse

from napari_credible.operators.star_spline import basis, roughness, terms

_ROUNDS = 8
# A residual whose square is so many variances counts half.
_OUTLIER = 5.0
# Stars differ where they are brighter than this share of their peak, at most by that share.
_CORE, _MOST_SHARE = 0.3, 0.3
_MEDIAN_OF_SQUARE = 0.455
# Stars that fit so many times worse than the median star are galaxies or pairs.
_MISFIT = 2.5
# Weight of the splines' second differences beside the stars: it decides only what no star tells.
_SMOOTH = 1e-6


@dataclass(eq=False)
class Stars:
    """Squares of pixels about stars, and what is known of each star."""

    pixels: np.ndarray  # (n, size, size)
    weight: np.ndarray  # (n, size, size), 1 / variance, 0 where nothing is trusted
    places: np.ndarray  # (n, 2), the middle pixel
    shift: np.ndarray  # (n, 2), of the centre from it
    flux: np.ndarray  # (n,)
    sky: np.ndarray  # (n,)

    @classmethod
    def cut_out(cls, image: np.ndarray, std: np.ndarray, places: np.ndarray, size: int) -> Stars:
        """Return squares of ``size`` pixels about ``places``, with first guesses."""
        reach = size // 2
        squares = [
            (slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1)) for y, x in places
        ]
        pixels = np.stack([image[s] for s in squares])
        weight = np.stack([1 / std[s] ** 2 for s in squares]) * np.isfinite(pixels)
        pixels = np.where(np.isfinite(pixels), pixels, 0)
        sky = np.array([np.median(square[_rim(size)]) for square in pixels])
        line = np.arange(-reach, reach + 1)
        near = (pixels - sky[:, None, None]).clip(min=0) * np.exp(
            -np.add.outer(line**2, line**2) / 8
        )
        total = near.sum((1, 2))
        shift = np.stack(
            [(near.sum(2) * line).sum(1) / total, (near.sum(1) * line).sum(1) / total], 1
        ).clip(-1, 1)
        return cls(pixels, weight, places, shift, total, sky)

    def keep(self, good: np.ndarray) -> Stars:
        """Return some of the stars."""
        return Stars(*(getattr(self, name)[good] for name in self.__dataclass_fields__))


def fitted(stars: Stars) -> tuple[Stars, np.ndarray, np.ndarray]:
    """Return the stars that fit, the coefficients of the PSF and their covariance.

    Centres, fluxes and skies of the stars, and the PSF, are fitted in turn.
    """
    weight = stars.weight
    for number in range(_ROUNDS):
        coefficients, _ = _spline(stars, weight)
        stars, model = _centred(stars, coefficients, weight)
        away, weight = _judged(stars, model)
        if number == _ROUNDS // 2:
            misfit = np.minimum(away, _OUTLIER**2).mean((1, 2))
            good = (misfit <= _MISFIT * np.median(misfit)) & (stars.flux > 0)
            if not good.any():
                break
            stars, weight = stars.keep(good), weight[good]
    coefficients, normal = _spline(stars, weight)
    return stars, coefficients, np.linalg.inv(normal)


def _judged(stars: Stars, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each residual squared, relative to its variance, and the weight of its pixel.

    The variance is that of the noise and of a share of the star, by which stars really differ
    from each other: the PSF changes over the field, plates are not linear.
    """
    off = stars.pixels - model
    light = model - stars.sky[:, None, None]
    variance = 1 / np.maximum(stars.weight, 1e-300)
    bright = (light > _CORE * light.max((1, 2), keepdims=True)) & (stars.weight > 0)
    excess = (off[bright] ** 2 - variance[bright]) / light[bright] ** 2
    share = np.median(excess) / _MEDIAN_OF_SQUARE if excess.size else 0.0
    variance = variance + np.clip(share, 0, _MOST_SHARE**2) * light**2
    away = off**2 / variance * (stars.weight > 0)
    # Cauchy's weights: a neighbour or a cosmic ray loses its say, and no star all of it.
    return away, (stars.weight > 0) / variance / (1 + away / _OUTLIER)


def _spline(stars: Stars, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of the PSF, all else known, and their normal matrix."""
    size = stars.pixels.shape[1]
    rows = scipy.sparse.vstack(
        [basis(s, size) * f for s, f in zip(stars.shift, stars.flux, strict=True)], format="csr"
    )
    heavy = rows.multiply(weight.reshape(-1, 1)).tocsr()
    normal = (heavy.T @ rows).toarray()
    normal += _SMOOTH * np.trace(normal) / len(normal) * roughness(size + 4)
    found = np.linalg.solve(normal, heavy.T @ (stars.pixels - stars.sky[:, None, None]).ravel())
    # The sky of the stars and a constant of the PSF cannot be told apart: the rim is dark.
    middle = (basis(np.zeros(2), size) @ found).reshape(size, size)
    dark = np.median(middle[_rim(size)])
    return (found - dark) / (middle - dark).sum(), normal


def _centred(stars: Stars, coefficients: np.ndarray, weight: np.ndarray) -> tuple[Stars, Any]:
    """Return the stars with flux, sky and centre fitted to the PSF, and what it says of them."""
    size = stars.pixels.shape[1]
    model = np.empty_like(stars.pixels)
    shift, flux, sky = stars.shift.copy(), stars.flux.copy(), stars.sky.copy()
    for k in range(len(stars.pixels)):
        shapes = terms(coefficients, shift[k], size)
        heavy = shapes * weight[k].reshape(-1, 1)
        found = np.linalg.solve(heavy.T @ shapes, heavy.T @ stars.pixels[k].ravel())
        flux[k], sky[k] = found[:2]
        if flux[k] > 0:
            shift[k] = (shift[k] + (found[2:] / flux[k]).clip(-0.3, 0.3)).clip(-1.5, 1.5)
        model[k] = (shapes[:, :2] @ found[:2]).reshape(size, size)
    return replace(stars, shift=shift, flux=flux, sky=sky), model


def _rim(size: int) -> np.ndarray:
    rim = np.ones((size, size), dtype=bool)
    rim[1:-1, 1:-1] = False
    return rim
