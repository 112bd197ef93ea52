r"""CSCNet: learned convolutional sparse coding, its estimate averaged over shifts.

An image is modelled as a sum of atoms placed on a grid of every ``stride`` pixels,
x = C gamma with sparse gamma. Iterative soft thresholding finds gamma,

.. math:: \gamma \leftarrow S_\theta(\gamma - B(A\gamma - y)), \qquad \hat x = C \gamma,

and unfolding a fixed number of these steps makes a network whose filters A, B, C and thresholds
theta are learned. One grid sees each structure at one alignment; coding shifted copies of the
image and averaging their estimates comes near the posterior mean.

References
----------
.. [1] D. Simon, M. Elad, "Rethinking the CSC model for natural images", NeurIPS (2019).
.. [2] K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", ICML (2010).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_credible.denoise.blend import LevelBlend
from napari_credible.denoise.dictionary import Atoms, lapped_cosines
from napari_credible.denoise.margins import mirrored
from napari_credible.denoise.shrink import shrink
from napari_credible.knob import Knob
from napari_credible.stopping import pause


@dataclass(frozen=True)
class CSCShape:
    """Size of a CSCNet.

    Parameters
    ----------
    filters, kernel, stride : int
        Atoms, their side and the grid's step in pixels.
    unfoldings : int
        Steps of soft thresholding.
    shifts : int
        Shifted copies that are averaged, a square that divides ``stride`` squared: 64, 16, 4 or 1
        for a stride of 8. The weights do not depend on it.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    kind: Literal["csc"] = "csc"
    filters: Annotated[int, Knob(1, 4096, "", "atoms")] = 175
    kernel: Annotated[int, Knob(2, 64, "pixels", "side of an atom")] = 11
    stride: Annotated[int, Knob(1, 32, "pixels", "between atoms")] = 8
    unfoldings: Annotated[int, Knob(1, 100, "", "steps")] = 12
    shifts: Annotated[int, Knob(1, 1024, "", "copies averaged")] = 16

    def __post_init__(self) -> None:
        side = math.isqrt(self.shifts)
        if side**2 != self.shifts or self.stride % side or self.kernel < self.stride:
            raise ValueError(
                f"{self.shifts} shifts of a {self.kernel} x {self.kernel} kernel every "
                f"{self.stride} pixels do not fit; give a square number of shifts whose root "
                "divides the stride, and a kernel of at least the stride"
            )

    @property
    def step(self) -> int:
        """Pixels between two shifts."""
        return self.stride // math.isqrt(self.shifts)

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as plain JSON values."""
        return asdict(self)


class CSCNet(nn.Module):
    """Noise predictor of shape ``(B, 1, Y, X)`` and level ``(B,)`` to noise ``(B, 1, Y, X)``.

    Parameters
    ----------
    shape : CSCShape
        Its numbers; those of the paper by default.

    Notes
    -----
    The paper trains one network for each level, with one threshold for each atom. Here the
    threshold of atom j at step k is exp(a_kj) sigma^(b_kj) with learned a and b, one network for
    all levels, and :class:`LevelBlend` leaves the image as it is where the level vanishes.
    """

    def __init__(self, shape: CSCShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or CSCShape()
        atoms = first_atoms(shape)
        self.synthesis = Atoms(atoms.T)  # A
        self.analysis = Atoms(atoms.T)  # B, transposed
        self.output = Atoms(atoms.T)  # C
        each = (shape.unfoldings, shape.filters)
        self.log_threshold = nn.Parameter(torch.full(each, math.log(0.5)))
        self.power = nn.Parameter(torch.ones(each))
        self.blend = LevelBlend()
        self.register_load_state_dict_pre_hook(  # type: ignore[no-untyped-call]
            _one_threshold_a_step
        )

    @property
    def stride(self) -> int:
        """Tiles must start at multiples of this many pixels, or they see other grids of atoms."""
        return self.shape.stride

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        kernel, stride = self.shape.kernel, self.shape.stride
        overlaps = (kernel - 1) // stride  # neighbours on one side that an atom speaks to
        return self.shape.unfoldings * overlaps * stride + 2 * kernel

    @property
    def bytes_per_pixel(self) -> int:
        """Peak memory of a call, in bytes a pixel."""
        return 4 * (8 + 4 * self.shape.filters // self.shape.stride**2)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Predict the noise in ``x`` at levels ``sigma``."""
        # At each shift the first and the last pixel lie under whole sets of atoms.
        margin = self.shape.stride + self.shape.kernel - 1
        padded = mirrored(x, margin)
        total = torch.zeros_like(x)
        offsets = range(0, self.shape.stride, self.shape.step)
        for dy, dx in ((dy, dx) for dy in offsets for dx in offsets):
            pause()
            found = self.decode(self.code(self.window(padded, dy, dx), sigma), padded.shape)
            top, left = margin - dy, margin - dx
            total = total + found[..., top : top + x.shape[-2], left : left + x.shape[-1]]
        noise: Tensor = self.blend(x - total / self.shape.shifts, sigma)
        return noise

    def window(self, padded: Tensor, dy: int, dx: int) -> Tensor:
        """Cut the largest window at a shift that whole atoms tile."""
        rows, columns = self._side(padded.shape[-2]), self._side(padded.shape[-1])
        return padded[..., dy : dy + rows, dx : dx + columns]

    def code(self, y: Tensor, sigma: Tensor) -> Tensor:
        """Return the codes (B, filters, positions) of ``y`` after all unfoldings."""
        first, *later = self.thresholds(sigma)
        synthesis, analysis = self.synthesis(), self.analysis().T
        codes = shrink(analysis @ self._cut(y), first)
        for threshold in later:
            residual = self._cut(self._sum(synthesis @ codes, y.shape) - y)
            codes = shrink(codes - analysis @ residual, threshold)
        return codes

    def decode(self, codes: Tensor, shape: torch.Size) -> Tensor:
        """Return the image of some codes, on the window of an image of ``shape``."""
        sides = torch.Size((*shape[:-2], self._side(shape[-2]), self._side(shape[-1])))
        return self._sum(self.output() @ codes, sides)

    def thresholds(self, sigma: Tensor) -> Tensor:
        """Return the thresholds (unfoldings, B, filters, 1) at levels ``sigma`` (B,)."""
        level = sigma.clamp_min(1e-6).log()[:, None]
        return (self.log_threshold[:, None] + self.power[:, None] * level).exp()[..., None]

    def _side(self, length: int) -> int:
        """Return the longest side, less one shift, that whole atoms tile."""
        kernel, stride = self.shape.kernel, self.shape.stride
        return (length - stride + 1 - kernel) // stride * stride + kernel

    def _cut(self, image: Tensor) -> Tensor:
        return F.unfold(image, self.shape.kernel, stride=self.shape.stride)

    def _sum(self, atoms: Tensor, shape: torch.Size) -> Tensor:
        size = (shape[-2], shape[-1])
        return F.fold(atoms, size, self.shape.kernel, stride=self.shape.stride)


