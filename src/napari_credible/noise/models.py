"""Gaussian and Poisson-Gaussian noise: draw it, make its variance 1, come back without bias.

``light`` is the noise-free image in the image's own units, so that the mean of many draws is
``light`` itself. All arrays are computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_credible.knob import Knob, knobs
from napari_credible.noise import anscombe
from napari_credible.noise.evidence import Evidence

Array = NDArray[np.float64]
Map = float | NDArray[np.floating[Any]]
Rng = np.random.Generator | int

# Read noises below the offset that no draw reaches: one in 10^9.
_FAR_BELOW = 6.0
# numpy's Poisson draws end near 2^63.
_MOST_DRAWN = 9e18


@runtime_checkable
class NoiseModel(Protocol):
    """p(counts given light)."""

    evidence: Evidence | None

    def draw(self, light: ArrayLike, rng: Rng) -> Array:
        """Return one noisy image of ``light``."""
        ...

    def variance(self, light: ArrayLike) -> Array:
        """Return the variance of the counts at each pixel."""
        ...

    def stabilise(self, counts: ArrayLike) -> Array:
        """Map counts to an image whose noise has standard deviation 1."""
        ...

    def restore(self, stabilised: ArrayLike) -> Array:
        """Map the mean of stabilised counts back to ``light``, without bias."""
        ...

    def light_of(self, draw: ArrayLike) -> Array:
        """Map one possible noise-free stabilised image to ``light``."""
        ...

    def deviation(self, light: ArrayLike) -> Array:
        """Return the standard deviation of the stabilised counts of ``light``: about 1."""
        ...

    def lowest(self) -> Map:
        """Return the value below which no light is."""
        ...

    def least(self, photoelectrons: float) -> Map:
        """Return the light of a number of photoelectrons; minus infinity without photons."""
        ...

    def faint(self, light: ArrayLike) -> NDArray[np.bool_]:
        """Return where ``light`` is so faint that ``stabilise`` falls short of variance 1."""
        ...

    def impossible(self, counts: ArrayLike) -> NDArray[np.bool_]:
        """Return where ``counts`` lie further below no light than noise can carry them."""
        ...


class _Numbers:
    """Validation, equality and JSON of a noise model, from its annotated fields."""

    def __post_init__(self) -> None:
        for name, knob in knobs(type(self)).items():
            value = getattr(self, name)
            knob.check(name, value)
            if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value):
                own = np.array(value, dtype=np.float64)
                own.flags.writeable = False
                object.__setattr__(self, name, own)
            else:
                object.__setattr__(self, name, float(value))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in knobs(type(self)))

    def __hash__(self) -> int:
        return hash(
            (type(self), *(np.asarray(getattr(self, n)).tobytes() for n in knobs(type(self))))
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and the parameters as plain JSON values."""
        numbers = {n: np.asarray(getattr(self, n)).tolist() for n in knobs(type(self))}
        return {"kind": type(self).__name__, **numbers}

    def in_words(self) -> str:
        """Return kind and parameters, with the standard errors of those that were measured."""
        evidence: Evidence | None = getattr(self, "evidence", None)
        errors = evidence.errors if evidence else {}
        parts = []
        for name in knobs(type(self)):
            value = getattr(self, name)
            shown = f"{value:.4g}" if isinstance(value, float) else "a map"
            known = 0 < errors.get(name, 0.0) < np.inf
            parts.append(f"{name} {shown}" + (f" ± {errors[name]:.2g}" if known else ""))
        source = f" (from the {evidence.source})" if evidence else ""
        return f"{type(self).__name__}: {', '.join(parts)}{source}"


