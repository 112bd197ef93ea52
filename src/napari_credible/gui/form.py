"""Form fields drawn from declared parameters: range, unit and meaning are written once."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget

from napari_credible.knob import Choice, Knob, knobs

# What a spin box of Qt can hold.
_LARGEST, _LARGEST_INT = 1e9, 2**31 - 1
_DECIMALS = 4


def field(name: str, declared: Knob | Choice, value: Any) -> ValueWidget:
    """Return the widget of one parameter.

    Parameters
    ----------
    name : str
        Of the parameter; shown with spaces.
    declared : Knob or Choice
        Its range or its words.
    value : float, int, str or None
        To begin with. None makes a field that may stay empty.
    """
    label = name.replace("_", " ")
    tip = f"{declared.about[:1].upper()}{declared.about[1:]}"
    if isinstance(declared, Choice):
        words = declared.options()
        first: list[tuple[str, str | None]] = [(declared.empty, None)] if declared.empty else []
        box = ComboBox(
            label=label, choices=[*first, *((w, w) for w in words)], value=value, tooltip=tip
        )
        for place, meaning in enumerate(words.values(), start=len(first)):
            box.native.setItemData(place, meaning, _TOOLTIP_ROLE)
        return box
    if value is None:
        return LineEdit(label=label, value="", tooltip=tip, nullable=True)
    shown = f"{label} ({declared.unit})" if declared.unit else label
    if isinstance(value, int):
        most = int(min(declared.high, _LARGEST_INT))
        return SpinBox(label=shown, value=value, min=int(declared.low), max=most, tooltip=tip)
    low, high = max(declared.low, -_LARGEST), min(declared.high, _LARGEST)
    # What is small is shown with two digits, and goes by halves of itself.
    small = 0 < abs(value) < 10.0**-_DECIMALS * 10
    box = FloatSpinBox(
        label=shown, min=low, max=high, step=value / 2 if small else 0.1, tooltip=tip
    )
    box.native.setDecimals(_DECIMALS + 3 if small else _DECIMALS)
    box.value = value
    return box


def fields(kind: type, values: dict[str, Any], method: str = "") -> dict[str, ValueWidget]:
    """Return the widgets of a class's declared parameters by name; ``values`` to begin with.

    With a method, only of those that it reads.
    """
    declared = knobs(kind, method)
    return {name: field(name, each, values[name]) for name, each in declared.items()}


def values(widgets: dict[str, ValueWidget]) -> dict[str, Any]:
    """Return what the widgets hold; an empty line is None, a written number a float.

    Raises
    ------
    ValueError
        One sentence, where a line that wants a number holds something else.
    """
    return {name: _value(name, widget) for name, widget in widgets.items()}


def _value(name: str, widget: ValueWidget) -> Any:
    if not isinstance(widget, LineEdit):
        return widget.value
    text = (widget.value or "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"{name} is {text!r}; give a number, or leave it empty") from None


# Qt.ItemDataRole.ToolTipRole
_TOOLTIP_ROLE = 3
