"""The point-spread function of an image, measured from its own stars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
from scipy.interpolate import BSpline

from napari_credible.operators.stars import background, cut_off, find_stars, noise_map

_ROUNDS = 8
_FEWEST = 3
# A residual whose square is so many variances counts half.
_OUTLIER = 5.0
# Stars differ where they are brighter than this share of their peak, at most by that share.
_CORE, _MOST_SHARE = 0.3, 0.3
_MEDIAN_OF_SQUARE = 0.455
# Relative error of a PSF that says nothing.
_WORST = 0.15
# Stars that fit so many times worse than the median star are galaxies or pairs.
_MISFIT = 2.5
# Weight of the splines' second differences beside the stars: it decides only what no star tells.
_SMOOTH = 1e-6
_CUBIC = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
_SLOPE = _CUBIC.derivative()


@dataclass(frozen=True, eq=False)
class StarPsf:
    """A point-spread function with its errors, and the stars that it is from.

    Attributes
    ----------
    psf : array (size, size)
        Flux in each pixel of a star in the middle of the middle pixel; sum 1.
    error : array (size, size)
        Standard error of each value, from the noise.
    positions : array (n, 2), pixels
        Rows and columns of the stars' centres.
    fwhm : float, pixels
        Diameter of the disc of the area where the PSF is above half of its peak.
    """

    psf: np.ndarray
    error: np.ndarray
    positions: np.ndarray
    fwhm: float

    @property
    def relative_error(self) -> float:
        """Standard error of the whole PSF, relative to its root sum of squares."""
        return float(np.linalg.norm(self.error) / np.linalg.norm(self.psf))

    def __str__(self) -> str:
        return (
            f"PSF of {len(self.positions)} stars, {self.fwhm:.2f} pixels wide at half of its peak, "
            f"relative error {self.relative_error:.1%}"
        )


def psf_from_stars(
    image: Any, noise: Any = None, size: int = 25, *, saturation: float | None = None
) -> StarPsf:
    r"""Measure the point-spread function of an image from its isolated, unsaturated stars.

    The stars' pixels sample one smooth function, each star at its own place within a pixel:

    .. math:: y_{ip} = f_i P(p - c_i) + b_i + n_{ip}, \qquad P(u) = \sum_j a_j \beta_3(u - j)

    with cubic B-splines. Fluxes f, sky b and centres c of the stars, and the coefficients a, are
    fitted in turn by weighted least squares; pixels and stars that do not fit are left out.

    Parameters
    ----------
    image : array (Y, X) or Image
        With its sky; NaN where a pixel is bad.
    noise : number, array (Y, X), noise model or None
        Its standard deviation, or what has ``variance(light)``; None measures it.
    size : int, odd, pixels
        Of the PSF; light beyond is lost. Six to eight times the width of a star.
    saturation : float, optional
        Least value that is not to be trusted; None looks for a plateau at the highest values.

    Returns
    -------
    StarPsf
        On simulated fields of 60 stars, 1.6 to 4 pixels wide, 1.1 to 2.3 % from the truth (root
        of the sum of squares; ``benchmarks/star_psf.py``), mostly light beyond ``size``.

    Raises
    ------
    ValueError
        Where the image is not a picture of at least three such stars.

    References
    ----------
    .. [1] J. Anderson, I. R. King, "Toward high-precision astrometry with WFPC2. I. Deriving an
       accurate point-spread function", PASP 112 (2000) 1360-1382.
    """
    pixels = np.asarray(getattr(image, "array", image), dtype=np.float64)
    if pixels.ndim != 2 or size < 5 or size % 2 == 0 or min(pixels.shape) <= 2 * size:
        raise ValueError(
            f"a PSF of {size} pixels from an image of {pixels.shape}; give one plane (Y, X) "
            "more than twice the size, and an odd size of at least 5"
        )
    std = noise_map(pixels, noise)
    cut = cut_off(pixels) if saturation is None else saturation
    sky = background(pixels, 3 * size)
    places = find_stars(np.where(_trusted(pixels, cut), pixels - sky, np.nan), std, size, None)
    if len(places) < _FEWEST:
        raise ValueError(
            f"{len(places)} isolated unsaturated stars of at least 20 times the noise were found; "
            f"{_FEWEST} are needed: give a larger image or a smaller size than {size}"
        )
    return _fitted(_Stars.cut_out(pixels - sky, std, places, size))


def _trusted(pixels: np.ndarray, limit: float | None) -> np.ndarray:
    finite: np.ndarray = np.isfinite(pixels)
    return finite if limit is None else finite & (pixels < limit)


@dataclass(eq=False)
class _Stars:
    """Squares of pixels about stars, and what is known of each star."""

    pixels: np.ndarray  # (n, size, size)
    weight: np.ndarray  # (n, size, size), 1 / variance, 0 where nothing is trusted
    places: np.ndarray  # (n, 2), the middle pixel
    shift: np.ndarray  # (n, 2), of the centre from it
    flux: np.ndarray  # (n,)
    sky: np.ndarray  # (n,)

    @classmethod
    def cut_out(cls, image: np.ndarray, std: np.ndarray, places: np.ndarray, size: int) -> _Stars:
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

    def keep(self, good: np.ndarray) -> _Stars:
        """Return some of the stars."""
        return _Stars(*(getattr(self, name)[good] for name in self.__dataclass_fields__))


def _fitted(stars: _Stars) -> StarPsf:
    size = stars.pixels.shape[1]
    weight = stars.weight
    for number in range(_ROUNDS):
        coefficients, normal = _spline(stars, weight)
        stars, model = _centred(stars, coefficients, weight)
        away, weight = _judged(stars, model)
        if number == _ROUNDS // 2:
            misfit = np.minimum(away, _OUTLIER**2).mean((1, 2))
            good = misfit <= _MISFIT * np.median(misfit)
            good &= stars.flux > 0
            stars, weight = stars.keep(good), weight[good]
    coefficients, normal = _spline(stars, weight)
    # The place of the spline is free: the middle of the PSF is where its brightest part is.
    centre = _centre(coefficients, size)
    at_centre = _basis(-centre, size)
    psf = (at_centre @ coefficients).reshape(size, size)
    inverse = np.linalg.inv(normal)
    error = np.sqrt(np.einsum("ij,ij->i", at_centre @ inverse, at_centre.toarray()))
    total = psf.sum()
    found = StarPsf(
        psf / total,
        error.reshape(size, size) / abs(total),
        stars.places + stars.shift + centre,
        _width(coefficients, size),
    )
    if len(stars.flux) < _FEWEST or not found.relative_error < _WORST:
        raise ValueError(
            f"the stars do not agree on a PSF ({found}); give a smaller size than {size}, the "
            "noise, or an image with more stars that stand alone"
        )
    return found


def _judged(stars: _Stars, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _splines(places: np.ndarray, size: int, spline: Any) -> np.ndarray:
    """Return each spline's value at pixels of a line shifted against it, (size, size + 4)."""
    knots = np.arange(size + 4) - (size + 3) / 2
    values: np.ndarray = np.nan_to_num(spline(places[:, None] - knots))
    return values


