"""A parameter's range, unit and meaning, declared once beside its type.

``Annotated[float, Knob(0, inf, unit="ADU", about="read noise")]`` is read by validation, by the
form of a widget, by the command line and by the reference pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np


@dataclass(frozen=True)
class Knob:
    """Lowest and highest allowed value, inclusive unless ``above`` is set; unit; meaning.

    ``methods`` names the methods that read it; all, where it is empty.
    """

    low: float
    high: float
    unit: str = ""
    about: str = ""
    above: bool = False
    methods: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> None:
        """Raise a ``ValueError`` of one sentence where ``value``, or any element, is outside."""
        try:
            if np.asarray(value).dtype.kind == "b":
                raise TypeError
            values = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name} is {value!r}; give {self.wanted()}") from None
        low = values > self.low if self.above else values >= self.low
        fits = low & (values <= self.high)
        if not fits.all() or not values.size:
            found = values[~fits].flat[0] if values.size else "empty"
            raise ValueError(f"{name} is {found}; give {self.wanted()}")

    def wanted(self) -> str:
        """Return what is allowed, in words."""
        unit = f" ({self.unit})" if self.unit else ""
        if not np.isfinite([self.low, self.high]).any():
            return f"a finite number{unit}"
        if not np.isfinite(self.high):
            return f"a finite number {'above' if self.above else 'of at least'} {self.low:g}{unit}"
        if self.above:
            return f"a number above {self.low:g}, at most {self.high:g}{unit}"
        return f"a number from {self.low:g} to {self.high:g}{unit}"

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Let pydantic refuse what :meth:`check` refuses."""
        return _after(handler(source), lambda value: self.check("it", value))


@dataclass(frozen=True)
class Choice:
    """One of several words, each with its meaning.

    Attributes
    ----------
    options : callable
        Returns the words, each with what it means; asked late, so that declaring costs nothing.
    about : str
        What is chosen.
    empty : str
        What None means; where it is not empty, None is allowed.
    others : str
        What else may be given, such as "a path"; where it is empty, nothing else is allowed.
    methods : tuple of str
        That read it; all, where it is empty.
    """

    options: Callable[[], Mapping[str, str]]
    about: str = ""
    empty: str = ""
    others: str = ""
    methods: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> None:
        """Raise a ``ValueError`` of one sentence where ``value`` is not among the options."""
        if value is None and self.empty:
            return
        if not self.others and (not isinstance(value, str) or value not in self.options()):
            raise ValueError(f"{name} is {value!r}; give {self.wanted()}")

    def wanted(self) -> str:
        """Return what is allowed, in words."""
        words = ", ".join([*self.options(), *filter(None, [self.others])])
        return f"one of {words}" + (f", or nothing for {self.empty}" if self.empty else "")

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Let pydantic refuse what :meth:`check` refuses."""
        return _after(handler(source), lambda value: self.check("it", value))


class Checked:
    """A dataclass whose declared parameters are checked when it is made."""

    def __post_init__(self) -> None:
        """Raise a ``ValueError`` of one sentence where a parameter is outside its range.

        None is allowed where it is the default.
        """
        for name, declared in knobs(type(self)).items():
            value = getattr(self, name)
            if value is not None or getattr(type(self), name, ...) is not None:
                declared.check(name, value)


def knobs(kind: type, method: str = "") -> dict[str, Knob | Choice]:
    """Return the declared parameters of a class by name, in the order of its fields.

    With a method, only those that it reads.
    """
    return {
        name: declared
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for declared in getattr(hint, "__metadata__", ())
        if isinstance(declared, (Knob, Choice))
        and (not method or not declared.methods or method in declared.methods)
    }


def _after(schema: Any, check: Callable[[Any], None]) -> Any:
    from pydantic_core.core_schema import no_info_after_validator_function

    def checked(value: Any) -> Any:
        if value is not None:
            check(value)
        return value

    return no_info_after_validator_function(checked, schema)
