"""A plane as the network sees it, and which of its pixels judge the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

# Tiles that are held out, one in four, are small against structures and large against a crop's
# reach for texture.
_TILE = 32
# Nearer to 1 than a denoiser's own knowledge of a level.
_NEAR_ONE = 0.02


@dataclass(frozen=True, eq=False)
class Scene:
    """A stabilised plane in the units of the network.

    Attributes
    ----------
    noisy : Tensor, shape (Y, X)
        (stabilised - low) / span.
    low, span : float
        Affine of the image's channel.
    level : Tensor, shape (Y, X)
        Noise level of the stabilised plane: 1, less where there are few photons.
    model : NoiseModel
        That stabilised it.
    known : Tensor of bool, shape (Y, X)
        Pixels that are finite and not saturated.
    """

    noisy: Tensor
    low: float
    span: float
    level: Tensor
    model: Any
    known: Tensor

    @property
    def sigma(self) -> Tensor:
        """Noise level of ``noisy``, shape (Y, X)."""
        return self.level / self.span

    def stabilised(self, values: Tensor) -> Tensor:
        """Return values in the units of the network in those of the stabilised image."""
        return self.low + self.span * values

    def told(self, maps: bool) -> float | Tensor:
        """Return the level for a denoiser: a number, or a map (1, 1, Y, X) where it takes one."""
        if float((self.level - 1).abs().max()) < _NEAR_ONE:
            return 1.0
        return self.level[None, None] if maps else float(self.level.square().mean().sqrt())

    def weight(self) -> Tensor:
        """Return 1 where a loss may look and 0 elsewhere: at held-out and at unknown pixels."""
        return (self.known & ~held_out(self.noisy.shape)).float()


def held_out(shape: Sequence[int]) -> Tensor:
    """Return the pixels that judge: one tile in four, on a lattice."""
    rows, columns = (np.arange(n) // _TILE % 2 == 1 for n in shape[-2:])
    return torch.from_numpy(rows[:, None] & columns[None])


class Crops:
    """Crops, at random places, turned and mirrored where that is asked.

    Parameters
    ----------
    layers : sequence of Tensor, shape (K, Y, X)
        What is cut at the same place: an image, and what belongs to its pixels.
    side : int
        Of a crop, in pixels; of the smallest image where that is smaller.
    count : int
        Crops of a draw.
    stride : int
        Sides are multiples of it.
    turned : bool
        Turn and mirror at random.
    """

    def __init__(
        self, layers: Sequence[Tensor], side: int, count: int, stride: int, turned: bool = True
    ) -> None:
        smallest = min(min(layer.shape[-2:]) for layer in layers)
        self.layers, self.count, self.turned = list(layers), count, turned
        self.side = min(side, smallest) // stride * stride
        if not self.side:
            raise ValueError(
                f"the image is {smallest} pixels wide; the network needs {stride} to adapt to"
            )
        self._shares = np.array([float(layer[0].numel()) for layer in layers])
        self._shares /= self._shares.sum()

    def draw(self, rng: Generator) -> tuple[Tensor, ...]:
        """Return crops, (B, 1, side, side) for each of the K."""
        which = rng.choice(len(self.layers), self.count, p=self._shares)
        cuts = [self._cut(rng, self.layers[k]) for k in which]
        if self.turned:
            cuts = [_turned(rng, cut) for cut in cuts]
        return torch.stack(cuts).split(1, 1)  # type: ignore[no-untyped-call, no-any-return]

    def _cut(self, rng: Generator, layer: Tensor) -> Tensor:
        y, x = (int(rng.integers(n - self.side + 1)) for n in layer.shape[-2:])
        return layer[:, y : y + self.side, x : x + self.side]


def _turned(rng: Generator, crop: Tensor) -> Tensor:
    crop = torch.rot90(crop, int(rng.integers(4)), (-2, -1))
    return crop.flip(-1) if rng.random() < 0.5 else crop
