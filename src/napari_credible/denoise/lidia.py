"""LIDIA: groups of like patches through small separable transforms, at two scales.

Each patch is denoised together with the patches most like it. A group is a matrix Z, one column
a patch; a layer is relu(norm(T1 Z T2)), T1 acting along the pixels and T2 across the group, so
that a few thousand parameters reach over the whole group. Weights read off the distances damp
the columns first; features of overlapping patches are averaged half-way; a second scale sees the
blurred image with patches twice as wide. The noise of the centre patch is predicted, and the
overlapping predictions are averaged, those of busy patches less.

References
----------
.. [1] G. Vaksman, M. Elad, P. Milanfar, "LIDIA: lightweight learned image denoising with
   instance adaptation", CVPR Workshops (2020).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_credible.denoise.lidia_layers import Scale, Separable
from napari_credible.denoise.margins import inner, reflected
from napari_credible.knob import Knob

# Pixels along a side that are denoised at once where no gradient is kept: the features of a
# whole frame would not fit the processor's cache, nor often its memory.
_TILE = 64


@dataclass(frozen=True)
class LIDIAShape:
    """Size of a LIDIA network.

    Parameters
    ----------
    patch : int
        Side of a patch in pixels, odd.
    radius : int
        Of the search in pixels.
    group : int
        Patches in a group, the centre among them.
    features : int
        Along a patch, a square number.
    lowest : float
        Level below which the correction of this level is scaled down.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    kind: Literal["lidia"] = "lidia"
    patch: Annotated[int, Knob(3, 31, "pixels", "side of a patch")] = 7
    radius: Annotated[int, Knob(1, 50, "pixels", "of the search")] = 14
    group: Annotated[int, Knob(2, 100, "", "patches")] = 14
    features: Annotated[int, Knob(4, 1024, "", "a square number")] = 64
    lowest: Annotated[float, Knob(0, 1, "image range", "level")] = 5 / 255

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as plain JSON values."""
        return asdict(self)


class LIDIA(nn.Module):
    """Noise predictor of shape ``(B, 1, Y, X)`` and level ``(B,)`` to noise ``(B, 1, Y, X)``.

    Parameters
    ----------
    shape : LIDIAShape
        Its numbers; those of the paper by default.

    Notes
    -----
    The paper trains one network for each level. Here each group enters less its mean and divided
    by sigma: D(a x + b, a sigma) = a D(x, sigma) + b for levels from ``lowest``. Below, the
    correction falls with sigma^2, as it does where the score no longer changes (Miyasawa 1961).
    """

    def __init__(self, shape: LIDIAShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or LIDIAShape()
        group, features = shape.group, shape.features
        self.scales = nn.ModuleList(Scale(shape, dilation) for dilation in (1, 2))
        self.joined = Separable(features, features, 4 * group, 4 * group)
        self.last = Separable(features, shape.patch**2, 4 * group, 1, plain=True)
        self.busy = nn.Parameter(torch.tensor(0.1))

    stride = 1

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        return self._edge + self._margin

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel."""
        return 43000

    @property
    def _edge(self) -> int:
        """Pixels by which patches and feature patches stand out over the image."""
        return self.shape.patch // 2 + self._spread

    @property
    def _spread(self) -> int:
        """Positions over which the features are averaged, on either side."""
        return math.isqrt(self.shape.features) - 1

    @property
    def _margin(self) -> int:
        """Pixels around a centre that its search sees at the wider scale, blurred."""
        shape: LIDIAShape = self.shape
        return shape.radius + 2 * (shape.patch // 2) + 1

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Predict the noise in ``x`` at levels ``sigma``."""
        level = sigma.clamp_min(max(self.shape.lowest, 1e-6))
        reach = self.reach
        scaled = reflected(x, reach) / level.view(-1, 1, 1, 1)
        height, width = x.shape[-2:]
        size = max(height, width) if torch.is_grad_enabled() else _TILE
        rows = []
        for top in range(0, height, size):
            cut = scaled[..., top : top + min(size, height - top) + 2 * reach, :]
            parts = [
                self._noise(cut[..., left : left + min(size, width - left) + 2 * reach])
                for left in range(0, width, size)
            ]
            rows.append(torch.cat(parts, -1))
        return (sigma.square() / level).view(-1, 1, 1, 1) * torch.cat(rows, -2)

    def _noise(self, scaled: Tensor) -> Tensor:
        """Predict the noise of all pixels that lie ``reach`` inside, in units of the level."""
        spare = self._spread
        features = torch.cat([scale(scaled, self._margin) for scale in self.scales])
        features = features[:, :, spare:-spare, spare:-spare]
        noise = self.last(self.joined(features))[0]  # (B, Y + 2 half, X + 2 half, n)
        return self._averaged(noise, inner(scaled, self.reach - 2 * (self.shape.patch // 2)))

    def _averaged(self, noise: Tensor, seen: Tensor) -> Tensor:
        """Average the overlapping predictions; ``seen`` is the image that their patches see."""
        patch, sides = self.shape.patch, (seen.shape[-2], seen.shape[-1])
        busy = F.unfold(seen, patch).var(1, keepdim=True)
        weight = torch.exp(-self.busy.abs() * busy.clamp_max(1e3)) + 1e-3
        n = noise.shape[-1]
        total = F.fold(noise.flatten(1, 2).transpose(1, 2) * weight, sides, patch)
        norm = F.fold(weight.expand(-1, n, -1), sides, patch)
        edge = 2 * (patch // 2)
        return inner(total / norm, edge)
