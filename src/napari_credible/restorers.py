"""All methods for y = H x + n by name: those that draw, and those that find one image."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from napari_credible.kinds import made_of, spelled_in
from napari_credible.samplers import ABOUT_RESTORERS
from napari_credible.solvers import ABOUT as ABOUT_SOLVERS

if TYPE_CHECKING:
    from napari_credible.samplers import Restorer
    from napari_credible.solvers import Solver

ABOUT: dict[str, str] = {**ABOUT_RESTORERS, **ABOUT_SOLVERS}
# What a choice among them must say of each, if anything.
CAUTION = {
    "ddrm": "spread not calibrated",
    "ks": "spread not calibrated",
    "pnp": "one image, no uncertainty",
    "red": "one image, no uncertainty",
}

# They work in the singular basis of H.
_SPECTRAL = ("ddrm", "snips", "ks")


@cache
def methods() -> dict[str, type[Any]]:
    """Return their classes by name; these bring torch, which the words do not."""
    from napari_credible.samplers import Ddrm, Kadkhodaie, Mmps, Snips
    from napari_credible.solvers import Pnp, Red

    return {kind.kind: kind for kind in (Mmps, Snips, Ddrm, Kadkhodaie, Pnp, Red)}


def method_of(asked: Any) -> Restorer | Solver:
    """Return a method by name, by name and first number, from its numbers, or itself.

    Parameters
    ----------
    asked : str, mapping, Restorer or Solver
        "mmps", "pnp:40" (the number is the first of the method's) or {"kind": "red", ...}.

    Raises
    ------
    ValueError
        One sentence, for an unknown name or number.
    """
    from napari_credible.samplers import Restorer
    from napari_credible.solvers import Solver

    if isinstance(asked, (Restorer, Solver)):
        return asked
    found: Restorer | Solver = made_of(asked, methods(), "solver")
    return found


def spelled(method: Any) -> str | dict[str, Any]:
    """Return what :func:`method_of` makes the method from."""
    return spelled_in(method, methods(), "solver")


def draws(method: Restorer | Solver) -> bool:
    """Return whether a method draws many images, or finds one."""
    from napari_credible.samplers import Restorer

    return isinstance(method, Restorer)


def spectral(method: Any) -> bool:
    """Return whether a method, or a spelled one, needs singular values, and one noise level."""
    return (getattr(method, "kind", None) or _name(method)) in _SPECTRAL


def draws_by_name(spelling: Any) -> bool:
    """Return whether a spelled method draws; one that only its author can hand over may."""
    return _name(spelling) not in ABOUT_SOLVERS


def _name(spelling: Any) -> str:
    return str(spelling["kind"]) if isinstance(spelling, dict) else str(spelling).partition(":")[0]
