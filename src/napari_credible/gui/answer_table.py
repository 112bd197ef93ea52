"""An answer as rich text: the numbers, in the colours that the chart gives them."""

from __future__ import annotations

from html import escape

from napari_credible.answers import Profile, Quantity, Reading
from napari_credible.gui.answer_charts import DRAWS, INPUT, THRESHOLD
from napari_credible.gui.chart import Colours
from napari_credible.readout import interval, probability, shown, with_unit


def table_of(reading: Reading, colours: Colours) -> str:
    """Return what is known in rows: of one quantity below one another, of several side by side."""
    if reading.profile is not None:
        return _key_of_profile(reading.profile, colours)
    if len(reading.quantities) == 1:
        return _one(reading.quantities[0], colours)
    # The headline says what the threshold of a comparison is for.
    chances = "" if reading.headline else _chances(reading.quantities)
    return _several(reading.quantities, colours) + chances


def _one(quantity: Quantity, colours: Colours) -> str:
    unit = quantity.unit
    rows = [
        (_mark("┃", colours.text), "estimate", with_unit(_estimate(quantity), unit)),
        (
            _mark("▒", colours.curve(DRAWS).name()),
            f"{100 * quantity.level:.4g} % interval",
            with_unit(interval(quantity), unit),
        ),
        (
            _mark("┇", colours.curve(INPUT).name()),
            "input",
            with_unit(shown(quantity.measured, quantity.std), unit),
        ),
        (_mark("┋", colours.curve(THRESHOLD).name()), *_above(quantity)),
    ]
    cells = "".join(
        f"<tr><td>{mark}</td><td>{escape(name)}&nbsp;&nbsp;</td><td><b>{value}</b></td></tr>"
        for mark, name, value in rows
    )
    return f"<table cellspacing='1'>{cells}</table>"


def _estimate(quantity: Quantity) -> str:
    """Return the mean, and the spread of the draws around it."""
    number = shown(quantity.estimate, quantity.std)
    spread = shown(quantity.std, quantity.std)
    return number if spread == "–" else f"{number} ± {spread}"


def _above(quantity: Quantity) -> tuple[str, str]:
    if quantity.threshold is None:
        return "above a threshold", "type one"
    return f"above {quantity.threshold:g}", _chance(quantity)


def _chance(quantity: Quantity) -> str:
    if quantity.above != quantity.above:
        return "–"
    return f"P = {probability(quantity.above, quantity.above_error)}"


def _several(quantities: tuple[Quantity, ...], colours: Colours) -> str:
    level = f"{100 * quantities[0].level:.4g} % interval"
    heads = [
        "", "estimate", _mark("▒", colours.curve(DRAWS).name()) + level,
        _mark("┇", colours.curve(INPUT).name()) + "input",
    ]  # fmt: skip
    rows = [
        [
            escape(q.name),
            f"<b>{shown(q.estimate, q.std)}</b>",
            interval(q),
            shown(q.measured, q.std),
        ]
        for q in quantities
    ]
    body = "".join(_row(cells, "td") for cells in rows)
    return f"<table cellspacing='2'>{_row(heads, 'th')}{body}</table>"


def _row(cells: list[str], tag: str) -> str:
    inner = "".join(f"<{tag} align='left'>{cell}&nbsp;</{tag}>" for cell in cells)
    return f"<tr>{inner}</tr>"


def _chances(quantities: tuple[Quantity, ...]) -> str:
    """Return the probabilities of lying above the threshold in one line."""
    asked = [q for q in quantities if q.threshold is not None]
    if not asked:
        return ""
    words = ", ".join(f"{escape(q.name)} {_chance(q)}" for q in asked)
    return f"above {asked[0].threshold:g}: {words}"


def _key_of_profile(profile: Profile, colours: Colours) -> str:
    draws, measured = colours.curve(DRAWS).name(), colours.curve(INPUT).name()
    return (
        f"{_mark('━', draws)} mean &nbsp;&nbsp; {_mark('▒', draws)} {100 * profile.level:.4g} % "
        f"interval of each value &nbsp;&nbsp; {_mark('╍', measured)} input"
    )


def _mark(sign: str, colour: str) -> str:
    return f"<span style='color:{colour}'>{sign}</span>&nbsp;"
