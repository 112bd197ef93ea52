"""p(counts given light): models of a detector's noise, and what an image tells of them.

Measuring is imported when it is first asked for: a window opens sooner without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_credible.noise.evidence import Evidence
from napari_credible.noise.header import from_header
from napari_credible.noise.models import Gaussian, NoiseModel, PoissonGaussian

if TYPE_CHECKING:
    from napari_credible.noise.estimate import estimate_noise as estimate_noise

__all__ = ["Evidence", "Gaussian", "NoiseModel", "PoissonGaussian", "estimate_noise", "from_header"]


def __getattr__(name: str) -> Any:
    if name != "estimate_noise":
        raise AttributeError(f"{__name__} has no {name}")
    from napari_credible.noise.estimate import estimate_noise

    return estimate_noise
