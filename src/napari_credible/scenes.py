"""The planes of an image as a network sees them: stabilised, in its range."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_credible.adapt.scene import Scene
from napari_credible.channel import Channel, filled, flagged
from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.pilot import rough_level

# Planes of a channel that are looked at; more would teach little more.
_MOST = 8
# Sides of the part of a plane that is kept.
_SIDE = 1024


@dataclass(frozen=True, eq=False)
class Scenes:
    """Some planes of each channel.

    Attributes
    ----------
    singles : list of Scene
        Evenly chosen planes.
    pairs : list of (Scene, Scene)
        Neighbours along the first axis that counts planes, evenly chosen; empty for one plane.
    checksum : str
        SHA-256 of the values of the planes.
    """

    singles: list[Scene]
    pairs: list[tuple[Scene, Scene]]
    checksum: str


def scenes_of(image: Image, channels: Sequence[Channel], paired: bool = False) -> Scenes:
    """Return the planes of an image, and neighbours where they are wanted.

    Parameters
    ----------
    image : Image
        Read plane by plane.
    channels : sequence of Channel
        Its noise and ranges: see :func:`napari_credible.run.channels_of`.
    paired : bool
        Read neighbours.
    """
    singles, pairs, sums = list[Scene](), list[tuple[Scene, Scene]](), hashlib.sha256()
    for channel, part in zip(channels, image.channels(), strict=True):
        planes = part.ordered()
        for place in _evenly(list(np.ndindex(planes.shape[:-2]))):
            singles.append(_scene(planes[place], channel, sums))
        if paired:
            for here, there in _evenly(_neighbours(planes.shape[:-2])):
                pairs.append(
                    (_scene(planes[here], channel, sums), _scene(planes[there], channel, sums))
                )
    return Scenes(singles, pairs, sums.hexdigest())


def _scene(plane: Any, channel: Channel, sums: Any) -> Scene:
    values: NDArray[np.float64] = np.asarray(plane, dtype=np.float64)
    sums.update(np.ascontiguousarray(values).tobytes())
    flags = flagged(values, channel)
    low, span = channel.low, max(channel.high - channel.low, 1.0)
    counts = filled(values, flags)
    stabilised = channel.model.stabilise(counts)
    level = rough_level(counts, channel.model)
    known = flags & (Flag.NOT_FINITE | Flag.SATURATED) == 0
    return Scene(
        noisy=_part((stabilised - low) / span),
        low=low,
        span=span,
        level=_part(level),
        model=channel.model,
        known=_part(known) > 0,
    )


def _part(plane: NDArray[Any]) -> torch.Tensor:
    """Return the middle of a plane that is larger than a network needs to learn from."""
    starts = (max(0, (n - _SIDE) // 2) for n in plane.shape)
    rows, columns = (slice(start, start + _SIDE) for start in starts)
    return torch.from_numpy(np.ascontiguousarray(plane[rows, columns], dtype=np.float32))


def _neighbours(counts: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the places of neighbours along the first axis of at least two planes."""
    axis = next((k for k, n in enumerate(counts) if n > 1), None)
    if axis is None:
        return []
    ends = [place for place in np.ndindex(counts) if place[axis] + 1 < counts[axis]]
    return [(p, (*p[:axis], p[axis] + 1, *p[axis + 1 :])) for p in ends]


def _evenly(places: list[Any]) -> list[Any]:
    if not places:
        return []
    return [places[k] for k in np.unique(np.linspace(0, len(places) - 1, _MOST).astype(int))]
