"""Measure the noise of an image: which model, which parameters, how sure."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_credible.noise.conclude import counted, gaussian, shows_poisson, stated, with_dark
from napari_credible.noise.dark import look_at
from napari_credible.noise.doubts import COARSE, FLAT, black_cut, of_image, other_gain
from napari_credible.noise.fit import fit_line
from napari_credible.noise.header import agrees, from_header
from napari_credible.noise.looked import Looked, look
from napari_credible.noise.models import Gaussian, PoissonGaussian
from napari_credible.noise.offset import check_offset
from napari_credible.noise.patches import Points, points_of
from napari_credible.noise.repeats import repeat_points

# Noise below this share of the largest value is that of rounding in float32.
_ROUNDING = 1e-6


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
        states GAIN and RDNOISE is used where the image does not contradict it. Several channels
        are measured one by one: ``image.channels()``.
    offset : float, optional, ADU
        Counts without light, from a dark frame or the camera's manual. One image shows only
        ``read_noise**2 - gain * offset`` well: without it the skewness of the noise and the
        darkest level decide, with a standard error, where a straight line through the noise
        demands an offset; elsewhere it is taken as 0.
    repeats : bool
        The one axis beside Y and X counts exposures of one unchanging scene. Then texture cannot
        mislead.
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
        Where the image is too small, constant or without noise, so that nothing can be told, where
        it has several channels, or where the offset or the dark frames do not fit it.
    """
    if dark is not None and offset is not None:
        raise ValueError("an offset is given and a dark frame too, which has its own; give one")
    darkness = None if dark is None else look_at(dark, image, seed)
    looked = look(image, repeats=repeats)
    points, doubts = _points(looked, seed)
    if offset is not None:
        doubts += check_offset(offset, points)
    if darkness is not None:
        model = with_dark(darkness, points, doubts, len(looked.planes) if repeats else 0)
    else:
        model = _without_dark(getattr(image, "header", None) or {}, points, offset, doubts, looked)
    return black_cut(model, looked)


def _points(looked: Looked, seed: int) -> tuple[Points, list[str]]:
    """Return the mean-variance points of what was looked at, and the doubts about them."""
    if looked.repeats:
        points, doubts = repeat_points(looked.planes, looked.usable)
    else:
        rng = np.random.default_rng(seed)
        points, doubts = points_of(looked.planes, looked.usable, rng), []
    noise = float(np.sqrt(np.median(points.variances))) if points.variances.size else 0.0
    if noise <= _ROUNDING * float(np.abs(looked.values).max()):
        raise ValueError(
            "no noise was found: neighbouring pixels agree everywhere; the image may be "
            "simulated or already denoised, else give noise=Gaussian(sigma)"
        )
    doubts = [*of_image(points, looked), *doubts]
    return points, [*doubts, COARSE] if noise < looked.rounding else doubts


def _without_dark(
    header: Any, points: Points, offset: float | None, doubts: list[str], looked: Looked
) -> Gaussian | PoissonGaussian:
    if len(points.means) < 3:
        return gaussian(points, [*doubts, FLAT], looked.source)
    line = fit_line(points.means, points.variances, points.errors)
    claimed = from_header(header)
    if claimed is not None and agrees(claimed, line):
        return stated(claimed, header, line, points, offset, doubts)
    if claimed is not None:
        doubts = [*doubts, other_gain(claimed, line)]
    if not shows_poisson(line, points):
        return gaussian(points, doubts, looked.source)
    return counted(line, points, offset, doubts, looked.source)
