"""Clean crops from folders of images, augmented, with noise added at a stated density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

_SUFFIXES = {".png", ".tif", ".tiff"}
# Below this the network is asked for the identity; above 1 the image is lost anyway.
_SIGMA_RANGE = (1e-3, 1.0)
_PHOTOGRAPHIC_SIGMA = 80 / 255


@dataclass(frozen=True)
class Folder:
    """Images of one kind, read once and kept in their own integer type."""

    images: list[NDArray[np.integer[Any]]]
    share: float
    stars: bool = False


@dataclass(frozen=True)
class Mixture:
    """Draws of clean crops from several folders.

    The draw of step ``k`` depends on the seed and ``k`` alone, so a resumed run continues with
    the same data as one that was never stopped.
    """

    folders: Sequence[Folder]
    seed: int = 0
    shares: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        shares = np.array([folder.share for folder in self.folders])
        object.__setattr__(self, "shares", shares / shares.sum())

    def batch(self, step: int, count: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return clean, noisy ``(count, 1, side, side)`` and sigma ``(count,)`` of a step."""
        rng = np.random.default_rng([self.seed, step])
        clean = torch.from_numpy(np.stack([self._crop(rng, side) for _ in range(count)]))[:, None]
        sigma = torch.from_numpy(draw_sigma(rng, count))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
        return clean, clean + sigma.view(-1, 1, 1, 1) * noise, sigma

    def _crop(self, rng: Generator, side: int) -> NDArray[np.float32]:
        folder = self.folders[rng.choice(len(self.folders), p=self.shares)]
        image = folder.images[rng.integers(len(folder.images))]
        crop = _rescaled(rng, image, side)
        crop = np.rot90(crop, int(rng.integers(4)))
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if folder.stars and rng.random() < 0.5:
            crop = _with_stars(rng, crop)
        return np.ascontiguousarray(_retoned(rng, crop))


def draw_sigma(rng: Generator, count: int) -> NDArray[np.float32]:
    """Draw noise levels: 40 % log-uniform over [0.001, 1], 60 % uniform over [0, 80/255].

    A sampler spends most of its steps at small levels, so these must be trained as well as
    the levels at which photographs are usually tested.
    """
    low, high = np.log(_SIGMA_RANGE)
    logarithmic = np.exp(rng.uniform(low, high, count))
    uniform = rng.uniform(0, _PHOTOGRAPHIC_SIGMA, count)
    return np.where(rng.random(count) < 0.4, logarithmic, uniform).astype(np.float32)


def read_folder(path: Path, share: float, *, stars: bool = False, least_side: int = 128) -> Folder:
    """Read every single-channel PNG and TIFF below ``path`` whose sides allow a crop."""
    from skimage.io import imread

    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
    images = [imread(p) for p in files]
    images = [i for i in images if i.ndim == 2 and min(i.shape) >= least_side]
    if not images:
        raise ValueError(
            f"{path} holds no single-channel image of at least {least_side} pixels a side; "
            "give a folder of PNG or TIFF images"
        )
    return Folder(images, share, stars)


def _rescaled(rng: Generator, image: NDArray[np.integer[Any]], side: int) -> NDArray[np.float32]:
    """Cut a crop, 60 % of the time from the image shrunk up to threefold.

    A scene seen from further away has finer texture; one photograph stands for many.
    """
    shrink = rng.uniform(1, 3) if rng.random() < 0.6 else 1.0
    cut = min(round(side * shrink), *image.shape)
    y, x = (rng.integers(n - cut + 1) for n in image.shape)
    crop = image[y : y + cut, x : x + cut].astype(np.float32)
    crop /= np.iinfo(image.dtype).max
    if cut == side:
        return crop
    pixels = torch.from_numpy(crop)[None, None]
    small = interpolate(pixels, (side, side), mode="bicubic", antialias=True)
    return np.asarray(small[0, 0].clamp(0, 1))


def _retoned(rng: Generator, crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change contrast, brightness or polarity of a third of the crops.

    A measured image fills its range in ways that photographs do not: dark fields with a few
    bright spots, faint contrast on a high background.
    """
    kind = rng.random()
    if kind < 0.15:
        return np.power(crop, rng.uniform(1, 3), dtype=np.float32)
    if kind < 0.3:
        contrast = rng.uniform(0.3, 1)
        return np.float32(contrast) * crop + np.float32(rng.uniform(0, 1 - contrast))
    if kind < 0.34:
        return np.float32(1) - crop
    return crop


def _with_stars(rng: Generator, crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dim the crop and add point sources of one width with fluxes of a power law."""
    side = crop.shape[0]
    width = rng.uniform(0.7, 2.5)
    field = np.float32(rng.uniform(0.05, 0.7)) * crop
    axis = np.arange(side)
    for _ in range(rng.integers(2, 25)):
        y, x = rng.uniform(0, side, 2)
        peak = min(1.0, 0.02 * rng.pareto(1.0) + 0.02)
        column, row = (np.exp(-0.5 * ((axis - c) / width) ** 2) for c in (y, x))
        field = field + (peak * np.outer(column, row)).astype(np.float32)
    return np.asarray(np.minimum(field, np.float32(1)))
