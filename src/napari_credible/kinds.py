"""Methods by name: what a recipe, a command line or a caller writes, and the object it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from napari_credible.knob import knobs


def made_of(asked: Any, kinds: Mapping[str, type[Any]], noun: str) -> Any:
    """Return a method by name, by name and first number, or from its numbers.

    Parameters
    ----------
    asked : str or mapping
        "NAME", "NAME:NUMBER" (the number is that of the first field) or {"kind": "NAME", ...}.
    kinds : mapping of str to class
        The dataclasses of numbers, by name.
    noun : str
        What they are, for the sentence of an error.

    Raises
    ------
    ValueError
        One sentence, for an unknown name or number.
    """
    if isinstance(asked, str):
        name, _, number = asked.partition(":")
        kind = _known(name, kinds, noun)
        if not number:
            return kind()
        if not number.isdigit():
            raise ValueError(f"{noun} is {asked!r}; write {name} or {name}:NUMBER")
        return _made(kind, {fields(kind)[0].name: int(number)}, noun)
    if isinstance(asked, dict):
        numbers = dict(asked)
        return _made(_known(str(numbers.pop("kind", "")), kinds, noun), numbers, noun)
    raise ValueError(f"{noun} is {asked!r}; give one of {', '.join(kinds)}")


def spelled_in(method: Any, kinds: Mapping[str, type[Any]], noun: str) -> str | dict[str, Any]:
    """Return what :func:`made_of` makes the method from: its name where all is as usual."""
    kind = type(method)
    if kinds.get(getattr(kind, "kind", "")) is not kind:
        return f"custom:{kind.__qualname__}"
    if method == kind():
        return str(kind.kind)
    first = fields(kind)[0].name
    number = getattr(method, first)
    if isinstance(number, int) and method == _made(kind, {first: number}, noun):
        return f"{kind.kind}:{number}"
    return {"kind": kind.kind, **asdict(method)}


def _known(name: str, kinds: Mapping[str, type[Any]], noun: str) -> type[Any]:
    if name not in kinds:
        raise ValueError(f"there is no {noun} {name!r}; give one of {', '.join(kinds)}")
    return kinds[name]


def _made(kind: type[Any], numbers: dict[str, Any], noun: str) -> Any:
    declared = knobs(kind)
    unknown = sorted(set(numbers) - set(declared))
    if unknown:
        raise ValueError(
            f"{noun} {kind.kind} has no {', '.join(unknown)}; it has {', '.join(declared)}"
        )
    return kind(**numbers)
