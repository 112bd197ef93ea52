"""What a posterior says of a pixel, a shape, a line, or of two shapes side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.flags import SENTENCES, Flag
from napari_credible.planes import Progress
from napari_credible.posterior import Posterior
from napari_credible.section import Section
from napari_credible.shapes import Shape

Floats = NDArray[np.floating[Any]]
Steps = Generator[Progress, None, Any]
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


def pixel(section: Section, row: int, column: int, question: Question) -> Reading:
    """Return what is known of one pixel.

    Parameters
    ----------
    section : Section
        Only the draws at the pixel and at one beside it are read.
    row, column : int
        Inside the section.
    question : Question
        Level and threshold.

    Notes
    -----
    Where only maps were kept, what they do not answer is NaN, and a note says why.
    """
    rows, columns = slice(row, row + 1), slice(column, column + 1)
    wide, k = _two(section, column)
    here, notes = section.part(rows, wide), _doubts(section.doubts(rows, columns))
    (lower, upper), narrow = _or_why(lambda: here.interval(question.level), here.mean)
    (above, error), uncounted = _or_why(lambda: _above(here, question.threshold), here.mean)
    notes = (*notes, *narrow, *uncounted)
    quantity = Quantity(
        "value",
        section.unit,
        *(float(found[0, k]) for found in (here.mean, here.std, lower, upper)),
        measured=float(section.input(rows, columns)[0, 0]),
        level=question.level,
        threshold=question.threshold,
        above=float(above[0, k]),
        above_error=float(error[0, k]),
        draws=here.draws[:, 0, k] if section.has_draws else None,
    )
    if not section.has_draws:
        notes = (*notes, NO_DRAWS.replace("this spread", "their histogram"))
    return Reading(f"pixel (row {row}, column {column})", (quantity,), notes)


def _two(section: Section, column: int) -> tuple[slice, int]:
    """Return two columns and which of them is asked for.

    numpy adds the numbers of a lone pixel in another order than those of one in an image.
    """
    first = section.everything()[1].start
    start = column - 1 if column > first else column
    return slice(start, min(start + 2, first + section.sides[1])), column - start


def _above(posterior: Any, threshold: float | None) -> tuple[Floats, Floats]:
    if threshold is None:
        nothing = np.full(posterior.mean.shape, np.nan)
        return nothing, nothing
    return posterior.exceedance(threshold), posterior.exceedance_error(threshold)


def _or_why(
    asked: Callable[[], tuple[Floats, Floats]], like: Floats
) -> tuple[tuple[Floats, Floats], tuple[str, ...]]:
    """Return two maps, or NaN and the sentence why they cannot be told."""
    try:
        return asked(), ()
    except ValueError as why:
        nothing = np.full(like.shape, np.nan)
        sentence = str(why)
        return (nothing, nothing), (f"{sentence[:1].upper()}{sentence[1:]}.",)


def _doubts(flags: NDArray[np.uint8]) -> tuple[str, ...]:
    found = int(np.bitwise_or.reduce(flags, axis=None))
    return tuple(f"{flag.name}: {SENTENCES[flag]}." for flag in Flag if found & flag)


def shape(section: Section, drawn: Shape, question: Question, width: int = 1) -> Steps:
    """Return what is known of a shape: mean, sum, maximum, area above; or of a line its profile.

    Yields
    ------
    Progress
        After each draw.
    """
    if drawn.is_line:
        return (yield from profile(section, drawn, question, width))
    return (yield from region(section, drawn, question))


def region(section: Section, drawn: Shape, question: Question) -> Steps:
    """Return mean, sum, maximum, and the area above the threshold, of what a shape holds.

    Each is computed in every draw, so that the spread has in it how pixels go together. Pixels
    in which nothing was drawn, being saturated or not finite, are left out.
    """
    found = yield from _measured_in(section, drawn, question.threshold)
    count = int(found.mask.sum())
    title = f"{drawn.name}: {drawn.kind} of {count} pixel{'s' if count > 1 else ''}"
    names = ("mean", "sum", "maximum", f"area above {question.threshold or 0:g}")
    units = (section.unit, section.unit, section.unit, "pixels")
    asked = 4 if question.threshold is not None else 3
    if found.draws is None:
        quantities = [
            Quantity(name, unit, value, *[math.nan] * 3, measured=measured, level=question.level)
            for name, unit, value, measured in zip(
                names[:2], units, found.estimate, found.measured, strict=False
            )
        ]
        return Reading(title, tuple(quantities), (*found.notes, NO_DRAWS))
    quantities = [
        of_draws(name, unit, draws, measured, _without_threshold(question, number == 3))
        for number, (name, unit, draws, measured) in enumerate(
            zip(names[:asked], units, found.draws, found.measured, strict=False)
        )
    ]
    return Reading(title, tuple(quantities), found.notes)


def _without_threshold(question: Question, yes: bool = True) -> Question:
    return replace(question, threshold=None) if yes else question


def of_draws(name: str, unit: str, draws: Floats, measured: float, question: Question) -> Quantity:
    """Return what draws of one number say of it."""
    posterior = Posterior(draws)
    lower, upper = posterior.interval(question.level)
    above, error = _above(posterior, question.threshold)
    return Quantity(
        name,
        unit,
        *(float(found) for found in (posterior.mean, posterior.std, lower, upper)),
        measured=measured,
        level=question.level,
        threshold=question.threshold,
        above=float(above),
        above_error=float(error),
        draws=posterior.draws,
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """Mean, sum, maximum and area of a shape: of each draw, of the maps, of the input."""

    mask: NDArray[np.bool_]
    draws: tuple[Floats, ...] | None
    estimate: tuple[float, float]
    measured: tuple[float, ...]
    notes: tuple[str, ...]
    offset: float


def _measured_in(section: Section, drawn: Shape, threshold: float | None) -> Steps:
    """Ask one draw after another; a large region of many draws does not fit into memory."""
    rows, columns = drawn.box(section.sides)
    mask = drawn.mask(rows, columns)
    mask, notes = _drawn_in(section, rows, columns, mask, drawn.name)
    above = math.inf if threshold is None else threshold
    draws, estimate = None, (math.nan, math.nan)
    if section.has_draws:
        found = []
        for number, draw in enumerate(section.each_draw(rows, columns)):
            yield Progress(number, section.posterior.n_draws, f"looking at {drawn.name}")
            found.append(_numbers(draw[mask], above))
        draws = tuple(np.stack(each) for each in zip(*found, strict=True))
    else:
        yield Progress(0, 1, f"looking at {drawn.name}")
        estimate = _numbers(section.part(rows, columns).mean[mask], above)[:2]
    measured = _numbers(section.input(rows, columns)[mask], above)
    lowest = np.broadcast_to(section.lowest(rows, columns), mask.shape)[mask]
    offset = float(lowest.mean(dtype=np.float64))
    return _Measured(mask, draws, estimate, tuple(map(float, measured)), notes, offset)


def _numbers(values: NDArray[Any], threshold: float) -> tuple[Any, ...]:
    """Return mean, sum, maximum and number above; as the methods of Posterior do."""
    return (
        values.mean(dtype=np.float64),
        values.sum(dtype=np.float64),
        values.max(),
        np.float64(np.count_nonzero(values > threshold)),
    )


def _drawn_in(
    section: Section, rows: slice, columns: slice, mask: NDArray[np.bool_], name: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return which pixels of a mask have draws, and a sentence on those that have none."""
    doubts = section.doubts(rows, columns)
    none = mask & (doubts & np.uint8(Flag.NOT_FINITE | Flag.SATURATED) > 0)
    left_out = int(none.sum())
    kept = mask & ~none
    if not kept.any():
        raise ValueError(
            f"{name} holds only pixels that are saturated or not finite; nothing was drawn there"
        )
    if not left_out:
        return kept, ()
    return kept, (f"{left_out} of its pixels are saturated or not finite, and left out.",)