def _one_threshold_a_step(net: CSCNet, values: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Repeat thresholds (filters,), which weights may have in common for all steps."""
    for name in (prefix + "log_threshold", prefix + "power"):
        if name in values and values[name].ndim == 1:
            values[name] = values[name].repeat(net.shape.unfoldings, 1)


def first_atoms(shape: CSCShape) -> Tensor:
    """Return the atoms (filters, kernel^2) before training: cosines, and noise in the rest.

    The cosines alone are a tight frame, so the iteration is near its end from the start; from
    random atoms, as in the paper, training spends most of its time on getting there.
    """
    cosines = lapped_cosines(shape.kernel, shape.stride).T[: shape.filters]
    noise = torch.randn(shape.filters - len(cosines), shape.kernel**2)
    noise = 0.2 * F.normalize(noise - noise.mean(1, keepdim=True))
    atoms = torch.cat([cosines, noise])
    return atoms / math.sqrt(largest_eigenvalue(atoms, shape))


def largest_eigenvalue(atoms: Tensor, shape: CSCShape, steps: int = 100) -> float:
    """Return the largest eigenvalue of synthesis after analysis, by power iteration."""
    side = 8 * shape.stride + shape.kernel
    image = torch.randn(1, 1, side, side)
    norm = torch.ones(())
    for _ in range(steps):
        cut = F.unfold(image / image.norm(), shape.kernel, stride=shape.stride)
        image = F.fold(atoms.T @ (atoms @ cut), (side, side), shape.kernel, stride=shape.stride)
        norm = image.norm()
    return float(norm)
