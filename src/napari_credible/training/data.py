"""Clean crops from folders of images, augmented, with noise added at a stated density."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset

from napari_credible.training.folders import Folder, Pixels, unit
from napari_credible.training.schedule import Levels

Batch = tuple[Tensor, Tensor, Tensor]
# Number of a step, of its crops, and their side.
Step = tuple[int, int, int]


class Mixture(Dataset[Batch]):
    """Draws of clean crops from several folders.

    The draw of a step depends on the seed and its number alone, so a resumed run continues with
    the same data as one that was never stopped, whatever the number of workers.

    Parameters
    ----------
    folders : sequence of Folder
        Drawn from by their shares.
    levels : Levels
        Density of the noise levels.
    seed : int
        Of all draws.
    """

    def __init__(
        self, folders: Sequence[Folder], levels: Levels | None = None, seed: int = 0
    ) -> None:
        self.folders, self.levels, self.seed = folders, levels or Levels(), seed
        shares = np.array([folder.share for folder in folders])
        self.shares: NDArray[np.float64] = shares / shares.sum()

    def __getitem__(self, step: Step) -> Batch:
        """Return clean, noisy ``(count, 1, side, side)`` and sigma ``(count,)`` of a step."""
        number, count, side = step
        rng = np.random.default_rng([self.seed, number])
        clean = torch.from_numpy(np.stack([self._crop(rng, side) for _ in range(count)]))[:, None]
        sigma = torch.from_numpy(self.levels.draw(rng, count))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
        return clean, clean + sigma.view(-1, 1, 1, 1) * noise, sigma

    def batches(self, steps: Iterable[Step], workers: int = 0) -> Iterator[Batch]:
        """Return the batches of ``steps``, made ahead by other processes where there are some."""
        # Without batching of its own, the loader hands each step whole to one worker. Forked
        # workers would inherit the threads and the GPU of this process.
        context = "spawn" if workers else None
        return iter(
            DataLoader(
                self,
                batch_size=None,
                sampler=steps,
                num_workers=workers,
                multiprocessing_context=context,
                worker_init_fn=_ignore_interrupts,
            )
        )

    def _crop(self, rng: Generator, side: int) -> NDArray[np.float32]:
        folder = self.folders[rng.choice(len(self.folders), p=self.shares)]
        image = folder[int(rng.integers(len(folder)))]
        crop = _rescaled(rng, image, side)
        crop = np.rot90(crop, int(rng.integers(4)))
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if folder.stars and rng.random() < 0.5:
            crop = _with_stars(rng, crop)
        return np.ascontiguousarray(_retoned(rng, crop))


def _ignore_interrupts(_: int) -> None:
    """Leave Ctrl-C to the process that trains: it still needs its batch to end the step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _rescaled(rng: Generator, image: Pixels, side: int) -> NDArray[np.float32]:
    """Cut a crop, 60 % of the time from the image shrunk up to threefold.

    A scene seen from further away has finer texture; one photograph stands for many.
    """
    shrink = rng.uniform(1, 3) if rng.random() < 0.6 else 1.0
    cut = max(min(round(side * shrink), *image.shape), 1)
    y, x = (rng.integers(n - cut + 1) for n in image.shape)
    crop = unit(image[y : y + cut, x : x + cut])
    if cut == side:
        return crop
    pixels = torch.from_numpy(crop)[None, None]
    small = interpolate(pixels, (side, side), mode="bicubic", antialias=True)
    return np.asarray(small[0, 0].clamp(float(crop.min()), float(crop.max())))


def _retoned(rng: Generator, crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change contrast, brightness or polarity of a third of the crops.

    A measured image fills its range in ways that photographs do not: dark fields with a few
    bright spots, faint contrast on a high background.
    """
    kind = rng.random()
    if kind < 0.15:
        return np.power(np.maximum(crop, 0), rng.uniform(1, 3), dtype=np.float32)
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
