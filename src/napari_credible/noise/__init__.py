"""p(counts given light): models of a detector's noise, and what an image tells of them."""

from __future__ import annotations

from napari_credible.noise.estimate import estimate_noise
from napari_credible.noise.evidence import Evidence
from napari_credible.noise.header import from_header
from napari_credible.noise.models import Gaussian, NoiseModel, PoissonGaussian

__all__ = ["Evidence", "Gaussian", "NoiseModel", "PoissonGaussian", "estimate_noise", "from_header"]
