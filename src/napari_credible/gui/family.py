"""The layers of one sampling run know each other, and the posterior that they show."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from napari_credible.result import Result

POSTERIOR_KEY, ROLE_KEY = "credible_posterior", "credible_role"
MEAN, STD, LOWER, UPPER = "mean", "std", "lower", "upper"
EXCEEDANCE, DRAWS, COMPOSITE = "exceedance", "draws", "composite"
ROLES = (MEAN, STD, LOWER, UPPER, EXCEEDANCE, DRAWS, COMPOSITE)
# The draws count their first axis so; all other axes are the input's.
SAMPLE_AXIS = "sample"


@dataclass(frozen=True, eq=False)
class Family:
    """What the layers of one run share: each of them carries the same object.

    It lives as long as one of its layers, so that discarding them frees the draws.

    Attributes
    ----------
    posterior : Posterior, Streamed or Linearised
        What was drawn. Its arrays are indexed like ``result.source.array``.
    result : Result
        ``result.source`` is what was sampled: the layer, or the region of it.
    roles : mapping of str to napari layer
        The layers that are still there, by role; ``"input"`` is the layer that was sampled.
    """

    posterior: Any
    result: Result
    roles: MutableMapping[str, Any] = field(default_factory=WeakValueDictionary)

    def join(self, layer: Any, role: str) -> None:
        """Let a layer belong to this family."""
        layer.metadata[POSTERIOR_KEY] = self
        layer.metadata[ROLE_KEY] = role
        self.roles[role] = layer

    def __deepcopy__(self, memo: dict[int, Any]) -> Family:
        """Return itself: napari copies the metadata of a layer that is duplicated, never draws."""
        return self


def family_of(layer: Any) -> Family | None:
    """Return the family of a layer, or None where no sampling run made it."""
    found = None if layer is None else layer.metadata.get(POSTERIOR_KEY)
    return found if isinstance(found, Family) else None


def role_of(layer: Any) -> str:
    """Return what a layer shows of a posterior, also while it is sampled; else an empty string."""
    return str(layer.metadata.get(ROLE_KEY, ""))
