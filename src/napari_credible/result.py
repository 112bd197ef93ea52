"""What came out of a run, and everything needed to get it again."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.flags import describe
from napari_credible.io.image import Image
from napari_credible.jacobian import Linearised
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.posterior import Posterior, more_draws
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.streamed import Streamed

if TYPE_CHECKING:
    from napari_credible.operators import Operator


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
        One for each channel, with the evidence of its measurement; empty for data without noise.
    source : Image
        What went in, without its pixels being copied.
    weights : str
        SHA-256 of the network's weights; empty for a denoiser without any.
    citations : tuple of str
        Of the methods that were used.
    posterior : Posterior, Streamed, Linearised or None
        What was drawn by ``sample`` or ``restore``, linearised by ``spread``; None where nothing
        was.
    region : Region, optional
        Which part of the image ``source`` is, where only a part was worked on.
    translate : tuple of float
        Place of the first pixel along each axis, in units of the axis, where ``restore`` made
        pixels of another size or beyond the data's edges; empty for 0.
    history : tuple
        Of a solver's steps: :class:`napari_credible.solvers.Passed`.
    data : Image, optional
        What was restored, as it went in: ``source`` then has the axes and pixels of the restored
        image, and holds nothing.
    operator : Operator, optional
        How they came from the image, for the data's pixels.
    read : Region, optional
        Which part of all data ``data`` are, where only a region was restored: more than it.
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
    region: Region | None = None
    translate: tuple[float, ...] = ()
    history: tuple[Any, ...] = ()
    data: Image | None = None
    operator: Operator | None = None
    read: Region | None = None
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
    def recipe_of_part(self) -> Recipe:
        """The recipe for the part alone that was worked on: its channels, noise maps cut to it."""
        part, noise = self.read or self.region, self.recipe.noise
        if part is None or noise is None:
            return self.recipe
        image = self.source if self.data is None else self.data
        found = tuple(part.models(noise if isinstance(noise, tuple) else (noise,), image))
        return self.recipe.replace(noise=found if isinstance(noise, tuple) else found[0])

    def widened(self, factor: float) -> Result:
        """Return the same draws with intervals of another width.

        Parameters
        ----------
        factor : float, 0.1 to 10
            On both sides of every interval of the posterior as drawn, from a calibration; it is
            recorded in the recipe.

        Raises
        ------
        ValueError
            Where nothing was drawn, or the factor is out of range.
        """
        if self.posterior is None:
            raise ValueError("nothing was drawn, so there is no interval to widen; sample first")
        recipe = self.recipe.replace(widen=factor)
        if isinstance(self.posterior, Streamed):
            return replace(self, recipe=recipe, posterior=self.posterior.widened(factor))
        return replace(self, recipe=recipe, posterior=replace(self.posterior, widen=factor))

    @property
    def sureness(self) -> str:
        """How good the maps themselves are, in words; empty where nothing was drawn."""
        n = getattr(self.posterior, "n_draws", 0)
        if not n:
            return ""
        more = more_draws(n, 0.05)
        wish = f"; about {more} more draws for 5 %" if more else ""
        return (
            f"{n} draws: the std map is good to {100 / math.sqrt(2 * (n - 1)):.0f} %, the mean to "
            f"{1 / math.sqrt(n):.2f} std{wish}"
        )

    @property
    def doubts(self) -> list[str]:
        """Every doubt in words: of the noise measurement, then of single pixels."""
        measured = [d for model in self.noise if model.evidence for d in model.evidence.doubts]
        return [*dict.fromkeys(measured), *describe(self.flags)]

    def record(self) -> dict[str, Any]:
        """Return the provenance as plain JSON values: recipe, versions, weights, doubts."""
        n_draws = getattr(self.posterior, "n_draws", None)
        drawn = {} if n_draws is None else {"n_draws": n_draws}
        part = {} if self.region is None else {"region": asdict(self.region)}
        return {
            **drawn,
            **part,
            "recipe": json.loads(self.recipe.to_json()),
            "versions": self.versions,
            "weights_sha256": self.weights,
            "doubts": self.doubts,
            "citations": list(self.citations),
        }


def expected(recipe: Recipe, image: Image) -> Image:
    """Return an image with the axes and the number type of a result, without its pixels."""
    if recipe.method == "restore":
        from napari_credible.geometry import frame
        from napari_credible.plan import named_operator

        image = frame(named_operator(recipe), image)
    kind = np.dtype(image.array.dtype if recipe.dtype == "input" else np.float32)
    return image.with_array(np.broadcast_to(np.zeros((), kind), image.shape))


def versions() -> dict[str, str]:
    """Return the versions on which numbers depend."""
    packages = {name: version(name) for name in ("napari-credible", "torch", "numpy")}
    return {**packages, "python": platform.python_version()}