def profile(section: Section, drawn: Shape, question: Question, width: int = 1) -> Steps:
    """Return the values along a line or a path, about one a pixel, interpolated linearly."""
    if not section.has_draws:
        raise ValueError(f"{drawn.name} has no profile. {NO_DRAWS}")
    rows, columns = _around(drawn, section, width)
    yield Progress(0, 1, f"looking at {drawn.name}")
    whole = Posterior(section.draws(rows, columns))
    measured = Posterior(np.stack([section.input(rows, columns).astype(np.float64)] * 2))
    corners = drawn.corners - (rows.start, columns.start)
    distances, draws, inputs, start = [], [], [], 0.0
    for first, last in zip(corners[:-1], corners[1:], strict=True):
        yield Progress(0, 1, f"looking at {drawn.name}")
        ends = tuple(first), tuple(last)
        draws.append(whole.profile(*ends, width).draws)
        inputs.append(measured.profile(*ends, width).draws[0])
        length = math.hypot(*((last - first) * section.pixel))
        distances.append(start + np.linspace(0, length, draws[-1].shape[1]))
        start += length
    return Reading(
        f"{drawn.name}: {drawn.kind} of {start:.4g} {section.pixel_unit}",
        profile=_profile(distances, draws, inputs, section, question),
    )


def _profile(
    distances: list[Floats],
    draws: list[Floats],
    inputs: list[Floats],
    section: Section,
    question: Question,
) -> Profile:
    """Join the pieces of a path; each but the first begins where the last one ended."""
    keep = [slice(0, None), *[slice(1, None)] * (len(draws) - 1)]
    posterior = Posterior(np.concatenate([d[:, k] for d, k in zip(draws, keep, strict=True)], 1))
    lower, upper = posterior.interval(question.level)
    return Profile(
        np.concatenate([d[k] for d, k in zip(distances, keep, strict=True)]),
        posterior,
        posterior.mean,
        lower,
        upper,
        np.concatenate([i[k] for i, k in zip(inputs, keep, strict=True)]),
        question.level,
        section.unit,
        section.pixel_unit,
    )


