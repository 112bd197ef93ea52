"""A posterior of which only the maps are kept, so that any number of draws fits into memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible import bounds
from napari_credible.posterior import Posterior, more_draws

Array = NDArray[np.float32]


class Streamed:
    """Mean, spread, one credible interval and one exceedance, updated draw by draw.

    The interval equals that of the kept draws: of each pixel the few smallest and largest draws
    are kept that it needs. Stopped early, the maps are those of the draws so far.

    Parameters
    ----------
    shape : tuple of int
        Of one draw.
    n_draws : int
        Planned; the memory is that of ``2 bounds.kept(level, n_draws) + 5`` images in float32.
    level : float
        Of the interval.
    threshold : float, optional
        Of the exceedance, image units.
    lowest : float or ndarray
        No clean value lies below it.
    widen : float
        Factor on both sides of the interval, from a calibration.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        n_draws: int,
        level: float = 0.9,
        threshold: float | None = None,
        lowest: float | NDArray[np.floating[Any]] = -math.inf,
        widen: float = 1.0,
    ) -> None:
        count = bounds.kept(level, n_draws)
        self.n_draws = 0
        self.level, self.threshold = level, threshold
        self.lowest, self.widen = lowest, widen
        self._mean = np.zeros(shape, dtype=np.float64)
        self._squares = np.zeros(shape, dtype=np.float64)
        self._above = np.zeros(shape, dtype=np.int32)
        self._smallest = np.full((count, *shape), np.inf, dtype=np.float32)
        self._largest = np.full((count, *shape), -np.inf, dtype=np.float32)

    def add(self, draw: NDArray[np.floating[Any]]) -> None:
        """Take one more draw (..., Y, X)."""
        draw = np.asarray(draw, dtype=np.float32)
        self.n_draws += 1
        self._rise(draw)
        _push(self._smallest, draw, np.minimum, np.maximum)
        _push(self._largest, draw, np.maximum, np.minimum)
        if self.threshold is not None:
            self._above += draw > self.threshold

    def _rise(self, draw: Array) -> None:
        """Update mean and squares around it, without the loss of a plain sum of squares [1]_.

        References
        ----------
        .. [1] B. P. Welford, "Note on a method for calculating corrected sums of squares and
           products", Technometrics 4 (1962) 419-420.
        """
        away = draw - self._mean
        self._mean += away / self.n_draws
        self._squares += away * (draw - self._mean)

    @property
    def mean(self) -> Array:
        """Mean of the draws so far."""
        return self._mean.astype(np.float32)

    @property
    def std(self) -> Array:
        """Standard deviation of the draws so far (divided by n - 1)."""
        self._enough()
        return np.asarray(np.sqrt(self._squares / (self.n_draws - 1)), dtype=np.float32)

    def interval(self, level: float | None = None) -> tuple[Array, Array]:
        """Return the bounds of the credible interval; see :meth:`Posterior.interval`.

        Raises
        ------
        ValueError
            For a narrower interval than the one that was planned: its draws were not kept.
        """
        self._enough()
        level = self.level if level is None else level
        if bounds.kept(level, self.n_draws) > len(self._smallest):
            raise ValueError(
                f"only what an interval of {self.level:g} needs was kept, and {level:g} needs more "
                f"draws; ask for at least {self.level:g}, or keep the draws"
            )
        about = bounds.About(self.mean, self.std, self.n_draws, self.lowest, self.widen)
        return bounds.interval(self._smallest, self._largest, about, level)

    def exceedance(self, threshold: float | None = None) -> Array:
        """Return the share of draws above the threshold that was planned."""
        self._enough()
        if self.threshold is None or threshold not in (None, self.threshold):
            raise ValueError(
                f"the threshold {threshold} was not counted while sampling (it was "
                f"{self.threshold}); sample with it, or keep the draws"
            )
        share = np.asarray(self._above / self.n_draws, dtype=np.float32)
        return np.where(np.isnan(self._smallest[0]), np.float32(np.nan), share)

    def exceedance_error(self, threshold: float | None = None) -> Array:
        """Return the standard error of :meth:`exceedance`."""
        return bounds.share_error(self.exceedance(threshold), self.n_draws)

    @property
    def mean_error(self) -> Array:
        """Monte-Carlo standard error of :attr:`mean`."""
        return self.std / np.float32(math.sqrt(self.n_draws))

    @property
    def std_error(self) -> Array:
        """Monte-Carlo standard error of :attr:`std`, for draws that are nearly normal."""
        return self.std / np.float32(math.sqrt(2 * (self.n_draws - 1)))

    def more_draws(self, relative: float = 0.05) -> int:
        """Return how many more draws bring the std map's own error to ``relative`` of it."""
        return more_draws(self.n_draws, relative)

    def __getattr__(self, name: str) -> Any:
        """Say why a question of :class:`Posterior` has no answer here."""
        if hasattr(Posterior, name) or name == "draws":
            raise AttributeError(
                f"no {name}: only the maps were kept, not the draws; sample again with "
                "keep='draws' to ask for other levels, regions or components"
            )
        raise AttributeError(name)

    def mapped(self, cut: Callable[[NDArray[Any]], NDArray[Any]]) -> Streamed:
        """Return the same maps of a part of the image.

        Parameters
        ----------
        cut : callable
            Takes an array (..., *image) and returns the part of it.
        """
        part = copy(self)
        if np.ndim(self.lowest):
            part.lowest = cut(np.broadcast_to(self.lowest, self._mean.shape))
        for name in ("_mean", "_squares", "_above", "_smallest", "_largest"):
            setattr(part, name, cut(getattr(self, name)))
        return part

    def widened(self, factor: float) -> Streamed:
        """Return the same maps with another factor on both sides of the interval."""
        other = copy(self)
        other.widen = factor
        return other

    def posterior(self) -> Streamed:
        """Return itself."""
        return self

    def _enough(self) -> None:
        if self.n_draws < 2:
            raise ValueError(f"{self.n_draws} draws have no spread yet; let it run for two")


def _push(kept: Array, draw: Array, nearer: np.ufunc, farther: np.ufunc) -> None:
    """Insert a draw into the sorted extremes of each pixel; the least extreme falls out."""
    for slot in kept:
        out = farther(slot, draw)
        nearer(slot, draw, out=slot)
        draw = out
