"""The front door's function for data that an instrument made of the image: y = H x + noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_credible.io.image import as_image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.operators import Operator
from napari_credible.restorers import method_of
from napari_credible.result import Result
from napari_credible.run import Denoise, asked, run
from napari_credible.samplers import Restorer
from napari_credible.solvers import Solver

Model = Gaussian | PoissonGaussian


def restore(
    image: Any,
    operator: Any,
    noise: Model | Sequence[Model] | None = None,
    *,
    method: str | dict[str, Any] | Restorer | Solver = "mmps",
    denoiser: str | Denoise | None = None,
    n_draws: int = 16,
    seed: int = 0,
    device: str | None = None,
) -> Result:
    """Find the image behind y = H x + noise, and how sure each of its pixels is.

    Parameters
    ----------
    image : numpy or dask array, shape (..., Y, X), or Image
        The data y: frames, or for Radon sinograms (detectors, angles), or measurements. Each
        plane is restored by itself. What is not finite or saturated is not looked at.
    operator : Operator, str or mapping
        H: one of ``nc.operators``, or as on the command line, such as ``"blur:psf.tif"``.
    noise : NoiseModel, one for each channel, or None
        Of the data, in their units. None measures it, where the data are a picture. Photon
        noise has the variance of the model at H of the image, found in two passes.
    method : str, mapping, Restorer or Solver
        "mmps" draws from the posterior, for any operator and noise. "snips" draws as well, slowly
        and with a little bias. "ddrm" is fast, and "ks" for data without noise; the spread of
        their draws is not calibrated. "pnp" and "red" find one image.
    denoiser : str, Denoiser or callable, optional
        As for :func:`napari_credible.denoise`, but of images in the units of ``image``, and
        called at levels from several times their range down.
    n_draws : int, at least 2
        Of the methods that draw.
    seed : int
        The same seed gives the same draws.
    device : str, optional
        As for :func:`napari_credible.denoise`.

    Returns
    -------
    Result
        ``.estimate`` has the shape of H's image: finer pixels for Downsample, a leading axis of
        three colours for Bayer; ``.image`` carries the scale and ``.translate`` the place that go
        with it. ``.posterior`` is None for "pnp" and "red", whose steps are in ``.history``.

    Raises
    ------
    ValueError
        One sentence: what was found, what was wanted, the next move.

    Notes
    -----
    The offset of photon counts is taken off the data, and added to the image where H takes a
    constant image for a constant; else (Radon, an image that is dark beyond its edges) the image
    is the light above it.
    """
    recipe, custom = asked("restore", noise, denoiser, seed, device)
    chosen = method_of(method)
    recipe = recipe.replace(operator=operator, solver=chosen, n_draws=n_draws)
    own = operator if isinstance(operator, Operator) else None
    array = image if hasattr(image, "axes") else as_image(np.atleast_2d(image))
    return run(recipe, as_image(array), denoiser=custom, sampler=chosen, operator=own)
