"""Samplers: many images that may have been, given one noisy one."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from napari_credible.samplers.ancestral import Ancestral as Ancestral
from napari_credible.samplers.corrected import Corrected as Corrected
from napari_credible.samplers.covariance import Covariance as Covariance
from napari_credible.samplers.langevin import Langevin as Langevin
from napari_credible.samplers.multistep import Multistep as Multistep
from napari_credible.samplers.protocol import Sampler as Sampler
from napari_credible.samplers.protocol import State as State
from napari_credible.samplers.protocol import walk as walk

SAMPLERS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (Corrected, Multistep, Covariance, Ancestral, Langevin)
}
ABOUT = {
    "corrected": "exact spread on Gaussian priors, 12 evaluations a draw",
    "multistep": "second order, 32 evaluations",
    "covariance": "exact mean and covariance of each step; slow yardstick",
    "ancestral": "first order, 256 evaluations; too sure with few",
    "langevin": "the lecture's, not exact: 821 evaluations, mean pulled up to 3 % toward the data",
}


def sampler_of(asked: Any) -> Sampler:
    """Return a sampler by name, by name and first number, from its numbers, or itself.

    Parameters
    ----------
    asked : str, mapping or Sampler
        "corrected", "ancestral:64" (the number is the evaluations, or the length of the ladder)
        or {"kind": "langevin", "ladder": 50, ...}.

    Raises
    ------
    ValueError
        One sentence, for an unknown name or number.
    """
    if isinstance(asked, str):
        name, _, number = asked.partition(":")
        kind = _known(name)
        if not number:
            return kind()  # type: ignore[no-any-return]
        if not number.isdigit():
            raise ValueError(f"sampler is {asked!r}; write {name} or {name}:NUMBER")
        return _made(kind, {fields(kind)[0].name: int(number)})
    if isinstance(asked, dict):
        numbers = dict(asked)
        return _made(_known(str(numbers.pop("kind", ""))), numbers)
    if isinstance(asked, Sampler):
        return asked
    raise ValueError(f"sampler is {asked!r}; give one of {', '.join(SAMPLERS)}")


def spelled(sampler: Any) -> str | dict[str, Any]:
    """Return what :func:`sampler_of` makes the sampler from: its name where all is as usual."""
    kind = type(sampler)
    if SAMPLERS.get(getattr(kind, "kind", "")) is not kind:
        return f"custom:{kind.__qualname__}"
    if sampler == kind():
        return str(kind.kind)
    first = fields(kind)[0].name
    if sampler == _made(kind, {first: getattr(sampler, first)}):
        return f"{kind.kind}:{getattr(sampler, first)}"
    return {"kind": kind.kind, **asdict(sampler)}


def _known(name: str) -> type[Any]:
    if name not in SAMPLERS:
        raise ValueError(f"there is no sampler {name!r}; give one of {', '.join(SAMPLERS)}")
    return SAMPLERS[name]


def _made(kind: type[Any], numbers: dict[str, Any]) -> Sampler:
    from napari_credible.knob import knobs

    declared = knobs(kind)
    unknown = sorted(set(numbers) - set(declared))
    if unknown:
        raise ValueError(
            f"sampler {kind.kind} has no {', '.join(unknown)}; it has {', '.join(declared)}"
        )
    made: Sampler = kind(**numbers)
    return made
