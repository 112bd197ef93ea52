"""Solvers: one image that fits the data and the prior."""

from __future__ import annotations

from typing import Any

from napari_credible.solvers.pnp import Pnp as Pnp
from napari_credible.solvers.protocol import Iterate as Iterate
from napari_credible.solvers.protocol import Passed as Passed
from napari_credible.solvers.protocol import Solver as Solver
from napari_credible.solvers.protocol import solve as solve
from napari_credible.solvers.red import Red as Red

SOLVERS: dict[str, type[Any]] = {kind.kind: kind for kind in (Pnp, Red)}
ABOUT = {
    "pnp": "one image: plug-and-play splitting, 24 evaluations",
    "red": "one image: regularisation by denoising, up to 100 evaluations",
}
