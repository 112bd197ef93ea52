"""Samplers: many images that may have been, given one noisy one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lazy_loader as _lazy

from napari_credible.kinds import made_of, spelled_in
from napari_credible.samplers.ancestral import Ancestral as Ancestral
from napari_credible.samplers.corrected import Corrected as Corrected
from napari_credible.samplers.covariance import Covariance as Covariance
from napari_credible.samplers.gaussian import on_gaussian_priors as on_gaussian_priors
from napari_credible.samplers.langevin import Langevin as Langevin
from napari_credible.samplers.multistep import Multistep as Multistep
from napari_credible.samplers.protocol import Sampler as Sampler
from napari_credible.samplers.protocol import State as State
from napari_credible.samplers.protocol import walk as walk

if TYPE_CHECKING:
    from napari_credible.samplers.ddrm import Ddrm as Ddrm
    from napari_credible.samplers.given import Restorer as Restorer
    from napari_credible.samplers.given import walk_given as walk_given
    from napari_credible.samplers.kadkhodaie import Kadkhodaie as Kadkhodaie
    from napari_credible.samplers.mmps import Mmps as Mmps
    from napari_credible.samplers.snips import Snips as Snips

SAMPLERS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (Corrected, Multistep, Covariance, Ancestral, Langevin)
}
ABOUT = {
    "corrected": "spread right to 2 % at 12 evaluations a draw",
    "multistep": "second order, 32 evaluations",
    "covariance": "exact mean and covariance of each step; slow yardstick",
    "ancestral": "first order, 256 evaluations; too sure with few",
    "langevin": "the lecture's, not exact: 821 evaluations, mean pulled up to 4 % toward the data",
}
# Of P(x | y) where y = H x + n.
ABOUT_RESTORERS = {
    "mmps": "draws: exact on Gaussian priors, any operator, any noise",
    "snips": "draws: the lecture's Langevin in the singular basis, 1001 evaluations",
    "ddrm": "a fast restorer, 20 evaluations; its spread is NOT calibrated",
    "ks": "draws for noise-free data; its spread is NOT calibrated",
}
# These bring torch, and load on first use.
__getattr__, _, _ = _lazy.attach(
    __name__,
    submod_attrs={
        "ddrm": ["Ddrm"],
        "given": ["Restorer", "walk_given"],
        "kadkhodaie": ["Kadkhodaie"],
        "mmps": ["Mmps"],
        "snips": ["Snips"],
    },
)


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
    if isinstance(asked, (str, dict)):
        return made_of(asked, SAMPLERS, "sampler")  # type: ignore[no-any-return]
    if isinstance(asked, Sampler):
        return asked
    raise ValueError(f"sampler is {asked!r}; give one of {', '.join(SAMPLERS)}")


def spelled(sampler: Any) -> str | dict[str, Any]:
    """Return what :func:`sampler_of` makes the sampler from: its name where all is as usual."""
    return spelled_in(sampler, SAMPLERS, "sampler")
