r"""K-SVD: each patch as few atoms as its noise allows, the patches averaged.

Each patch p of 8 x 8 pixels, less its mean, is approximated by as few atoms of D as leave a
residual of the size of the noise,

.. math:: \hat z = \arg\min_z \|z\|_0 \quad\text{with}\quad \|D z - p\|^2 \le n (C\sigma)^2,

with n the pixels of a patch and C = 1.15; the image is the mean of the overlapping D z and, with
the weight lambda = 30/sigma (in grey levels of 255), of the noisy image itself. K-SVD learns D:
it codes the patches, then moves one atom after the other, and its coefficients, to where they
serve those patches best that use it.

References
----------
.. [1] M. Aharon, M. Elad, A. Bruckstein, "K-SVD: an algorithm for designing overcomplete
   dictionaries for sparse representation", IEEE TSP 54 (2006) 4311-4322.
.. [2] M. Elad, M. Aharon, "Image denoising via sparse and redundant representations over
   learned dictionaries", IEEE TIP 15 (2006) 3736-3745.
.. [3] R. Rubinstein, M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm
   using batch orthogonal matching pursuit", Technion CS-2008-08 (2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_credible.denoise.catalogue import WEIGHTS
from napari_credible.denoise.margins import enlarged
from napari_credible.denoise.protocol import levels
from napari_credible.denoise.pursuit import coefficients, matching_pursuit
from napari_credible.knob import Knob
from napari_credible.stopping import pause

# Patches coded at once: their bases fill 64 MiB.
_CHUNK = 1 << 13
# The paper's weight of the noisy image, 30 / sigma, is for grey levels of 255.
_OWN_WEIGHT = 30 / 255


@cache
def global_dictionary() -> Tensor:
    """Return the shipped dictionary (64, 256), learned on photographs by ``scripts/ksvd.py``."""
    from safetensors.torch import load_file

    return F.normalize(load_file(WEIGHTS / "ksvd.safetensors")["dictionary"].float(), dim=0)


@dataclass(frozen=True, eq=False)
class KSVD:
    """Sparse coding of all patches over a dictionary, by pursuit up to the noise.

    Parameters
    ----------
    dictionary : Tensor, shape (pixels of a square patch, atoms)
        Unit atoms of mean zero as columns; the shipped one by default.
    gain : float, sigma
        C: the root mean square that a residual may keep.
    span : float, units of x
        From black to white, for the weight of the noisy image; :meth:`fitted` gives another.
    """

    dictionary: Tensor = field(default_factory=global_dictionary, repr=False)
    gain: Annotated[float, Knob(0.5, 2, "sigma", "what a residual may keep")] = 1.15
    span: float = 1.0

    bytes_per_pixel = 1200

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return math.isqrt(len(self.dictionary))

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        return 2 * (self.patch - 1)

    def fitted(self, low: float, high: float) -> KSVD:
        """Return the same for an image whose values lie mostly in [low, high]."""
        if not high > low:
            raise ValueError(f"the image range is {low:g} to {high:g}; the second must be larger")
        return replace(self, span=float(high - low))

    def to(self, device: str | torch.device) -> KSVD:
        """Return the denoiser on another device; this one stays where it is."""
        return replace(self, dictionary=self.dictionary.to(device))

    def adapted(self, x: Tensor, sigma: float, *, rounds: int = 10, seed: int = 0) -> KSVD:
        """Return a denoiser whose dictionary is learned further on the noisy image itself.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
            The image to be denoised.
        sigma : float, units of x
            Its noise.
        rounds : int
            Of coding and moving the atoms.
        seed : int
            Of the patches drawn, at most 40 000.
        """
        planes = enlarged(x.flatten(0, 1)[:, None].float(), self.patch)
        patches = _all_patches(planes, self.patch).flatten(0, 1)
        rng = torch.Generator().manual_seed(seed)
        drawn = patches[torch.randperm(len(patches), generator=rng)[:40_000].to(x.device)]
        centred = drawn - drawn.mean(1, keepdim=True)
        goal = drawn.new_full((len(drawn),), centred.shape[1] * (self.gain * sigma) ** 2)
        found = learned_dictionary(centred, self.dictionary, goal, rounds=rounds)
        return replace(self, dictionary=found)

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise each channel of ``x`` (B, C, Y, X) at ``sigma``; no level leaves x as it is."""
        each = levels(x, sigma).float()
        planes = [
            self._plane(plane.float()[None, None], level)
            for image, level in zip(x.detach(), each, strict=True)
            for plane in image
        ]
        return torch.cat(planes).reshape(x.shape).to(x.dtype)

    def _plane(self, x: Tensor, sigma: Tensor) -> Tensor:
        if not sigma > 0:
            return x
        rows, columns = x.shape[-2:]
        x = enlarged(x, self.patch)
        cut = _all_patches(x, self.patch)[0]
        clean = torch.cat([self._patches(p, sigma) for p in torch.split(cut, _CHUNK)])
        side = x.shape[-2:]
        total = F.fold(clean.T[None], side, self.patch)
        count = F.fold(torch.ones_like(clean.T[None]), side, self.patch)
        own = _OWN_WEIGHT * self.span / sigma
        return ((own * x + total) / (own + count))[..., :rows, :columns]

    def _patches(self, patches: Tensor, sigma: Tensor) -> Tensor:
        pause()
        mean = patches.mean(1, keepdim=True)
        n = patches.shape[1]
        error = (n * (self.gain * sigma) ** 2).expand(len(patches))
        found = matching_pursuit(patches - mean, self.dictionary.to(patches), error, n // 2)
        return found.approximation + mean


def _all_patches(x: Tensor, side: int) -> Tensor:
    """Return the patches (B, N, pixels) of ``x`` (B, 1, Y, X), at least ``side`` each way."""
    return F.unfold(x, side).transpose(1, 2)


def learned_dictionary(
    patches: Tensor, dictionary: Tensor, error: Tensor, *, rounds: int, most: int = 16
) -> Tensor:
    """Learn a dictionary by K-SVD.

    Parameters
    ----------
    patches : Tensor, shape (N, pixels)
        Of mean zero.
    dictionary : Tensor, shape (pixels, atoms)
        To start from.
    error : Tensor, shape (N,)
        Squared norm that each residual may keep.
    rounds : int
        Of coding all patches and moving all atoms.
    most : int
        Atoms to a patch.

    Returns
    -------
    Tensor, shape (pixels, atoms)
    """
    dictionary = dictionary.to(patches).clone()
    for _ in range(rounds):
        parts = zip(torch.split(patches, _CHUNK), torch.split(error, _CHUNK), strict=True)
        atoms = [matching_pursuit(p, dictionary, e, most).atoms for p, e in parts]
        codes = coefficients(patches, dictionary, torch.cat(atoms))
        _move_atoms(dictionary, codes, patches)
    return dictionary


def _move_atoms(dictionary: Tensor, codes: Tensor, patches: Tensor) -> None:
    """Move each atom and its coefficients towards their best rank-one fit, in place."""
    residual = patches - codes @ dictionary.T
    for j in range(dictionary.shape[1]):
        users = torch.nonzero(codes[:, j])[:, 0]
        if len(users):
            held, code = residual[users], codes[users, j]
            held = held + code[:, None] * dictionary[:, j]
            atom = F.normalize(held.T @ code, dim=0)
            dictionary[:, j], codes[users, j] = atom, held @ atom
            residual[users] = held - (held @ atom)[:, None] * atom
        else:  # an atom that nobody uses becomes the worst-served patch
            dictionary[:, j] = F.normalize(patches[residual.square().sum(1).argmax()], dim=0)