@dataclass(frozen=True, eq=False)
class Gaussian(_Numbers):
    """White Gaussian noise of standard deviation ``sigma``.

    Parameters
    ----------
    sigma : float or ndarray, shape (Y, X), image units
        Standard deviation, above 0; a map where it differs from pixel to pixel.
    """

    sigma: Annotated[Map, Knob(0, 1e30, "image units", "standard deviation", above=True)]
    evidence: Evidence | None = field(default=None, compare=False, repr=False, kw_only=True)

    def draw(self, light: ArrayLike, rng: Rng) -> Array:
        """Return ``light`` plus noise; ``rng`` is a numpy Generator or a seed."""
        light = np.asarray(light, dtype=np.float64)
        return light + self.sigma * np.random.default_rng(rng).standard_normal(light.shape)

    def variance(self, light: ArrayLike) -> Array:
        """Return sigma squared at every pixel."""
        return np.broadcast_to(np.square(self.sigma), np.shape(light)).astype(np.float64)

    def stabilise(self, counts: ArrayLike) -> Array:
        """Divide by sigma."""
        return np.asarray(counts, dtype=np.float64) / self.sigma

    def restore(self, stabilised: ArrayLike) -> Array:
        """Multiply by sigma."""
        return np.asarray(stabilised, dtype=np.float64) * self.sigma

    def light_of(self, draw: ArrayLike) -> Array:
        """Multiply by sigma."""
        return self.restore(draw)

    def deviation(self, light: ArrayLike) -> Array:
        """Return 1 everywhere."""
        return np.ones(np.shape(light))

    def lowest(self) -> Map:
        """Return minus infinity: nothing forbids negative values."""
        return -np.inf

    def least(self, photoelectrons: float) -> Map:
        """Return minus infinity: nothing is counted."""
        return -np.inf

    def faint(self, light: ArrayLike) -> NDArray[np.bool_]:
        """Return False everywhere: the transform is exact."""
        return np.zeros(np.shape(light), dtype=np.bool_)

    def impossible(self, counts: ArrayLike) -> NDArray[np.bool_]:
        """Return False everywhere: any value is possible."""
        return np.zeros(np.shape(counts), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class PoissonGaussian(_Numbers):
    """Photoelectrons counted, amplified and read: gain Poisson(p) + N(offset, read_noise^2).

    Parameters
    ----------
    gain : float or ndarray, shape (Y, X), ADU per photoelectron
        Above 0. FITS headers often give its inverse.
    offset : float or ndarray, shape (Y, X), ADU
        Counts without light (bias, pedestal, dark level).
    read_noise : float or ndarray, shape (Y, X), ADU
        Standard deviation of the counts without light; 0 for photon counters.

    Notes
    -----
    One scientific CMOS chip has its own value at each pixel: give maps. ``stabilise`` then makes
    the variance 1 at every pixel, and where the maps vary the stabilised image shows their pattern.
    """

    gain: Annotated[Map, Knob(0, 1e30, "ADU per photoelectron", "amplification", above=True)]
    offset: Annotated[Map, Knob(-1e30, 1e30, "ADU", "counts without light")] = 0.0
    read_noise: Annotated[Map, Knob(0, 1e30, "ADU", "noise of the readout")] = 0.0
    evidence: Evidence | None = field(default=None, compare=False, repr=False, kw_only=True)

    def draw(self, light: ArrayLike, rng: Rng) -> Array:
        """Return counts of ``light`` (ADU); light below the offset counts as none."""
        rng = np.random.default_rng(rng)
        light = np.asarray(light, dtype=np.float64)
        mean = np.maximum(self.photoelectrons(light), 0)
        if not np.all(mean <= _MOST_DRAWN):
            raise ValueError(
                f"light holds {float(np.max(mean)):g} photoelectrons in a pixel; give finite light "
                f"of at most {_MOST_DRAWN:g} photoelectrons"
            )
        counts = self.gain * rng.poisson(mean)
        return self.offset + counts + self.read_noise * rng.standard_normal(light.shape)

    def variance(self, light: ArrayLike) -> Array:
        """Return gain (light - offset) + read_noise^2, in ADU squared."""
        light = np.asarray(light, dtype=np.float64)
        return np.asarray(
            self.gain * np.maximum(light - self.offset, 0) + np.square(self.read_noise)
        )

    def photoelectrons(self, light: ArrayLike) -> Array:
        """Return the mean number of photoelectrons of ``light`` (ADU)."""
        return np.asarray((np.asarray(light, dtype=np.float64) - self.offset) / self.gain)

    def stabilise(self, counts: ArrayLike) -> Array:
        """Apply the generalised Anscombe transform: see :func:`anscombe.forward`."""
        return anscombe.forward(self.photoelectrons(counts), self._read())

    def restore(self, stabilised: ArrayLike) -> Array:
        """Apply its exact unbiased inverse: see :func:`anscombe.inverse`; ADU."""
        return np.asarray(self.offset + self.gain * anscombe.inverse(stabilised, self._read()))

    def light_of(self, draw: ArrayLike) -> Array:
        """Return the light (ADU) under which stabilised counts have mean ``draw``.

        A noise-free stabilised image is E f(counts), pixel by pixel a curve of the light, and a
        draw is one such image that may have been: the curve is inverted, on each draw by itself.
        The mean light is then the mean of these. It is not :meth:`restore` of the mean draw: by
        a quarter of the draws' variance the two differ, in photoelectrons, since the curve
        bends. No light is below the offset, so neither is a draw.
        """
        return np.maximum(self.restore(draw), self.lowest())

    def deviation(self, light: ArrayLike) -> Array:
        """Return the exact one at each pixel: see :func:`anscombe.deviation`."""
        return anscombe.deviation(self.photoelectrons(light), self._read())

    def lowest(self) -> Map:
        """Return the offset: there is no negative light."""
        return self.offset

    def least(self, photoelectrons: float) -> Map:
        """Return the offset and the counts of some photoelectrons."""
        return self.offset + self.gain * photoelectrons

    def faint(self, light: ArrayLike) -> NDArray[np.bool_]:
        """Return where light is below one photoelectron and the read noise below half of one."""
        return np.asarray((self.photoelectrons(light) < 1) & (self._read() < 0.5))

    def impossible(self, counts: ArrayLike) -> NDArray[np.bool_]:
        """Return where counts lie 6 read noises, and half a photoelectron, below the offset."""
        slack = np.maximum(_FAR_BELOW * np.asarray(self.read_noise), 0.5 * np.asarray(self.gain))
        return np.asarray(np.asarray(counts, dtype=np.float64) < self.offset - slack)

    def _read(self) -> Array:
        return np.asarray(np.divide(self.read_noise, self.gain))


def model_from_dict(values: dict[str, Any]) -> Gaussian | PoissonGaussian:
    """Rebuild a model from :meth:`to_dict`; unknown kinds and fields are refused."""
    kinds: dict[str, type[Gaussian] | type[PoissonGaussian]] = {
        "Gaussian": Gaussian,
        "PoissonGaussian": PoissonGaussian,
    }
    numbers = dict(values)
    kind = kinds.get(str(numbers.pop("kind", None)))
    if kind is None:
        raise ValueError(f"noise is of kind {values.get('kind')!r}; give one of {', '.join(kinds)}")
    names = [f.name for f in fields(kind) if f.name != "evidence"]
    unknown = set(numbers) - set(names)
    if unknown:
        raise ValueError(
            f"{kind.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(names)}"
        )
    return kind(**numbers)
