"""Operators in words and in JSON, for recipes and the command line."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

import numpy as np

from napari_credible.operators.arrays import Read, array_of, from_json, pinned, to_json
from napari_credible.operators.bayer import Bayer
from napari_credible.operators.blur import Blur
from napari_credible.operators.compose import Compose
from napari_credible.operators.downsample import Downsample
from napari_credible.operators.identity import Identity
from napari_credible.operators.mask import Mask
from napari_credible.operators.protocol import Operator
from napari_credible.operators.psf_image import psf_blur
from napari_credible.operators.radon import Radon
from napari_credible.operators.sensing import CompressedSensing
from napari_credible.operators.whitened import Decorrelated, Whitened
from napari_credible.operators.words import WRITTEN

OPERATORS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (Identity, Mask, Blur, Downsample, Bayer, CompressedSensing, Radon)
}
# Made of other operators: in JSON and in Python, not on the command line.
_OF_OTHERS: dict[str, type[Any]] = {kind.kind: kind for kind in (Compose, Whitened, Decorrelated)}
_AFTER = " @ "


def operator_of(asked: Any, read: Read | None = None) -> Operator:
    """Return an operator from a text, from plain JSON values, or itself.

    Parameters
    ----------
    asked : str, mapping or Operator
        ``"downsample:2"``; ``"downsample:2 @ blur:psf.tif"``, the last applied first;
        ``{"kind": "blur", "psf": [[...]], "boundary": "valid"}``, arrays as nested lists, as
        :func:`spelled` packs them, or as ``{"file": PATH}``. :data:`WRITTEN` has them all.
    read : callable, optional
        Reads image files with their pixel size: ``napari_credible.io.read``.

    Raises
    ------
    ValueError
        One sentence, for what is unknown or does not fit.

    Examples
    --------
    >>> operator_of("downsample:2 @ blur:uniform,3")
    Compose(last=Downsample(), first=Blur(psf=<3 x 3 float64>))
    """
    if isinstance(asked, Operator):
        return asked
    if isinstance(asked, dict):
        return _from_values(asked, read)
    if not isinstance(asked, str):
        raise ValueError(f"the operator is {asked!r}; give one of {'; '.join(WRITTEN.values())}")
    parts = [_from_word(part.strip(), read) for part in asked.split(_AFTER)]
    found = parts.pop()
    while parts:
        found = parts.pop() @ found
    return found


def spelled(asked: Any) -> str | dict[str, Any]:
    """Return what :func:`operator_of` makes the operator from, as text or plain JSON values.

    A text stays what it is, with the checksum of each file behind its path, so that a recipe
    tells when a file was changed; an operator becomes its numbers.
    """
    if isinstance(asked, str):
        return _AFTER.join(_pinned(part.strip()) for part in asked.split(_AFTER))
    operator = operator_of(asked)
    if isinstance(asked, dict) and _packed(asked):
        return asked
    kind = getattr(type(operator), "kind", "")
    if {**OPERATORS, **_OF_OTHERS}.get(kind) is not type(operator):
        return f"custom:{type(operator).__qualname__}"
    numbers = {f.name: getattr(operator, f.name) for f in fields(operator)}  # type: ignore[arg-type]
    unusual = {n: v for n, v in numbers.items() if not _usual(type(operator), n, v)}
    return {"kind": kind, **{name: _plain(value) for name, value in unusual.items()}}


def _packed(value: Any) -> bool:
    """Return whether values are as :func:`spelled` writes them, so that nothing is packed anew."""
    if isinstance(value, dict):
        return all(_packed(each) for each in value.values())
    return value is None or isinstance(value, (str, int, float))


def _usual(kind: type, name: str, value: Any) -> bool:
    default = getattr(kind, name, ...)  # what has no default is never usual
    return type(default) is type(value) and bool(default == value)


def _plain(value: Any) -> Any:
    if isinstance(value, Operator):
        return spelled(value)
    if isinstance(value, np.generic):
        return value.item()
    return to_json(value) if isinstance(value, np.ndarray) else value


def _from_values(values: dict[str, Any], read: Read | None) -> Operator:
    given = dict(values)
    name = str(given.pop("kind", ""))
    kind = {**OPERATORS, **_OF_OTHERS}.get(name)
    if kind is None:
        raise ValueError(_unknown(name))
    known = [field.name for field in fields(kind)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"operator {name} has no {', '.join(unknown)}; it has {', '.join(known) or 'nothing'}"
        )
    made = {
        n: operator_of(v, read) if n in _INNER else from_json(v, read) for n, v in given.items()
    }
    if name == "mask" and "mask" in made:
        made["mask"] = _mask(made["mask"]).mask
    try:
        inspect.signature(kind).bind(**made)
    except TypeError as error:
        raise ValueError(f"operator {name}: {error}; it has {', '.join(known)}") from None
    built: Operator = kind(**made)
    return built


_INNER = ("operator", "first", "last")


def _unknown(name: str) -> str:
    return f"there is no operator {name!r}; give one of {'; '.join(WRITTEN.values())}"


def _from_word(text: str, read: Read | None) -> Operator:
    name, _, rest = text.partition(":")
    if name not in OPERATORS:
        raise ValueError(_unknown(name))
    try:
        made: Operator = _MAKERS[name](rest, read)
    except (TypeError, OverflowError):
        raise ValueError(f"operator {text!r} cannot be read; write {WRITTEN[name]}") from None
    return made


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise TypeError from None


def _blur(rest: str, read: Read | None) -> Operator:
    place, boundary = rest, "circular"
    for word in ("circular", "zero", "valid"):
        if rest.endswith(f",{word}"):
            place, boundary = rest.removesuffix(f",{word}"), word
    simple = re.fullmatch(r"(uniform|gaussian),(.+)", place)
    if not simple:
        return psf_blur(array_of(place, read), boundary)
    shape, number = simple.groups()
    if shape == "uniform":
        return Blur.uniform(_number(number, int), boundary)
    return Blur.gaussian(_number(number, float), boundary)


def _mask(held: Any) -> Mask:
    array = np.asarray(getattr(held, "array", held))
    if array.dtype.kind != "b" and not np.isfinite(array).all():
        raise ValueError("the mask holds values that are not finite; give 0 and 1")
    return Mask(array != 0)


def _sensing(rest: str, _: Read | None) -> Operator:
    ratio, _comma, seed = rest.partition(",")
    return CompressedSensing(_number(ratio, float), _number(seed or "0", int))


def _radon(rest: str, read: Read | None) -> Operator:
    if rest.isdigit():
        if int(rest) < 1:
            raise TypeError
        return Radon(np.arange(int(rest)) * (180 / int(rest)))
    held = array_of(rest, read)
    return Radon(np.squeeze(np.asarray(getattr(held, "array", held))))


def _identity(rest: str, _: Read | None) -> Operator:
    if rest:
        raise TypeError
    return Identity()


_MAKERS: dict[str, Any] = {
    "identity": _identity,
    "mask": lambda rest, read: _mask(array_of(rest, read)),
    "blur": _blur,
    "downsample": lambda rest, _: Downsample(_number(rest or "2", int)),
    "bayer": lambda rest, _: Bayer(rest or "RGGB"),
    "cs": _sensing,
    "radon": _radon,
}


def _pinned(part: str) -> str:
    """Return one operator's text with the checksum of its file, if it has one."""
    operator_of(part)
    name, _, rest = part.partition(":")
    place, comma, boundary = rest.rpartition(",")
    if name == "blur" and boundary not in ("circular", "zero", "valid"):
        place, comma, boundary = rest, "", ""
    if name not in ("mask", "blur", "radon"):
        return part
    if name != "blur":
        place, comma, boundary = rest, "", ""
    simple = rest.isdigit() or place.startswith(("uniform,", "gaussian,"))
    return part if simple else f"{name}:{pinned(place)}{comma}{boundary}"