def _around(drawn: Shape, section: Section, width: int) -> tuple[slice, slice]:
    """Return the whole plane where that costs nothing, else what the line may touch."""
    box = drawn.box(section.sides)
    if section.at_hand:
        return section.everything()
    return tuple(  # type: ignore[return-value]
        slice(max(part.start - width, 0), min(part.stop + width, side))
        for part, side in zip(box, section.sides, strict=True)
    )


def comparison(section: Section, a: Shape, b: Shape, question: Question) -> Steps:
    """Return the probability that shape A is brighter than B, and the posterior of the ratio.

    Both means are taken in each draw, so that what the draws share drops out. The ratio is that
    of the light above the noise model's offset, where it has one.
    """
    if not section.has_draws:
        raise ValueError(f"{a.name} and {b.name} cannot be compared. {NO_DRAWS}")
    one = yield from _measured_in(section, a, None)
    two = yield from _measured_in(section, b, None)
    plain = _without_threshold(question)
    difference = of_draws(
        f"{a.name} − {b.name}", section.unit, one.draws[0] - two.draws[0],
        one.measured[0] - two.measured[0], replace(question, threshold=0.0),
    )  # fmt: skip
    ratio, note = _ratio(one, two, f"{a.name} / {b.name}", plain)
    means = [
        of_draws(f"mean of {each.name}", section.unit, m.draws[0], m.measured[0], plain)
        for each, m in ((a, one), (b, two))
    ]
    return Reading(
        f"{a.name} against {b.name}",
        (*ratio, difference, *means),
        (*one.notes, *two.notes, note),
        f"{a.name} is brighter than {b.name} with probability "
        f"{difference.above:.2f} ± {difference.above_error:.2f}",
    )


def _ratio(
    one: _Measured, two: _Measured, name: str, question: Question
) -> tuple[tuple[Quantity, ...], str]:
    """Return the ratio of two means above their offsets, if the lower one is always there."""
    assert one.draws is not None
    assert two.draws is not None
    known = math.isfinite(one.offset) and math.isfinite(two.offset)
    offsets = (one.offset, two.offset) if known else (0.0, 0.0)
    above, below = one.draws[0] - offsets[0], two.draws[0] - offsets[1]
    if (below <= 0).any():
        return (), f"No ratio: in some draws the second is not above {offsets[1]:g}."
    dark = two.measured[0] - offsets[1]
    measured = (one.measured[0] - offsets[0]) / dark if dark > 0 else math.nan
    note = (
        f"Ratio of the light above the offset of {offsets[1]:.4g}."
        if known
        else "Ratio of the values as they are: the noise model knows no offset."
    )
    return (of_draws(name, "", above / below, measured, question),), note