def _lines(shift: np.ndarray, size: int, slopes: tuple[bool, bool] = (False, False)) -> Any:
    """Return the splines, or their slopes, at rows and columns of a star centred at ``shift``."""
    line = np.arange(size) - size // 2
    return (
        _splines(line - s, size, _SLOPE if slope else _CUBIC)
        for s, slope in zip(shift, slopes, strict=True)
    )


def _basis(shift: np.ndarray, size: int) -> Any:
    """Return the splines at the pixels of a star, sparse (pixel, spline)."""
    rows, columns = (scipy.sparse.csr_array(line) for line in _lines(shift, size))
    return scipy.sparse.kron(rows, columns, format="csr")


def _spline(stars: _Stars, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of the PSF, all else known, and their normal matrix."""
    size = stars.pixels.shape[1]
    rows = scipy.sparse.vstack(
        [_basis(s, size) * f for s, f in zip(stars.shift, stars.flux, strict=True)], format="csr"
    )
    heavy = rows.multiply(weight.reshape(-1, 1)).tocsr()
    normal = (heavy.T @ rows).toarray()
    normal += _SMOOTH * np.trace(normal) / len(normal) * _roughness(size + 4)
    found = np.linalg.solve(normal, heavy.T @ (stars.pixels - stars.sky[:, None, None]).ravel())
    # The sky of the stars and a constant of the PSF cannot be told apart: the rim is dark.
    middle = (_basis(np.zeros(2), size) @ found).reshape(size, size)
    dark = np.median(middle[_rim(size)])
    return (found - dark) / (middle - dark).sum(), normal


def _rim(size: int) -> np.ndarray:
    rim = np.ones((size, size), dtype=bool)
    rim[1:-1, 1:-1] = False
    return rim


def _roughness(side: int) -> np.ndarray:
    """Return the matrix of the squared second differences along rows and columns."""
    bends = np.diff(np.eye(side), 2, axis=0)
    along: np.ndarray = np.kron(bends.T @ bends, np.eye(side))
    across: np.ndarray = np.kron(np.eye(side), bends.T @ bends)
    total: np.ndarray = np.add(along, across)
    return total


def _centred(stars: _Stars, coefficients: np.ndarray, weight: np.ndarray) -> tuple[_Stars, Any]:
    """Return the stars with flux, sky and centre fitted to the PSF, and what it says of them."""
    size = stars.pixels.shape[1]
    model = np.empty_like(stars.pixels)
    shift, flux, sky = stars.shift.copy(), stars.flux.copy(), stars.sky.copy()
    for k in range(len(stars.pixels)):
        terms = _terms(coefficients, shift[k], size)
        heavy = terms * weight[k].reshape(-1, 1)
        found = np.linalg.solve(heavy.T @ terms, heavy.T @ stars.pixels[k].ravel())
        flux[k], sky[k] = found[:2]
        if flux[k] > 0:
            shift[k] = (shift[k] + (found[2:] / flux[k]).clip(-0.3, 0.3)).clip(-1.5, 1.5)
        model[k] = (terms[:, :2] @ found[:2]).reshape(size, size)
    return replace(stars, shift=shift, flux=flux, sky=sky), model


def _terms(coefficients: np.ndarray, shift: np.ndarray, size: int) -> np.ndarray:
    """Return the PSF, the sky, and what moving the star down and right adds, (pixel, 4)."""
    table = coefficients.reshape(size + 4, size + 4)
    value, down, right = (
        (rows @ table @ columns.T).ravel()
        for rows, columns in (
            _lines(shift, size, slopes) for slopes in ((False, False), (True, False), (False, True))
        )
    )
    return np.stack([value, np.ones_like(value), -down, -right], 1)


def _fine(coefficients: np.ndarray, size: int, step: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Return the PSF on a fine grid and the places of its rows and columns."""
    line = np.arange(-size / 2, size / 2 + step / 2, step)
    table = np.nan_to_num(_CUBIC(line[:, None] - (np.arange(size + 4) - (size + 3) / 2)))
    return table @ coefficients.reshape(size + 4, size + 4) @ table.T, line


def _centre(coefficients: np.ndarray, size: int) -> np.ndarray:
    """Return the centroid of what is above a fifth of the peak."""
    fine, line = _fine(coefficients, size)
    core = (fine - 0.2 * fine.max()).clip(min=0)
    place: np.ndarray = np.array([core.sum(1) @ line, core.sum(0) @ line]) / core.sum()
    return place


def _width(coefficients: np.ndarray, size: int, step: float = 0.05) -> float:
    fine, _ = _fine(coefficients, size, step)
    return float(np.sqrt(4 / np.pi * (fine > fine.max() / 2).sum() * step**2))
