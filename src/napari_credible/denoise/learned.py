"""A trained network as a denoiser of images in their own units."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_credible.denoise.catalogue import Card
from napari_credible.denoise.networks import Network
from napari_credible.denoise.protocol import level_map, levels


@dataclass(frozen=True, eq=False)
class Learned:
    """D(x, sigma) = x - span * noise((x - low) / span, sigma / span).

    Parameters
    ----------
    net : Network
        In evaluation mode.
    card : Card
        Where the weights come from.
    low, span : float, units of x
        The one affine of a whole image; 0 and 1 for images in [0, 1], as the network was
        trained. :meth:`fitted` gives another.
    bfloat16 : bool
        Run the network's layers, but the first and the last sum, in bfloat16.
    """

    net: Network
    card: Card
    low: float = 0.0
    span: float = 1.0
    bfloat16: bool = False

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        return self.net.reach

    @property
    def stride(self) -> int:
        """Tiles must start at multiples of this many pixels."""
        return self.net.stride

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel."""
        return self.net.bytes_per_pixel

    @property
    def takes_maps(self) -> bool:
        """Whether ``sigma`` may differ from pixel to pixel."""
        return bool(getattr(self.net, "takes_maps", False))

    def fitted(self, low: float, high: float) -> Learned:
        """Return the same network for an image whose values lie mostly in [low, high]."""
        if not high > low:
            raise ValueError(f"the image range is {low:g} to {high:g}; the second must be larger")
        return replace(self, low=float(low), span=float(high - low))

    def to(self, device: str | torch.device) -> Learned:
        """Return the denoiser on another device; this one stays where it is."""
        device = torch.device(device)
        if next(self.net.parameters()).device == device:
            return self
        return replace(self, net=copy.deepcopy(self.net).to(device))

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise each channel of ``x`` (B, C, Y, X) at ``sigma``; no level leaves x as it is."""
        if isinstance(sigma, Tensor) and sigma.ndim == 4:
            return self._with_map(x, level_map(x, sigma))
        level = levels(x, sigma)
        batch, channels, rows, columns = x.shape
        flat = x.reshape(batch * channels, 1, rows, columns).float()
        each = level.float().repeat_interleave(channels) / self.span
        noise = self._noise((flat - self.low) / self.span, each)
        clean = flat - self.span * noise * (each > 0).view(-1, 1, 1, 1)
        return clean.reshape(x.shape).to(x.dtype)

    def _with_map(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise ``x`` (B, C, Y, X) at a level that differs from pixel to pixel."""
        if not self.takes_maps:
            raise ValueError(
                f"{self.card.name} takes one noise level for an image, not a map; give a number"
            )
        batch, channels, rows, columns = x.shape
        each = sigma.to(torch.float32).expand(batch, channels, rows, columns) / self.span
        flat = x.reshape(batch * channels, 1, rows, columns).float()
        each = each.reshape(flat.shape)
        noise = self._noise((flat - self.low) / self.span, _mirrored(each, self.stride))
        clean = flat - self.span * noise * (each > 0)
        return clean.reshape(x.shape).to(x.dtype)

    def _noise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Predict the noise, the lower and right edges mirrored up to a whole number of cells."""
        rows, columns = x.shape[-2:]
        padded = _mirrored(x, self.stride)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            noise: Tensor = self.net(padded, sigma)
        return noise[..., :rows, :columns]


class AtItsRange(Learned):
    """A learned denoiser whose range is part of what was learned: a curve of intensities."""

    def fitted(self, low: float, high: float) -> Learned:
        """Return the denoiser as it is, whatever the image's range."""
        return self


def _mirrored(x: Tensor, stride: int) -> Tensor:
    rows, columns = x.shape[-2:]
    below, right = -rows % stride, -columns % stride
    # Mirroring needs more pixels than it adds; an image as small as that repeats its edge.
    mode = "reflect" if below < rows and right < columns else "replicate"
    return F.pad(x, (0, right, 0, below), mode=mode)
