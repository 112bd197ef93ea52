"""Readings in words, in rows and as a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_credible.answers import Profile, Quantity, Reading

# Digits of the spread that are shown: more would be noise.
_DIGITS = 2
# float32 comes back to the last digit.
_ALL = ".9g"


def shown(value: float, spread: float) -> str:
    """Return a number as far as its spread says something.

    Examples
    --------
    >>> shown(1234.5678, 0.32)
    '1234.57'
    >>> shown(1234.5678, 45.0)
    '1235'
    """
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(spread) or spread <= 0:
        return f"{value:.4g}"
    decimals = _DIGITS - 1 - math.floor(math.log10(spread))
    if decimals > 8 or abs(value) >= 1e9:
        return f"{value:.4g}"
    return f"{value:.{max(decimals, 0)}f}"


def with_unit(number: str, unit: str) -> str:
    """Return a number with its unit, if it has one."""
    return f"{number} {unit}" if unit else number


def interval(quantity: Quantity) -> str:
    """Return the interval of a quantity."""
    low, high = (shown(bound, quantity.std) for bound in (quantity.lower, quantity.upper))
    return f"{low} … {high}"


def probability(share: float, error: float) -> str:
    """Return a probability with its standard error, as far as that says something.

    Examples
    --------
    >>> probability(0.9375, 0.06)
    '0.94 ± 0.06'
    """
    if not math.isfinite(error):
        return f"{share:.3f}"
    decimals = 2 if not error or error >= 0.01 else 3
    return f"{share:.{decimals}f} ± {error:.{decimals}f}"


def line(quantity: Quantity) -> str:
    """Return one quantity in one line of words."""
    words = [
        f"{quantity.name} {with_unit(shown(quantity.estimate, quantity.std), quantity.unit)}",
        f"{quantity.level:.4g} interval {interval(quantity)}",
        f"input {shown(quantity.measured, quantity.std)}",
    ]
    if quantity.threshold is not None:
        words.append(
            f"above {quantity.threshold:g} with probability "
            f"{probability(quantity.above, quantity.above_error)}"
        )
    return ", ".join(words)


def csv(reading: Reading, about: Mapping[str, Any]) -> str:
    """Return a reading as a table of comma-separated values, all digits kept.

    Lines that begin with # say what was read and in what; then each line is one draw with the
    value of each quantity, or one place along a line.

    Parameters
    ----------
    reading : Reading
        What is shown.
    about : mapping of str
        Where it comes from; one comment line each.
    """
    comments = [reading.title, *(f"{name}: {value}" for name, value in about.items())]
    comments += [reading.headline] if reading.headline else []
    comments += [*reading.notes]
    if reading.profile is not None:
        rows = _of_profile(reading.profile)
    else:
        comments += [_summary(quantity) for quantity in reading.quantities]
        rows = _of_draws(reading.quantities)
    return "\n".join([*(f"# {comment}" for comment in comments), *rows, ""])


def _summary(quantity: Quantity) -> str:
    numbers = {
        "estimate": quantity.estimate,
        "std": quantity.std,
        f"lower {quantity.level:.6g}": quantity.lower,
        f"upper {quantity.level:.6g}": quantity.upper,
        "input": quantity.measured,
    }
    if quantity.threshold is not None:
        numbers[f"probability above {quantity.threshold:.9g}"] = quantity.above
        numbers["its standard error"] = quantity.above_error
    words = "; ".join(f"{name} {value:{_ALL}}" for name, value in numbers.items())
    return f"{_titled(quantity.name, quantity.unit)}: {words}"


def _of_draws(quantities: tuple[Quantity, ...]) -> list[str]:
    kept = [quantity for quantity in quantities if quantity.draws is not None]
    if not kept:
        return []
    rows = [",".join(["draw", *(_titled(q.name, q.unit) for q in kept)])]
    columns = [q.draws for q in kept if q.draws is not None]
    for number, values in enumerate(zip(*columns, strict=True)):
        rows.append(",".join([str(number), *(_exact(v) for v in values)]))
    return rows


def _of_profile(profile: Profile) -> list[str]:
    named = {
        _titled("distance", profile.distance_unit): profile.distance,
        _titled("input", profile.unit): profile.measured,
        _titled("mean", profile.unit): profile.estimate,
        _titled(f"lower {profile.level:.6g}", profile.unit): profile.lower,
        _titled(f"upper {profile.level:.6g}", profile.unit): profile.upper,
    }
    rows = [",".join(named)]
    rows += [",".join(_exact(v) for v in values) for values in zip(*named.values(), strict=True)]
    return rows


def _titled(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _exact(value: Any) -> str:
    return f"{value:{_ALL}}" if np.asarray(value).dtype == np.float32 else repr(float(value))
