"""The noise level of a stabilised plane where photons are so few that it is not 1.

Below some four photoelectrons no transform makes the variance 1: counts of a dark pixel hardly
vary at all. Told level 1, a denoiser takes its faint detail for noise, and a sampler's spread is
of another image. But the level is a known function of the light, and the light need be known
only roughly for it: from smoothed counts, then from the image denoised so far.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Steps = Generator[Any, None, Any]
# Nearer to 1 than the denoiser's own knowledge of a level.
_NEAR_ONE = 0.02
# Pixels over which the first guess is smoothed, and the later ones; passes after the first.
_FIRST, _LATER, _PASSES = 3.0, 1.0, 2
# Photoelectrons that a pixel is taken to have at least: a guess of none would fix its value.
_LEAST = 0.05


def level_of(
    counts: NDArray[np.float64],
    model: Any,
    maps: bool,
    denoised: Callable[[Tensor], Generator[Any, None, NDArray[np.float64]]],
) -> Generator[Any, None, float | Tensor]:
    """Return the noise level of a stabilised plane: 1, another number, or a map (1, 1, Y, X).

    Parameters
    ----------
    counts : ndarray, shape (Y, X), image units
        Finite.
    model : NoiseModel
        Of the counts.
    maps : bool
        Whether the denoiser takes levels that differ from pixel to pixel; else it is told the
        root of their mean square.
    denoised : callable
        Denoises the stabilised plane at a map, yielding progress.
    """
    import torch

    found = rough_level(counts, model)
    if np.abs(found - 1).max() < _NEAR_ONE:
        return 1.0
    if not maps:
        return float(np.sqrt(np.square(found).mean()))
    for _ in range(_PASSES):
        light = yield from denoised(torch.from_numpy(found.astype(np.float32))[None, None])
        found = rough_level(model.restore(light), model, _LATER)
    return torch.from_numpy(found.astype(np.float32))[None, None]


def rough_level(
    light: NDArray[np.float64], model: Any, width: float = _FIRST
) -> NDArray[np.float64]:
    """Return the noise level of the stabilised counts of smoothed ``light``, both (Y, X)."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(light, width, mode="nearest")
    found: NDArray[np.float64] = model.deviation(np.maximum(smooth, model.least(_LEAST)))
    return found
