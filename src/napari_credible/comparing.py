"""What a posterior says of two shapes side by side."""

from __future__ import annotations

import math
from dataclasses import replace

from napari_credible.answers import NO_DRAWS, Quantity, Question, Reading, of_draws
from napari_credible.readings import Inside, Steps, measured_in
from napari_credible.section import Section
from napari_credible.shapes import Shape


def comparison(section: Section, a: Shape, b: Shape, question: Question) -> Steps:
    """Return the probability that shape A is brighter than B, and the posterior of the ratio.

    Both means are taken in each draw, so that what the draws share drops out. The ratio is that
    of the light above the noise model's offset, where it has one.
    """
    if not section.has_draws:
        raise ValueError(f"{a.name} and {b.name} cannot be compared. {NO_DRAWS}")
    one = yield from measured_in(section, a, None)
    two = yield from measured_in(section, b, None)
    plain = question.without_threshold()
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
        f"{a.name} against {b.name}{section.where}",
        (*ratio, difference, *means),
        (*one.notes, *two.notes, note),
        f"{a.name} is brighter than {b.name} with probability "
        f"{difference.above:.2f} ± {difference.above_error:.2f}",
    )


def _ratio(
    one: Inside, two: Inside, name: str, question: Question
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
