"""The point-spread function of an image, measured from its own stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_credible.operators.star_fit import Stars, fitted
from napari_credible.operators.star_spline import basis, centre_of, width_of
from napari_credible.operators.stars import background, cut_off, find_stars, noise_map

_FEWEST = 3
# Relative error of a PSF that says nothing.
_WORST = 0.15


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
    trusted = np.isfinite(pixels) & (pixels < (np.inf if cut is None else cut))
    places = find_stars(np.where(trusted, pixels - sky, np.nan), std, size)
    if len(places) < _FEWEST:
        raise ValueError(
            f"{len(places)} isolated unsaturated stars of at least 20 times the noise were found; "
            f"{_FEWEST} are needed: give a larger image or a smaller size than {size}"
        )
    found = _star_psf(*fitted(Stars.cut_out(pixels - sky, std, places, size)), size)
    if len(found.positions) < _FEWEST or not found.relative_error < _WORST:
        raise ValueError(
            f"the stars do not agree on a PSF ({found}); give a smaller size than {size}, the "
            "noise, or an image with more stars that stand alone"
        )
    return found


def _star_psf(stars: Stars, coefficients: np.ndarray, covariance: np.ndarray, size: int) -> StarPsf:
    # The place of the spline is free: the middle of the PSF is where its brightest part is.
    centre = centre_of(coefficients, size)
    middle = basis(-centre, size)
    psf = (middle @ coefficients).reshape(size, size)
    error = np.sqrt(np.einsum("ij,ij->i", middle @ covariance, middle.toarray()))
    total = psf.sum()
    return StarPsf(
        psf / total,
        error.reshape(size, size) / abs(total),
        stars.places + stars.shift + centre,
        width_of(coefficients, size),
    )
