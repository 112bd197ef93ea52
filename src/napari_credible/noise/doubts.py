"""What a measurement of noise cannot tell, in sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_credible.noise.fit import Line
from napari_credible.noise.looked import Looked
from napari_credible.noise.models import Gaussian, PoissonGaussian
from napari_credible.noise.patches import Points

_CORRELATED_BELOW = 0.25
# No bell has so many more values at its end than beside it.
_FEWEST_PILED, _PILED = 20, 3

COARSE = (
    "the noise is finer than the steps of the numbers, so that it cannot be measured well; "
    "keep more bits when the image is saved"
)
FLAT = "the image is too flat to tell a gain; its noise is taken as Gaussian"
NO_LIGHT = "light adds no noise to that of the dark frame; the noise is taken as Gaussian"
UNCHECKED = "the image is too flat to check the header's gain"


def of_image(points: Points, looked: Looked) -> list[str]:
    """Return what the image itself makes doubtful."""
    doubts = []
    finite = looked.finite
    if not finite.all():
        doubts.append(f"{(~finite).mean():.2%} of the pixels are not finite and were left out")
    saturated = finite & ~looked.usable
    if saturated.any():
        doubts.append(f"{saturated.mean():.2%} of the pixels are saturated and were left out")
    if points.correlation < _CORRELATED_BELOW:
        doubts.append(
            "neighbouring pixels share their noise: the image was already smoothed, compressed or "
            "interpolated, so the noise is stronger than it looks; start from raw data"
        )
    return doubts


def assumed(offset: float) -> str:
    """Return the doubt that comes with an offset that was not given."""
    return (
        "offset and read noise are hardly told apart without a dark frame: the offset is taken "
        f"as {offset:.4g} ADU; give it if you know it"
    )


def other_gain(claimed: PoissonGaussian, line: Line) -> str:
    """Return the doubt about a header that the image contradicts."""
    return (
        f"the header's gain of {claimed.gain:.3g} ADU per photoelectron does not fit the "
        f"measured {line.slope:.3g}; the measured noise is used"
    )


def black_cut(model: Gaussian | PoissonGaussian, looked: Looked) -> Gaussian | PoissonGaussian:
    """Return the model with a doubt where values pile up at the lowest one.

    Counted photons do so by themselves, where reading adds less noise than one of them counts.
    """
    if isinstance(model, PoissonGaussian) and model.read_noise < model.gain:
        return model
    values = looked.values
    lowest = float(values.min())
    piled, above = int(np.count_nonzero(values == lowest)), values[values > lowest]
    beside = int(np.count_nonzero(above == np.min(above, initial=np.inf)))
    fewest = max(_FEWEST_PILED, _PILED * beside)
    if piled < fewest or model.evidence is None:
        return model
    doubt = (
        f"{piled / values.size:.2%} of the pixels lie at the lowest value, {lowest:.4g}: the "
        "noise is cut off there, so that dark places look brighter and calmer than they are; "
        "raise the camera's offset"
    )
    doubts = (*model.evidence.doubts, doubt)
    return replace(model, evidence=replace(model.evidence, doubts=doubts))
