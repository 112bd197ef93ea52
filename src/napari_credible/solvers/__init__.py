"""Solvers: one image that fits the data and the prior.

Names load on first use: the words alone bring no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader as _lazy

if TYPE_CHECKING:
    from napari_credible.solvers.pnp import Pnp as Pnp
    from napari_credible.solvers.protocol import Iterate as Iterate
    from napari_credible.solvers.protocol import Passed as Passed
    from napari_credible.solvers.protocol import Solver as Solver
    from napari_credible.solvers.protocol import solve as solve
    from napari_credible.solvers.red import Red as Red

ABOUT = {
    "pnp": "one image: plug-and-play splitting, 24 evaluations",
    "red": "one image: regularisation by denoising, up to 100 evaluations",
}
__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "pnp": ["Pnp"],
        "protocol": ["Iterate", "Passed", "Solver", "solve"],
        "red": ["Red"],
    },
)
