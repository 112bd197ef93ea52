"""All methods for y = H x + n by name: those that draw, and those that find one image."""

from __future__ import annotations

from typing import Any

from napari_credible.kinds import made_of, spelled_in
from napari_credible.samplers import ABOUT_RESTORERS, RESTORERS, Restorer
from napari_credible.solvers import ABOUT as ABOUT_SOLVERS
from napari_credible.solvers import SOLVERS, Solver

METHODS: dict[str, type[Any]] = {**RESTORERS, **SOLVERS}
ABOUT: dict[str, str] = {**ABOUT_RESTORERS, **ABOUT_SOLVERS}


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
    if isinstance(asked, (Restorer, Solver)):
        return asked
    found: Restorer | Solver = made_of(asked, METHODS, "solver")
    return found


def spelled(method: Any) -> str | dict[str, Any]:
    """Return what :func:`method_of` makes the method from."""
    return spelled_in(method, METHODS, "solver")


def draws(method: Restorer | Solver) -> bool:
    """Return whether a method draws many images, or finds one."""
    return isinstance(method, Restorer)
