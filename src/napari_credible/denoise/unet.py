"""A bias-free, noise-level-aware U-Net that works at half resolution.

The network sees the image as four half-resolution channels (every second pixel) beside a map
of the noise level, and predicts the noise; the estimate is the input minus that prediction.
No layer adds a constant, so D(a x, a sigma) = a D(x, sigma) for every a > 0: one network
serves all intensity scales.

References
----------
.. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical
   image segmentation", MICCAI (2015).
.. [2] S. Mohan, Z. Kadkhodaie, E. Simoncelli, C. Fernandez-Granda, "Robust and interpretable
   blind image denoising via bias-free convolutional neural networks", ICLR (2020).
.. [3] K. Zhang, W. Zuo, L. Zhang, "FFDNet: toward a fast and flexible solution for CNN based
   image denoising", IEEE TIP 27 (2018) 4608-4622.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_credible.stopping import pause


@dataclass(frozen=True)
class UNetShape:
    """Size of a network.

    Parameters
    ----------
    widths : tuple of int
        Channels of each level, finest first.
    blocks : int or tuple of int
        Residual blocks of each level, on the way down and again on the way up; one number for all.
    kind : str
        The architecture's name.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    widths: tuple[int, ...] = (64, 96, 128)
    blocks: int | tuple[int, ...] = 2
    kind: Literal["unet"] = "unet"

    def __post_init__(self) -> None:
        counts = self.counts
        if not self.widths or len(counts) != len(self.widths) or min(*self.widths, *counts) < 1:
            raise ValueError(
                f"widths {self.widths} and blocks {self.blocks} make no network; give one width "
                "and one count of blocks for each level, at least 1"
            )

    @property
    def counts(self) -> tuple[int, ...]:
        """Residual blocks of each level."""
        one = isinstance(self.blocks, int)
        return (self.blocks,) * len(self.widths) if one else tuple(self.blocks)  # type: ignore[arg-type, return-value]

    def to_dict(self) -> dict[str, int | list[int]]:
        """Return the shape as plain JSON values."""
        blocks = self.blocks if isinstance(self.blocks, int) else list(self.blocks)
        return {"widths": list(self.widths), "blocks": blocks}


class UNet(nn.Module):
    """Noise predictor of shape ``(B, 1, Y, X)`` and level ``(B,)`` to noise ``(B, 1, Y, X)``.

    Parameters
    ----------
    shape : UNetShape
        Widths and depth.

    Notes
    -----
    Sides must be multiples of :attr:`stride`. The first layer always runs in float32, also
    under bfloat16 autocast: bfloat16 keeps eight bits, less than a clean image needs, and the
    layers after it see differences of pixels, which eight bits carry well.
    """

    # A map of levels reads like a constant one: the level is a channel of the input.
    takes_maps = True

    def __init__(self, shape: UNetShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or UNetShape()
        widths, counts = shape.widths, shape.counts
        levels = list(zip(widths, counts, strict=True))
        self.head = _conv(5, widths[0])
        self.down = nn.ModuleList(_level(*level) for level in levels[:-1])
        self.shrink = nn.ModuleList(
            nn.Conv2d(w, v, 2, stride=2, bias=False) for w, v in pairwise(widths)
        )
        self.bottom = _level(*levels[-1])
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(v, w, 2, stride=2, bias=False) for w, v in pairwise(widths)
        )
        self.up = nn.ModuleList(_level(*level) for level in levels[:-1])
        self.tail = _conv(widths[0], 4)
        nn.init.normal_(self.tail.weight, std=1e-3)

    @property
    def stride(self) -> int:
        """Sides of the input must be multiples of this many pixels."""
        return 1 << len(self.shape.widths)

    @property
    def filters(self) -> list[nn.Parameter]:
        """Filter banks of all layers but the first and the last."""
        ends = (self.head.weight, self.tail.weight)
        return [bank for bank in self.parameters() if all(bank is not end for end in ends)]

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel (measured: benchmarks/throughput.py)."""
        return 6 * self.shape.widths[0]

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        # Two convolutions a block; each level but the last is passed twice.
        passed = [2 * count << (k + 1) for k, count in enumerate(self.shape.counts)]
        levels, bottom = 2 * sum(passed[:-1]), passed[-1]
        ends = 2 * 2
        # Each change of resolution lets a pixel speak for its whole cell.
        return levels + bottom + ends + self.stride

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Predict the noise in ``x``, shape ``(B, 1, Y, X)``.

        ``sigma`` has shape ``(B,)``, or ``(B, 1, Y, X)`` where the level differs between pixels.
        """
        halves = F.pixel_unshuffle(x, 2)
        if sigma.ndim == 4:
            level = F.avg_pool2d(sigma, 2)
        else:
            level = sigma.view(-1, 1, 1, 1).expand(-1, 1, *halves.shape[-2:])
        features = torch.cat([halves, level.to(halves.dtype)], 1)
        features = features.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, enabled=False):
            features = self.head(features)
        kept = []
        for level_net, shrink in zip(self.down, self.shrink, strict=True):
            features = level_net(features)
            kept.append(features)
            features = shrink(features)
        features = self.bottom(features)
        for level_net, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            features = level_net(grow(features) + kept.pop())
        noise: Tensor = F.pixel_shuffle(self.tail(features).float(), 2)
        return noise


class _Residual(nn.Module):
    """``x + conv(relu(conv(x)))``, starting as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add the block's correction to ``x``."""
        pause()
        changed: Tensor = x + self.second(F.relu(self.first(x)))
        return changed


def _conv(n_in: int, n_out: int) -> nn.Conv2d:
    convolution = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return convolution


def _level(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width) for _ in range(blocks)))
