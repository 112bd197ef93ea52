"""What a posterior says of a pixel, a shape or a line."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.answers import (
    NO_DRAWS,
    Floats,
    Profile,
    Quantity,
    Question,
    Reading,
    above_of,
    of_draws,
    or_why,
)
from napari_credible.flags import SENTENCES, Flag
from napari_credible.planes import Progress
from napari_credible.posterior import Posterior
from napari_credible.section import Section
from napari_credible.shapes import Shape

Steps = Generator[Progress, None, Any]
# Spread and bounds that need the draws.
_NOTHING = (math.nan, math.nan, math.nan)


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
    (lower, upper), narrow = or_why(lambda: here.interval(question.level), here.mean)
    (above, error), uncounted = or_why(lambda: above_of(here, question.threshold), here.mean)
    notes = (*notes, *narrow, *uncounted)
    quantity = Quantity(
        "value",
        section.unit,
        float(here.mean[0, k]),
        float(here.std[0, k]),
        float(lower[0, k]),
        float(upper[0, k]),
        measured=float(section.input(rows, columns)[0, 0]),
        level=question.level,
        threshold=question.threshold,
        above=float(above[0, k]),
        above_error=float(error[0, k]),
        draws=here.draws[:, 0, k] if section.has_draws else None,
    )
    if not section.has_draws:
        notes = (*notes, NO_DRAWS.replace("this spread", "their histogram"))
    title = f"pixel (row {row}, column {column}){section.where}"
    return Reading(title, (quantity,), notes)


def _two(section: Section, column: int) -> tuple[slice, int]:
    """Return two columns and which of them is asked for.

    numpy adds the numbers of a lone pixel in another order than those of one in an image.
    """
    first = section.everything()[1].start
    start = column - 1 if column > first else column
    return slice(start, min(start + 2, first + section.sides[1])), column - start


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
    found = yield from measured_in(section, drawn, question.threshold)
    count = int(found.mask.sum())
    title = f"{drawn.name}: {drawn.kind} of {count} pixel{'s' if count > 1 else ''}"
    if section.pixel_unit != "pixel":
        title += f", {count * math.prod(section.pixel):.4g} {section.pixel_unit}²"
    if found.draws is None:
        quantities = [
            Quantity(name, section.unit, estimate, *_NOTHING, measured, question.level)
            for name, estimate, measured in zip(
                ("mean", "sum"), found.estimate, found.measured[:2], strict=True
            )
        ]
        return Reading(title + section.where, tuple(quantities), (*found.notes, NO_DRAWS))
    plain, unit = question.without_threshold(), section.unit
    asked = [("mean", unit, question), ("sum", unit, plain), ("maximum", unit, question)]
    if question.threshold is not None:
        asked.append((f"area above {question.threshold:g}", "pixels", plain))
    quantities = [
        of_draws(name, unit, found.draws[k], found.measured[k], each)
        for k, (name, unit, each) in enumerate(asked)
    ]
    return Reading(title + section.where, tuple(quantities), found.notes)


@dataclass(frozen=True, eq=False)
class Inside:
    """Mean, sum, maximum and area of a shape: of each draw, of the maps, of the input."""

    mask: NDArray[np.bool_]
    draws: tuple[Floats, ...] | None
    estimate: tuple[float, float]
    measured: tuple[float, ...]
    notes: tuple[str, ...]
    offset: float


def measured_in(section: Section, drawn: Shape, threshold: float | None) -> Steps:
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
        estimate = _numbers(section.estimate(rows, columns)[mask], above)[:2]
    measured = _numbers(section.input(rows, columns)[mask], above)
    lowest = np.broadcast_to(section.lowest(rows, columns), mask.shape)[mask]
    offset = float(lowest.mean(dtype=np.float64))
    return Inside(mask, draws, estimate, tuple(map(float, measured)), notes, offset)


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
    for first, last in pairwise(corners):
        yield Progress(0, 1, f"looking at {drawn.name}")
        ends = tuple(first), tuple(last)
        draws.append(whole.profile(*ends, width).draws)
        inputs.append(measured.profile(*ends, width).draws[0])
        length = math.hypot(*((last - first) * section.pixel))
        distances.append(start + np.linspace(0, length, draws[-1].shape[1]))
        start += length
    unit = "pixels" if section.pixel_unit == "pixel" else section.pixel_unit
    return Reading(
        f"{drawn.name}: {drawn.kind} of {start:.4g} {unit}{section.where}",
        profile=_profile(distances, draws, inputs, section, question),
    )


def _profile(
    distances: Sequence[Floats],
    draws: Sequence[Floats],
    inputs: Sequence[Floats],
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
