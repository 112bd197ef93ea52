"""The layers of LIDIA: groups of patches weighted, transformed, averaged over places."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_credible.denoise.batch_norm import NormRelu
from napari_credible.denoise.margins import inner
from napari_credible.denoise.patch_groups import gathered, nearest_patches
from napari_credible.stopping import pause

if TYPE_CHECKING:
    from napari_credible.denoise.lidia import LIDIAShape

_WEIGHT_LAYERS = 7


class Scale(nn.Module):
    """One scale: groups, their weights, two branches of which one is averaged over places."""

    def __init__(self, shape: LIDIAShape, dilation: int) -> None:
        super().__init__()
        self.shape, self.dilation = shape, dilation
        group, features = shape.group, shape.features
        self.weigh = Weights(group)
        self.first = Separable(shape.patch**2, features, group, group)
        self.alone = Separable(features, features, group, group)
        self.shared = Separable(features, features, group, group)
        self.mixed = nn.Linear(features, features, bias=False)

    def forward(self, x: Tensor, margin: int) -> Tensor:
        """Return features (2 group, B, Y, X, features) of the pixels ``margin`` inside ``x``."""
        pause()
        features = self.first(self._groups(x, margin))
        shared = self.mixed(place_mean(self.shared(features)))
        return torch.cat([self.alone(features), shared])

    def _groups(self, x: Tensor, margin: int) -> Tensor:
        """Return the weighted groups (group, B, Y, X, pixels)."""
        patch, radius, dilation = self.shape.patch, self.shape.radius, self.dilation
        half = dilation * (patch // 2)
        blur = int(dilation > 1)
        padded = inner(x, margin - radius - half - blur)
        if blur:
            padded = blurred(padded)
        with torch.no_grad():
            near = nearest_patches(padded[:, 0], patch, radius, self.shape.group, dilation)
        sides = (padded.shape[-2] - 2 * half, padded.shape[-1] - 2 * half)
        patches = F.unfold(padded, patch, dilation=dilation).transpose(1, 2)
        groups = gathered(patches.reshape(len(x), *sides, -1), near, radius)
        spread, mean = torch.var_mean(groups[0], -1, keepdim=True)
        weights: Tensor = self.weigh(torch.cat([near.distances[..., 1:], spread], -1))
        return (groups - mean) * weights.permute(3, 0, 1, 2)[..., None]


class Weights(nn.Module):
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


class Separable(nn.Module):
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


def place_mean(features: Tensor) -> Tensor:
    """Average features (m, B, Y, X, s * s) where they overlap, read as patches of side s."""
    m, batch, height, width, n = features.shape
    side = math.isqrt(n)
    sides = (height + side - 1, width + side - 1)
    columns = features.reshape(m * batch, height * width, n).transpose(1, 2)
    counts = F.fold(torch.ones_like(columns[:1]), sides, side)
    mean = F.unfold(F.fold(columns, sides, side) / counts, side)
    return mean.transpose(1, 2).reshape(features.shape)


def blurred(x: Tensor) -> Tensor:
    """Blur ``x`` (B, 1, Y, X) by 1/4, 1/2, 1/4 along both axes; each edge loses a pixel."""
    for axis in (-1, -2):
        length = x.shape[axis] - 2
        before, centre, after = (x.narrow(axis, k, length) for k in range(3))
        x = (before + after) / 4 + centre / 2
    return x
