"""Answers about a posterior: numbers and profiles with their spread, and what must be said."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.posterior import Posterior

Floats = NDArray[np.floating[Any]]
NO_DRAWS = "Only the maps were kept, not the draws: sample again with keep='draws' for this spread."


@dataclass(frozen=True)
class Question:
    """Which interval, and above what.

    Attributes
    ----------
    level : float, 0 to 1, excluded
        Probability of the credible interval.
    threshold : float, optional, image units
        Whose exceedance is asked.
    """

    level: float = 0.9
    threshold: float | None = None

    def without_threshold(self) -> Question:
        """Return the same question without its threshold."""
        return replace(self, threshold=None)


@dataclass(frozen=True, eq=False)
class Answered:
    """The maps that answer one question.

    Attributes
    ----------
    question : Question
        Another one has no answer here.
    mean, std, lower, upper, above, above_error : ndarray, shape (..., Y, X)
        Of each pixel.
    """

    question: Question
    mean: Floats
    std: Floats
    lower: Floats
    upper: Floats
    above: Floats
    above_error: Floats

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Return the bounds that were asked for."""
        assert level == self.question.level
        return self.lower, self.upper

    def exceedance(self, threshold: float) -> Floats:
        """Return the probability that was asked for."""
        assert threshold == self.question.threshold
        return self.above

    def exceedance_error(self, threshold: float) -> Floats:
        """Return its standard error."""
        assert threshold == self.question.threshold
        return self.above_error

    def mapped(self, cut: Callable[[Floats], Floats]) -> Answered:
        """Return the maps of a part of the image."""
        maps = (self.mean, self.std, self.lower, self.upper, self.above, self.above_error)
        return Answered(self.question, *map(cut, maps))


@dataclass(frozen=True, eq=False)
class Quantity:
    """One number that the image has, and what is known of it.

    Attributes
    ----------
    name, unit : str
        Such as "mean" and "ADU".
    estimate, std, lower, upper : float
        Mean, spread and credible interval; NaN where the draws would be needed and were not kept.
    measured : float
        The same number of the input.
    level : float
        Of the interval.
    threshold : float or None
        Of the exceedance.
    above, above_error : float
        Probability of lying above it, and its standard error.
    draws : ndarray, shape (n_draws,), or None
        The number in each draw.
    """

    name: str
    unit: str
    estimate: float
    std: float
    lower: float
    upper: float
    measured: float
    level: float
    threshold: float | None = None
    above: float = math.nan
    above_error: float = math.nan
    draws: Floats | None = None


@dataclass(frozen=True, eq=False)
class Profile:
    """Values along a line.

    Attributes
    ----------
    distance : ndarray, shape (n,), ``distance_unit``
        From the line's start.
    posterior : Posterior of shape (n_draws, n)
        Of the values.
    estimate, lower, upper, measured : ndarray, shape (n,), ``unit``
        Mean, credible interval, and the input's values.
    level : float
        Of the interval.
    unit, distance_unit : str
        Of values and distance.
    """

    distance: Floats
    posterior: Posterior
    estimate: Floats
    lower: Floats
    upper: Floats
    measured: Floats
    level: float
    unit: str
    distance_unit: str


@dataclass(frozen=True, eq=False)
class Reading:
    """An answer: numbers or a profile, and what must be said of them.

    Attributes
    ----------
    title : str
        Of what.
    quantities : tuple of Quantity
        None of a line.
    notes : tuple of str
        Sentences.
    headline : str
        The answer in one sentence, where there is one.
    profile : Profile, optional
        Of a line.
    """

    title: str
    quantities: tuple[Quantity, ...] = ()
    notes: tuple[str, ...] = ()
    headline: str = ""
    profile: Profile | None = None


def of_draws(name: str, unit: str, draws: Floats, measured: float, question: Question) -> Quantity:
    """Return what draws of one number say of it."""
    posterior = Posterior(draws)
    lower, upper = posterior.interval(question.level)
    above, error = above_of(posterior, question.threshold)
    return Quantity(
        name,
        unit,
        float(posterior.mean),
        float(posterior.std),
        float(lower),
        float(upper),
        measured=measured,
        level=question.level,
        threshold=question.threshold,
        above=float(above),
        above_error=float(error),
        draws=posterior.draws,
    )


def above_of(posterior: Any, threshold: float | None) -> tuple[Floats, Floats]:
    """Return the exceedance of a posterior and its standard error; NaN without a threshold."""
    nothing = np.full(posterior.mean.shape, np.nan)
    if threshold is None:
        return nothing, nothing
    # Without draws there is nothing by chance in it.
    error = getattr(posterior, "exceedance_error", lambda _: nothing)
    return posterior.exceedance(threshold), error(threshold)


def or_why(
    asked: Callable[[], tuple[Floats, Floats]], like: Floats
) -> tuple[tuple[Floats, Floats], tuple[str, ...]]:
    """Return two maps, or NaN and the sentence why they cannot be told."""
    try:
        return asked(), ()
    except ValueError as why:
        nothing = np.full(like.shape, np.nan)
        sentence = str(why)
        return (nothing, nothing), (f"{sentence[:1].upper()}{sentence[1:]}.",)
