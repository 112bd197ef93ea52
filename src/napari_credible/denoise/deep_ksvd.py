r"""Deep K-SVD: sparse coding of all patches, every part of it learned.

Each patch p is coded over a dictionary D with a penalty lambda of its own,

.. math:: \hat z = \arg\min_z \tfrac12 \|D z - p\|^2 + \lambda \|z\|_1,

by a fixed number of soft-thresholding steps z <- S_{lambda/c}(z - D'(D z - p)/c); the image is
the weighted average of the overlapping patches D z. A small perceptron reads lambda off the
patch; D, c, the perceptron and the weights of the average are learned. Several stages denoise
the outcome of the one before, with the same D and c.

References
----------
.. [1] M. Scetbon, M. Elad, P. Milanfar, "Deep K-SVD denoising", IEEE TIP 30 (2021) 5944-5955.
.. [2] M. Elad, M. Aharon, "Image denoising via sparse and redundant representations over
   learned dictionaries", IEEE TIP 15 (2006) 3736-3745.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_credible.denoise.blend import LevelBlend
from napari_credible.denoise.dictionary import Atoms, dct_dictionary
from napari_credible.denoise.margins import enlarged
from napari_credible.denoise.shrink import shrink
from napari_credible.knob import Knob
from napari_credible.stopping import pause

if TYPE_CHECKING:
    from collections.abc import Iterable

# Patches coded at once where no gradient is kept: their codes fill 32 MiB.
_CHUNK = 1 << 15


@dataclass(frozen=True)
class DeepKSVDShape:
    """Size of a Deep K-SVD.

    Parameters
    ----------
    patch : int
        Side of a patch in pixels.
    atoms : int
        Of the dictionary, a square number.
    unfoldings : int
        Steps of soft thresholding.
    stages : int
        Times that the image is denoised.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    kind: Literal["deep_ksvd"] = "deep_ksvd"
    patch: Annotated[int, Knob(2, 32, "pixels", "side of a patch")] = 8
    atoms: Annotated[int, Knob(4, 4096, "", "a square number")] = 256
    unfoldings: Annotated[int, Knob(1, 100, "", "steps")] = 7
    stages: Annotated[int, Knob(1, 5, "", "times denoised")] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as plain JSON values."""
        return asdict(self)


class DeepKSVD(nn.Module):
    """Noise predictor of shape ``(B, 1, Y, X)`` and level ``(B,)`` to noise ``(B, 1, Y, X)``.

    Parameters
    ----------
    shape : DeepKSVDShape
        Its numbers; those of the paper's single stage by default.

    Notes
    -----
    The paper trains one network for each level, on patches with their means. Here the mean is
    set aside, as classical K-SVD does, and lambda = sigma f((p - mean) / sigma): in all,
    D(a x + b, a sigma) = a D(x, sigma) + b but for :class:`LevelBlend`.
    """

    def __init__(self, shape: DeepKSVDShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or DeepKSVDShape()
        atoms = dct_dictionary(shape.patch, shape.atoms)
        self.dictionary = Atoms(atoms)
        self.curvature = nn.Parameter(torch.linalg.matrix_norm(atoms, 2).square())
        self.stages = nn.ModuleList(_Stage(shape.patch) for _ in range(shape.stages))
        self.blend = LevelBlend()

    stride = 1

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        return 2 * (self.shape.patch - 1) * self.shape.stages

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel."""
        return 4 * 4 * self.shape.patch**2

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Predict the noise in ``x`` at levels ``sigma``."""
        rows, columns = x.shape[-2:]
        estimate = x = enlarged(x, self.shape.patch)
        for stage in cast("Iterable[_Stage]", self.stages):
            estimate = self._averaged(estimate, sigma, stage)
        noise: Tensor = self.blend(x - estimate, sigma)
        return noise[..., :rows, :columns]

    def _averaged(self, x: Tensor, sigma: Tensor, stage: _Stage) -> Tensor:
        side, patch = x.shape[-2:], self.shape.patch
        cut = F.unfold(x, patch).transpose(1, 2)  # (B, positions, pixels of a patch)
        level = sigma.view(-1, 1, 1).expand(*cut.shape[:2], 1)
        flat, levels = cut.flatten(0, 1), level.flatten(0, 1)
        size = len(flat) if torch.is_grad_enabled() else _CHUNK
        parts = zip(torch.split(flat, size), torch.split(levels, size), strict=True)
        clean = [self.patches(p, s, stage) for p, s in parts]
        weighted = (torch.cat(clean) * stage.weight).view_as(cut).transpose(1, 2)
        weight = stage.weight.view(1, -1, 1).expand(1, -1, cut.shape[1])
        total: Tensor = F.fold(weighted, side, patch) / F.fold(weight, side, patch)
        return total

    def patches(self, p: Tensor, sigma: Tensor, stage: _Stage) -> Tensor:
        """Denoise patches (N, pixels) at levels (N, 1)."""
        pause()
        mean = p.mean(1, keepdim=True)
        centred = p - mean
        codes = self.code(centred, stage.penalty(centred, sigma))
        clean: Tensor = codes @ self.dictionary().T + mean
        return clean

    def code(self, p: Tensor, penalty: Tensor) -> Tensor:
        """Return the codes (N, atoms) of patches (N, pixels) after all unfoldings."""
        step, dictionary = 1 / self.curvature, self.dictionary()
        codes = shrink(p @ dictionary * step, penalty * step)
        for _ in range(self.shape.unfoldings - 1):
            residual = codes @ dictionary.T - p
            codes = shrink(codes - residual @ dictionary * step, penalty * step)
        return codes


class _Stage(nn.Module):
    """The penalty of each patch, and the weights of the average."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        n = patch**2
        sizes = (n, 2 * n, n, n // 2, 1)
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.perceptron = nn.Sequential(*(m for layer in layers for m in (layer, nn.ReLU())))[:-1]
        self.weight = nn.Parameter(torch.ones(n))

    def penalty(self, centred: Tensor, sigma: Tensor) -> Tensor:
        """Return lambda (N, 1) of patches (N, pixels) without their means."""
        contrast = torch.asinh(centred / sigma.clamp_min(1e-6))
        found: Tensor = sigma * F.softplus(self.perceptron(contrast) + 0.5)
        return found
