"""What the draws say: maps, regions, and how sure the maps themselves are.

``Posterior`` keeps its draws and answers any question; ``Streamed`` (:mod:`.streamed`) keeps only
what its maps need. Both are cheap to ask again: nothing is computed before it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_credible import bounds
from napari_credible.blocks import blocks, box, filled, is_lazy

Array = NDArray[np.float32]


class Components(NamedTuple):
    """Leading principal components of the draws.

    Attributes
    ----------
    images : ndarray, shape (k, ..., Y, X)
        Orthonormal; the sign of each makes its largest pixel positive.
    variances : ndarray, shape (k,), image units squared
        Of the draws along each, falling.
    share : float
        Of all variance that these components carry.
    """

    images: Array
    variances: Array
    share: float


class Maps(Protocol):
    """The questions that a posterior answers with or without its draws at hand."""

    n_draws: int

    @property
    def mean(self) -> Array:
        """Mean of the draws."""
        ...

    @property
    def std(self) -> Array:
        """Standard deviation of the draws."""
        ...

    def interval(self, level: float = 0.9) -> tuple[Array, Array]:
        """Return the bounds of the credible interval."""
        ...

    def exceedance(self, threshold: float) -> Array:
        """Return the probability of lying above a threshold."""
        ...


@dataclass(frozen=True, eq=False)
class Posterior:
    """Images drawn from P(clean | noisy).

    Parameters
    ----------
    draws : array_like, shape (n_draws, ..., Y, X), image units
        At least two. A lazy array (dask, zarr, :class:`napari_credible.stored.Stored`) stays
        where it is: every question reads it a block of pixels at a time.
    lowest : float or ndarray
        No clean value lies below it: the offset of a photon count, else minus infinity.
    widen : float
        Factor on both sides of every interval, from a calibration.

    Raises
    ------
    ValueError
        Where there are fewer than two draws.
    """

    draws: Array
    lowest: float | NDArray[np.floating[Any]] = -math.inf
    widen: float = 1.0

    def __post_init__(self) -> None:
        draws = self.draws if is_lazy(self.draws) else np.asarray(self.draws)
        if draws.ndim < 1 or len(draws) < 2:
            raise ValueError(
                f"a posterior of shape {draws.shape} has no spread; give at least two draws along "
                "the first axis"
            )
        object.__setattr__(self, "draws", draws)

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.draws)

    @property
    def mean(self) -> Array:
        """Mean of the draws, shape (..., Y, X)."""
        return self._asked(lambda here: here.draws.mean(0, dtype=np.float64))

    @property
    def std(self) -> Array:
        """Standard deviation of the draws (divided by n - 1), shape (..., Y, X)."""
        return self._asked(lambda here: here.draws.std(0, ddof=1, dtype=np.float64))

    def quantile(self, q: float | Sequence[float] | NDArray[np.floating[Any]]) -> Array:
        """Return sample quantiles as numpy's, shape (..., Y, X), or (len(q), ..., Y, X).

        They are those of the draws at hand: between the 0.05 and 0.95 quantile of n exact draws
        less than 90 % of the truth lies (83 % at n = 24). :meth:`interval` corrects for that.
        """
        return self._asked(lambda here: np.quantile(here.draws, q, axis=0))

    def interval(self, level: float = 0.9) -> tuple[Array, Array]:
        """Return lower and upper bound that hold the truth with probability ``level``.

        Bounds are order statistics chosen such that a further draw, of which the truth is one
        for an exact sampler, lies inside with probability ``level``: see
        :mod:`napari_credible.bounds`. With fewer than 19 draws at 90 % they reach beyond the
        extremes, by what is right for normal draws.

        Parameters
        ----------
        level : float, 0 to 1, excluded
        """
        if is_lazy(self.draws):
            lower, upper = filled(self.draws, lambda *here: self._block(*here).interval(level))
            return lower, upper
        count = bounds.kept(level, self.n_draws)
        ordered = np.sort(self.draws, axis=0)
        extremes = ordered[:count], ordered[::-1][:count]
        about = bounds.About(self.mean, self.std, self.n_draws, self.lowest, self.widen)
        return bounds.interval(*extremes, about, level)

    def exceedance(self, threshold: float) -> Array:
        """Return the share of draws above ``threshold``, shape (..., Y, X)."""
        return self._asked(lambda here: _share_above(here.draws, threshold))

    def exceedance_error(self, threshold: float) -> Array:
        """Return the standard error of :meth:`exceedance`; above 0 also where it is 0 or 1."""
        return bounds.share_error(self.exceedance(threshold), self.n_draws)

    def components(self, k: int = 3) -> Components:
        """Return the leading principal components: what the draws do not agree on, in images.

        Parameters
        ----------
        k : int, at least 1
            At most n_draws - 1 are returned. Pixels that were not drawn take no part.

        References
        ----------
        .. [1] O. Manor, T. Michaeli, "On the posterior distribution in denoising: application to
           uncertainty quantification", ICLR (2024).
        """
        if k < 1:
            raise ValueError(f"k is {k}; ask for at least one component")
        # The Gram matrix has the same eigenvalues, and draws are far fewer than pixels.
        gram = sum(
            flat @ flat.T for flat in map(_centred, (draws for _, draws in blocks(self.draws)))
        )
        values, vectors = np.linalg.eigh(gram)
        order = np.argsort(values)[::-1][: min(k, self.n_draws - 1)]
        turned = vectors[:, order].T
        (images,) = filled(self.draws, lambda _, draws: (_along(turned, draws),))
        images = images.reshape(len(order), -1)
        images /= np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-300)
        peak = np.take_along_axis(images, np.abs(images).argmax(1)[:, None], 1)
        images *= np.where(peak < 0, -1.0, 1.0)
        images[:, np.isnan(np.asarray(self.draws[0])).ravel()] = np.nan
        kept = np.maximum(values[order], 0)
        return Components(
            np.asarray(images.reshape(len(order), *self.draws.shape[1:]), dtype=np.float32),
            np.asarray(kept / (self.n_draws - 1), dtype=np.float32),
            float(kept.sum() / max(values.sum(), 1e-300)),
        )

    @property
    def mean_error(self) -> Array:
        """Monte-Carlo standard error of :attr:`mean`."""
        return self.std / np.float32(math.sqrt(self.n_draws))

    @property
    def std_error(self) -> Array:
        """Monte-Carlo standard error of :attr:`std`, for draws that are nearly normal."""
        return self.std / np.float32(math.sqrt(2 * (self.n_draws - 1)))

    def interval_error(self, level: float = 0.9) -> Array:
        """Return the Monte-Carlo standard error of each bound, for draws that are nearly normal."""
        return self.std * np.float32(bounds.quantile_error((1 - level) / 2, self.n_draws))

    def more_draws(self, relative: float = 0.05) -> int:
        """Return how many more draws bring the std map's own error to ``relative`` of it."""
        return more_draws(self.n_draws, relative)

    def of(self, function: Callable[[Array], Any]) -> Posterior:
        """Return the posterior of anything that can be computed from an image.

        Parameters
        ----------
        function : callable
            Takes one draw (..., Y, X), returns a number or an array.

        Examples
        --------
        >>> draws = np.random.default_rng(0).normal(5, 1, (100, 8, 8))
        >>> total = Posterior(draws).of(np.sum)
        >>> [round(float(bound)) for bound in total.interval(0.9)]
        [304, 336]
        """
        return Posterior(np.stack([np.asarray(function(np.asarray(draw))) for draw in self.draws]))

    def mean_over(self, mask: NDArray[np.bool_]) -> Posterior:
        """Return the posterior of the mean over the pixels where ``mask`` is True."""
        return self._inside(mask, lambda values: values.mean(dtype=np.float64))

    def sum_over(self, mask: NDArray[np.bool_]) -> Posterior:
        """Return the posterior of the sum over the pixels where ``mask`` is True."""
        return self._inside(mask, lambda values: values.sum(dtype=np.float64))

    def max_over(self, mask: NDArray[np.bool_]) -> Posterior:
        """Return the posterior of the largest value where ``mask`` is True."""
        return self._inside(mask, lambda values: values.max())

    def area_above(self, threshold: float, mask: NDArray[np.bool_]) -> Posterior:
        """Return the posterior of the number of pixels in ``mask`` above ``threshold``."""
        return self._inside(mask, lambda v: np.float64(np.count_nonzero(v > threshold)))

    def profile(
        self, start: tuple[float, float], stop: tuple[float, float], width: int = 1
    ) -> Posterior:
        """Return the posterior of the values along a line between two points of a plane.

        Parameters
        ----------
        start, stop : (float, float), pixels
            Row and column; about one value a pixel, interpolated linearly.
        width : int, pixels
            Averaged across the line.
        """
        from skimage.measure import profile_line

        if self.draws.ndim != 3:
            raise ValueError(
                f"a line needs draws of one plane; these have shape {self.draws.shape}, so choose "
                "a plane first: posterior.of(lambda image: image[0])"
            )
        return self.of(lambda d: profile_line(d, start, stop, linewidth=width, mode="nearest"))

    def _inside(self, mask: NDArray[np.bool_], function: Callable[[Array], Any]) -> Posterior:
        """Return the posterior of a function of the values where a mask is True."""
        mask = self._place(mask)
        # Only the part around the mask is read.
        place = box(mask)
        inner = mask[place]
        part = np.asarray(self.draws[(slice(None), *place)])
        return Posterior(np.stack([np.asarray(function(draw[inner])) for draw in part]))

    def _asked(self, question: Callable[[Posterior], NDArray[Any]]) -> Array:
        """Return one map, asked block by block where the draws are lazy."""
        (answer,) = filled(
            self.draws,
            lambda *here: (np.asarray(question(self._block(*here)), dtype=np.float32),),
        )
        return answer

    def _block(self, place: tuple[slice, ...], draws: Array) -> Posterior:
        """Return the posterior of a block of pixels, whose draws are at hand."""
        if draws is self.draws:
            return self
        lowest = self.lowest
        if np.ndim(lowest):
            lowest = np.broadcast_to(lowest, self.draws.shape[1:])[place]
        return Posterior(draws, lowest, self.widen)

    def _place(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Hold a mask to the draws; one of a plane serves all planes.

        Pixels that were not drawn, saturated or not finite, are left out.
        """
        mask = np.asarray(mask)
        shape = self.draws.shape[1:]
        if mask.dtype != np.bool_ or mask.shape not in (shape, shape[-2:]) or not mask.any():
            raise ValueError(
                f"the mask has type {mask.dtype}, shape {mask.shape} and {np.count_nonzero(mask)} "
                f"pixels set; give booleans of shape {shape} with at least one True"
            )
        place: NDArray[np.bool_] = np.broadcast_to(mask, shape) & ~np.isnan(
            np.asarray(self.draws[0])
        )
        if not place.any():
            raise ValueError(
                "no pixel of the mask was drawn: all are saturated or not finite; choose others"
            )
        return place


def _share_above(draws: Array, threshold: float) -> Array:
    share = np.asarray((draws > threshold).mean(0), dtype=np.float32)
    return np.where(np.isnan(draws[0]), np.float32(np.nan), share)


def _centred(draws: Array) -> NDArray[np.float64]:
    """Return the draws around their mean, shape (n_draws, pixels); 0 where nothing was drawn."""
    mean = np.asarray(draws.mean(0, dtype=np.float64), dtype=np.float32)
    away = np.asarray((draws - mean).reshape(len(draws), -1), dtype=np.float64)
    return np.nan_to_num(away)


def _along(vectors: NDArray[np.float64], draws: Array) -> NDArray[np.float64]:
    """Return combinations of the draws around their mean, one for each vector."""
    images = vectors @ _centred(draws)
    return np.asarray(images.reshape(len(vectors), *draws.shape[1:]))


def more_draws(n_draws: int, relative: float) -> int:
    """Return how many draws beyond ``n_draws`` give a std map an error of ``relative`` of it."""
    if not 0 < relative < 1:
        raise ValueError(f"relative is {relative}; give a share between 0 and 1, such as 0.05")
    return max(math.ceil(1 + 1 / (2 * relative**2)) - n_draws, 0)
