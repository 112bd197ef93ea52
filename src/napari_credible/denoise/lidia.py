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

from napari_credible.denoise.batch_norm import NormRelu
from napari_credible.denoise.patch_groups import gathered, nearest_patches
from napari_credible.knob import Knob
from napari_credible.stopping import pause

_WEIGHT_LAYERS = 7
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
        self.scales = nn.ModuleList(_Scale(shape, dilation) for dilation in (1, 2))
        self.joined = _Separable(features, features, 4 * group, 4 * group)
        self.last = _Separable(features, shape.patch**2, 4 * group, 1, plain=True)
        self.busy = nn.Parameter(torch.tensor(0.1))

    stride = 1

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        return self._edge + self._margin

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel."""
        return 64

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
        scaled = _reflected(x, reach) / level.view(-1, 1, 1, 1)
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
        return self._averaged(noise, _inner(scaled, self.reach - 2 * (self.shape.patch // 2)))

    def _averaged(self, noise: Tensor, seen: Tensor) -> Tensor:
        """Average the overlapping predictions; ``seen`` is the image that their patches see."""
        patch, sides = self.shape.patch, (seen.shape[-2], seen.shape[-1])
        busy = F.unfold(seen, patch).var(1, keepdim=True)
        weight = torch.exp(-self.busy.abs() * busy.clamp_max(1e3)) + 1e-3
        n = noise.shape[-1]
        total = F.fold(noise.flatten(1, 2).transpose(1, 2) * weight, sides, patch)
        norm = F.fold(weight.expand(-1, n, -1), sides, patch)
        edge = 2 * (patch // 2)
        return _inner(total / norm, edge)


class _Scale(nn.Module):
    """One scale: groups, their weights, two branches of which one is averaged over places."""

    def __init__(self, shape: LIDIAShape, dilation: int) -> None:
        super().__init__()
        self.shape, self.dilation = shape, dilation
        group, features = shape.group, shape.features
        self.weigh = _Weights(group)
        self.first = _Separable(shape.patch**2, features, group, group)
        self.alone = _Separable(features, features, group, group)
        self.shared = _Separable(features, features, group, group)
        self.mixed = nn.Linear(features, features, bias=False)

    def forward(self, x: Tensor, margin: int) -> Tensor:
        """Return features (2 group, B, Y, X, features) of the pixels ``margin`` inside ``x``."""
        pause()
        features = self.first(self._groups(x, margin))
        shared = self.mixed(_place_mean(self.shared(features)))
        return torch.cat([self.alone(features), shared])

    def _groups(self, x: Tensor, margin: int) -> Tensor:
        """Return the weighted groups (group, B, Y, X, pixels)."""
        patch, radius, dilation = self.shape.patch, self.shape.radius, self.dilation
        half = dilation * (patch // 2)
        blur = int(dilation > 1)
        padded = _inner(x, margin - radius - half - blur)
        if blur:
            padded = _blurred(padded)
        with torch.no_grad():
            near = nearest_patches(padded[:, 0], patch, radius, self.shape.group, dilation)
        sides = (padded.shape[-2] - 2 * half, padded.shape[-1] - 2 * half)
        patches = F.unfold(padded, patch, dilation=dilation).transpose(1, 2)
        groups = gathered(patches.reshape(len(x), *sides, -1), near, radius)
        spread, mean = torch.var_mean(groups[0], -1, keepdim=True)
        weights: Tensor = self.weigh(torch.cat([near.distances[..., 1:], spread], -1))
        return (groups - mean) * weights.permute(3, 0, 1, 2)[..., None]


class _Weights(nn.Module):
    """A weight for each patch of a group, from the distances and the variance of its centre."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.full((group,), 0.3))
        layers: list[nn.Module] = []
        for _ in range(_WEIGHT_LAYERS - 1):
            layers += [nn.Linear(group, group, bias=False), NormRelu(1, group)]
        self.layers = nn.Sequential(*layers, nn.Linear(group, group))
        nn.init.constant_(self.layers[-1].bias, 1.0)  # type: ignore[arg-type]

    def forward(self, distances: Tensor) -> Tensor:
        """Return weights, shape of ``distances`` (..., group)."""
        near = torch.exp(-self.decay.abs() * distances)
        found: Tensor = self.layers(near.flatten(0, -2)[None])
        return found.view_as(distances)


class _Separable(nn.Module):
    """relu(norm(T1 Z T2)) on matrices (m, ..., n); ``plain`` leaves out norm and relu.

    With the group first and the pixels last, both products are one of two large matrices.
    """

    def __init__(
        self, n_in: int, n_out: int, m_in: int, m_out: int, *, plain: bool = False
    ) -> None:
        super().__init__()
        self.pixels = nn.Linear(n_in, n_out, bias=False)
        self.group = nn.Linear(m_in, m_out, bias=False)
        for layer in (self.pixels, self.group):
            nn.init.orthogonal_(layer.weight)
        self.norm = None if plain else NormRelu(m_out, n_out)
        if plain:
            nn.init.normal_(self.group.weight, std=1e-2)

    def forward(self, z: Tensor) -> Tensor:
        """Transform ``z`` (m_in, ..., n_in) to (m_out, ..., n_out)."""
        fewer = self.group.out_features < self.group.in_features
        z = self.pixels(self._across(z)) if fewer else self._across(self.pixels(z))
        if self.norm is None:
            return z
        flat: Tensor = self.norm(z.flatten(1, -2))
        return flat.view(z.shape)

    def _across(self, z: Tensor) -> Tensor:
        return (self.group.weight @ z.flatten(1)).view(-1, *z.shape[1:])


def _place_mean(features: Tensor) -> Tensor:
    """Average features (m, B, Y, X, s * s) where they overlap, read as patches of side s."""
    m, batch, height, width, n = features.shape
    side = math.isqrt(n)
    sides = (height + side - 1, width + side - 1)
    columns = features.reshape(m * batch, height * width, n).transpose(1, 2)
    counts = F.fold(torch.ones_like(columns[:1]), sides, side)
    mean = F.unfold(F.fold(columns, sides, side) / counts, side)
    return mean.transpose(1, 2).reshape(features.shape)


def _reflected(x: Tensor, margin: int) -> Tensor:
    """Surround ``x`` by its reflections, its outermost pixels twice.

    Were they there once, a patch centred on one would be its own mirror image, other patches and
    their mirror images equally near, and rounding would choose among them.
    """
    for axis in (-1, -2):
        n = x.shape[axis]
        places = torch.arange(-margin, n + margin, device=x.device) % (2 * n)
        x = x.index_select(axis, torch.minimum(places, 2 * n - 1 - places))
    return x


def _inner(x: Tensor, margin: int) -> Tensor:
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]


def _blurred(x: Tensor) -> Tensor:
    """Blur ``x`` (B, 1, Y, X) by 1/4, 1/2, 1/4 along both axes; each edge loses a pixel."""
    for axis in (-1, -2):
        length = x.shape[axis] - 2
        before, centre, after = (x.narrow(axis, k, length) for k in range(3))
        x = (before + after) / 4 + centre / 2
    return x
