"""What came out of a run, and everything needed to get it again."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.flags import describe
from napari_credible.io.image import Image
from napari_credible.jacobian import Linearised
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.streamed import Streamed


@dataclass(frozen=True, eq=False)
class Result:
    """What came out.

    Attributes
    ----------
    estimate : ndarray of float32, the input's shape, input units
        Pixels flagged NOT_FINITE or SATURATED hold the input's value.
    flags : ndarray of uint8, the input's shape
        Sums of :class:`napari_credible.flags.Flag` bits.
    recipe : Recipe
        With the noise as used, so that running it again measures nothing anew.
    noise : tuple of NoiseModel
        One for each channel, with the evidence of its measurement.
    source : Image
        What went in, without its pixels being copied.
    weights : str
        SHA-256 of the network's weights; empty for a denoiser without any.
    citations : tuple of str
        Of the methods that were used.
    posterior : Posterior, Streamed, Linearised or None
        What was drawn by ``sample``, linearised by ``spread``; None from ``denoise``.
    versions : dict of str to str
        Of this package, torch, numpy and Python.
    """

    estimate: NDArray[np.float32]
    flags: NDArray[np.uint8]
    recipe: Recipe
    noise: tuple[Gaussian | PoissonGaussian, ...]
    source: Image
    weights: str = ""
    citations: tuple[str, ...] = ()
    posterior: Posterior | Streamed | Linearised | None = None
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.recipe.seed

    @property
    def image(self) -> Image:
        """The estimate with the input's axes, scale, units and header, in the recipe's dtype."""
        whole = self.recipe.dtype == "input"
        return self.source.with_array(self.in_input_type() if whole else self.estimate)

    def in_input_type(self) -> NDArray[Any]:
        """Return the estimate in the input's type, integers rounded and cut to their range."""
        kind = np.dtype(self.source.array.dtype).newbyteorder("=")
        if kind.kind == "f":
            return self.estimate.astype(kind)
        limits = np.iinfo(kind)
        return np.clip(np.round(self.estimate), limits.min, limits.max).astype(kind)

    @property
    def maps(self) -> dict[str, NDArray[np.float32]]:
        """What is written beside the estimate: std, lower, upper, and exceedance if asked.

        Empty where nothing was drawn.
        """
        if self.posterior is None:
            return {}
        lower, upper = self.posterior.interval(self.recipe.level)
        maps = {"std": self.posterior.std, "lower": lower, "upper": upper}
        if self.recipe.threshold is not None:
            maps["exceedance"] = self.posterior.exceedance(self.recipe.threshold)
        return maps

    @property
    def doubts(self) -> list[str]:
        """Every doubt in words: of the noise measurement, then of single pixels."""
        measured = [d for model in self.noise if model.evidence for d in model.evidence.doubts]
        return [*dict.fromkeys(measured), *describe(self.flags)]

    def record(self) -> dict[str, Any]:
        """Return the provenance as plain JSON values: recipe, versions, weights, doubts."""
        n_draws = getattr(self.posterior, "n_draws", None)
        drawn = {} if n_draws is None else {"n_draws": n_draws}
        return {
            **drawn,
            "recipe": json.loads(self.recipe.to_json()),
            "versions": self.versions,
            "weights_sha256": self.weights,
            "doubts": self.doubts,
            "citations": list(self.citations),
        }


def expected(recipe: Recipe, image: Image) -> Image:
    """Return an image with the axes and the number type of a result, without its pixels."""
    kind = np.dtype(image.array.dtype if recipe.dtype == "input" else np.float32)
    return image.with_array(np.broadcast_to(np.zeros((), kind), image.shape))


def versions() -> dict[str, str]:
    """Return the versions on which numbers depend."""
    packages = {name: version(name) for name in ("napari-credible", "torch", "numpy")}
    return {**packages, "python": platform.python_version()}
