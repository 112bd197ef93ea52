"""A parameter's range, unit and meaning, declared once beside its type.

``Annotated[float, Knob(0, inf, unit="ADU", about="read noise")]`` is read by validation, by the
form of a widget, by the command line and by the reference pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Knob:
    """Lowest and highest allowed value, inclusive unless ``above`` is set; unit; meaning."""

    low: float
    high: float
    unit: str = ""
    about: str = ""
    above: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise a ``ValueError`` of one sentence where ``value``, or any element, is outside."""
        try:
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
        unit = f" {self.unit}" if self.unit else ""
        if not np.isfinite([self.low, self.high]).any():
            return f"a finite number{unit}"
        if not np.isfinite(self.high):
            return f"a finite number{unit} {'above' if self.above else 'of at least'} {self.low:g}"
        return f"a number{unit} from {self.low:g} to {self.high:g}"
