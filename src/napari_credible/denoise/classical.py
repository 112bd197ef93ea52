"""Denoisers of the era before learning; these through scikit-image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import restoration
from torch import Tensor

from napari_credible.denoise.ksvd import KSVD
from napari_credible.denoise.protocol import Denoiser, levels
from napari_credible.knob import Knob
from napari_credible.stopping import pause

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Wavelet:
    """BayesShrink of Daubechies wavelets, averaged over shifts.

    References
    ----------
    .. [1] S. G. Chang, B. Yu, M. Vetterli, "Adaptive wavelet thresholding for image denoising
       and compression", IEEE TIP 9 (2000) 1532-1546.
    .. [2] R. Coifman, D. Donoho, "Translation-invariant de-noising", in Wavelets and
       Statistics (1995).
    """

    whole = True  # thresholds are found over the whole plane

    shifts: Annotated[int, Knob(0, 7, "pixels", "shifts along each axis, averaged")] = 3

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise ``x`` (B, C, Y, X)."""
        return _each_plane(x, sigma, self._plane)

    def _plane(self, plane: Plane, sigma: float) -> Plane:
        places = [(y, x) for y in range(self.shifts + 1) for x in range(self.shifts + 1)]
        total = np.zeros_like(plane)
        for place in places:
            pause()
            moved = np.roll(plane, place, (0, 1))
            shrunk = restoration.denoise_wavelet(
                moved, sigma=sigma, wavelet="db2", rescale_sigma=False, method="BayesShrink"
            )
            total += np.roll(shrunk, (-place[0], -place[1]), (0, 1))
        return total / np.float32(len(places))


@dataclass(frozen=True)
class TotalVariation:
    """The image of least total variation near x, by Chambolle's dual algorithm.

    References
    ----------
    .. [1] L. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal
       algorithms", Physica D 60 (1992) 259-268.
    .. [2] A. Chambolle, "An algorithm for total variation minimization and applications",
       Journal of Mathematical Imaging and Vision 20 (2004) 89-97.
    """

    whole = True  # the iteration stops by a change of the whole plane

    strength: Annotated[float, Knob(0, 10, "sigma", "weight of the total variation")] = 0.9

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise ``x`` (B, C, Y, X)."""
        return _each_plane(x, sigma, self._plane)

    def _plane(self, plane: Plane, sigma: float) -> Plane:
        weight = self.strength * sigma
        smooth = restoration.denoise_tv_chambolle(plane, weight=weight, eps=1e-4, max_num_iter=200)
        return np.asarray(smooth, dtype=np.float32)


@dataclass(frozen=True)
class NonLocalMeans:
    """Averages of pixels whose surroundings look alike.

    References
    ----------
    .. [1] A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising",
       CVPR (2005).
    """

    strength: Annotated[float, Knob(0, 10, "sigma", "how unlike averaged patches may be")] = 0.75
    patch: Annotated[int, Knob(3, 15, "pixels", "side of a patch")] = 5
    distance: Annotated[int, Knob(1, 30, "pixels", "largest distance of a patch")] = 9

    @property
    def reach(self) -> int:
        """Pixels beyond which an input pixel cannot change an output pixel."""
        return self.distance + self.patch

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise ``x`` (B, C, Y, X)."""
        return _each_plane(x, sigma, self._plane)

    def _plane(self, plane: Plane, sigma: float) -> Plane:
        averaged = restoration.denoise_nl_means(
            plane,
            patch_size=self.patch,
            patch_distance=self.distance,
            h=self.strength * sigma,
            sigma=sigma,
            fast_mode=True,
        )
        return np.asarray(averaged, dtype=np.float32)


def by_name(name: str) -> Denoiser:
    """Return a classical denoiser with its default numbers."""
    kinds: dict[str, Callable[[], Denoiser]] = {
        "wavelet": Wavelet,
        "tv": TotalVariation,
        "nlm": NonLocalMeans,
        "ksvd": KSVD,
    }
    return kinds[name]()


def _each_plane(
    x: Tensor, sigma: float | Tensor, denoise: Callable[[Plane, float], Plane]
) -> Tensor:
    """Denoise plane by plane, each scaled to [0, 1], for which scikit-image is made."""
    each = levels(x, sigma)
    out = torch.empty_like(x)
    for b, level in enumerate(each.tolist()):
        for c in range(x.shape[1]):
            pause()
            plane = x[b, c].detach().cpu().numpy().astype(np.float32)
            scale = float(np.ptp(plane))
            if level > 0 and scale > 0:
                low = float(plane.min())
                plane = low + scale * denoise((plane - low) / scale, level / scale)
            out[b, c] = torch.from_numpy(np.asarray(plane)).to(x)
    return out
