"""PSNR of a denoiser on folders of clean images, with the same noise each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_credible.training.folders import Folder, unit

LEVELS = (15.0, 25.0, 50.0)


@dataclass(frozen=True)
class Score:
    """Mean PSNR (dB, peak 1) over the images of a folder, and the speed (pixels a second)."""

    psnr: float
    speed: float


def score(denoiser: Callable[..., Any], folder: Folder, level: float, device: str = "cpu") -> Score:
    """Denoise images with added Gaussian noise.

    Parameters
    ----------
    denoiser : callable
        D(x, sigma) on torch ``(1, 1, Y, X)``, images in [0, 1].
    folder : Folder
        Clean images; the noise of each depends on its place alone. It is neither clipped nor
        rounded, and neither is the estimate.
    level : float
        Standard deviation of the noise, in 255ths of the range.
    device : str
        Where the denoiser runs.
    """
    found, pixels, seconds = list[float](), 0, 0.0
    for seed in range(len(folder)):
        clean = torch.from_numpy(unit(folder[seed]))[None, None]
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
        noisy = (clean + level / 255 * noise).to(device)
        started = time.perf_counter()
        with torch.inference_mode():
            estimate = denoiser(noisy, level / 255).cpu()
        seconds += time.perf_counter() - started
        pixels += clean.numel()
        found.append(-10 * np.log10(float((estimate - clean).square().mean())))
    return Score(float(np.mean(found)), pixels / seconds)


def table(
    denoiser: Callable[..., Any], folders: Mapping[str, Folder], device: str = "cpu"
) -> dict[str, dict[str, float]]:
    """Return the PSNR by folder and level, as a model card holds it."""
    return {
        name: {
            f"{level:g}": round(score(denoiser, folder, level, device).psnr, 3) for level in LEVELS
        }
        for name, folder in folders.items()
    }
