"""Draws of all planes of an image: stabilised, sampled at noise level 1, and mapped back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.channel import Channel, filled, flagged
from napari_credible.flags import Flag
from napari_credible.pilot import level_of
from napari_credible.plan import Plan
from napari_credible.planes import Progress, called, cut, out_of_memory, takes_maps
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.samplers import Sampler, walk
from napari_credible.stopping import Stopped, pause, stoppable
from napari_credible.stored import Store
from napari_credible.streamed import Streamed
from napari_credible.tiling import Grid, Joined, read

if TYPE_CHECKING:
    from torch import Tensor

Denoise = Callable[..., Any]
Array = NDArray[np.float32]
# Doubts of pixels of which the data say nothing.
BY_THEMSELVES = Flag.NOT_FINITE | Flag.SATURATED


class Tiled:
    """A denoiser that is called tile by tile, with smaller tiles where memory runs out.

    The whole image is the state of a sampler, and only the call is cut, so that draws do not
    depend on the tiles.
    """

    def __init__(self, denoiser: Denoise, grid: Grid) -> None:
        self.denoiser, self.grid = denoiser, grid

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise ``x`` (B, 1, Y, X) at a number or a map (1, 1, Y, X)."""
        while True:
            try:
                return self._joined(x, sigma)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                self.grid = self.grid.halved()

    def _joined(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        import torch

        tiles = self.grid.tiles()
        if len(tiles) == 1:
            pause()
            return called(self.denoiser, x, sigma)
        found = []
        for image in x:
            joined = Joined(image[0])
            for tile in tiles:
                pause()
                level = cut(sigma, tile, image)
                joined.add(tile, called(self.denoiser, read(image[0], tile), level)[0, 0])
            found.append(joined.plane())
        return torch.stack(found)[:, None]


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn, from what, and how."""

    recipe: Recipe
    sampler: Sampler
    denoiser: Denoise
    todo: Plan
    channels: list[Channel]
    planes: Any
    flags: NDArray[np.uint8]
    back: Callable[[Array], Array]
    stop: Callable[[], bool] | None
    scratch: str | None = None

    def draws(self) -> Generator[Progress, None, Posterior | Streamed]:
        """Draw, a few images at once; asked to stop, return what is done.

        Raises
        ------
        Stopped
            Where it is asked before there are two draws.
        """
        back = self.back
        shape = back(np.broadcast_to(np.float32(0), self.planes.shape)).shape
        kept = keeper(self.recipe, self.todo, shape, self._lowest(), self.scratch)
        n_draws, together = self.recipe.n_draws, self.todo.together
        return (yield from drawn(kept, n_draws, together, self._several, back))

    def _lowest(self) -> Any:
        """Return the least possible value: a number, or one for each pixel."""
        least = [channel.model.lowest() for channel in self.channels]
        if all(np.ndim(each) == 0 for each in least) and len(set(least)) == 1:
            return least[0]
        whole = np.full(self.planes.shape, -np.inf, dtype=np.float32)
        for number, each in enumerate(least):
            whole[number] = each
        return self.back(whole)

    def _several(self, done: int, count: int, kept: Any) -> Generator[Progress, None, Array]:
        """Return draws ``done`` to ``done + count`` of all planes, channels first."""
        found = np.empty((count, *self.planes.shape), dtype=np.float32)
        # The opacity of a colour image has no noise.
        found[:, len(self.channels) :] = np.asarray(self.planes[len(self.channels) :])
        places = list(np.ndindex(self.planes.shape[1:-2]))
        for number, channel in enumerate(self.channels):
            denoiser, doubtful = channel.fit(self.denoiser)
            for plane, place in enumerate(places):
                here = (number, *place)
                before = done * len(self.channels) * len(places) * self.sampler.evaluations
                before += (number * len(places) + plane) * count * self.sampler.evaluations
                seeds = [(self.recipe.seed, number, plane, k) for k in range(done, done + count)]
                found[(slice(None), *here)] = yield from self._plane(
                    here, channel, denoiser, doubtful, seeds, before, kept
                )
        return found

    def _plane(
        self,
        here: tuple[int, ...],
        channel: Channel,
        denoiser: Denoise,
        doubtful: Flag,
        seeds: Sequence[tuple[int, ...]],
        before: int,
        kept: Any,
    ) -> Generator[Progress, None, Array]:
        """Draw from the posterior of one plane."""
        import torch

        plane = np.asarray(self.planes[here], dtype=np.float64)
        flag = flagged(plane, channel)
        counts = filled(plane, flag)
        stabilised = channel.model.stabilise(counts)

        def denoised(sigma: Any) -> Generator[Progress, None, NDArray[np.float64]]:
            yield Progress(before, self.todo.calls, "finding the noise level")
            with torch.inference_mode(), stoppable(self.stop):
                found = Tiled(denoiser, self.todo.grid)(y, sigma.to(y.device))
            return np.asarray(found[0, 0].cpu().numpy(), dtype=np.float64)

        y = torch.from_numpy(stabilised.astype(np.float32)).to(self.todo.device)[None, None]
        level = yield from level_of(counts, channel.model, takes_maps(denoiser), denoised)
        scale = level if isinstance(level, float) else level.to(y.device)
        tiled, noise = Tiled(denoiser, self.todo.grid), Noise(seeds, y, scale)
        # Levels that differ between pixels fall together: each pixel in its own unit.
        going = walk(self.sampler, lambda x, s: tiled(x, s * scale), y, 1.0, noise, len(seeds))
        share = self.sampler.evaluations * len(seeds) / (self.sampler.steps + 1)
        so_far = kept.posterior() if kept.n_draws > 1 else None
        step = 0
        while True:
            with torch.inference_mode(), stoppable(self.stop):
                pause()
                state = next(going, None)
            if state is None:
                break
            last, step = state, step + 1
            yield Progress(before + int(step * share), self.todo.calls, "drawing", so_far)
        light = np.stack([channel.model.light_of(draw[0].cpu().numpy()) for draw in last.clean])
        flag |= np.where(channel.model.faint(light.mean(0)), np.uint8(Flag.FAINT), np.uint8(0))
        self.flags[here] = flag | np.uint8(doubtful)
        # Of these pixels the data say nothing about the spread.
        light[:, flag & BY_THEMSELVES > 0] = np.nan
        return light.astype(np.float32)


def keeper(
    recipe: Recipe, todo: Plan, shape: tuple[int, ...], lowest: Any, scratch: str | None
) -> Store | Kept | Streamed:
    """Return what takes draws of a shape: in memory, on disk or as maps, as planned.

    Parameters
    ----------
    recipe : Recipe
        How many, and which maps.
    todo : Plan
        Whether they go to disk.
    shape : tuple of int
        Of one draw.
    lowest : float or ndarray
        No value lies below it.
    scratch : path, optional
        Where draws on disk are kept; the system's temporary folder where not given.
    """
    if todo.on_disk:
        return Store(shape, recipe.n_draws, lowest, recipe.widen, scratch)
    if recipe.keep != "maps":
        return Kept(shape, recipe.n_draws, lowest, recipe.widen)
    return Streamed(shape, recipe.n_draws, recipe.level, recipe.threshold, lowest, recipe.widen)


def drawn(
    kept: Store | Kept | Streamed,
    n_draws: int,
    together: int,
    several: Callable[[int, int, Any], Generator[Progress, None, Array]],
    back: Callable[[Array], Array],
) -> Generator[Progress, None, Posterior | Streamed]:
    """Draw, a few images at once; asked to stop, return what is done.

    Parameters
    ----------
    kept : Store, Kept or Streamed
        Takes the draws.
    n_draws, together : int
        In all, and at once.
    several : callable
        Takes how many are done and how many to make, and ``kept``; returns the steps to them.
    back : callable
        Brings a draw into the order of the image's axes.

    Raises
    ------
    Stopped
        Where it is asked before there are two draws.
    """
    done = 0
    try:
        while done < n_draws:
            count = min(together, n_draws - done)
            for draw in (yield from several(done, count, kept)):
                kept.add(back(draw))
            done += count
    except Stopped:
        if kept.n_draws < 2:
            raise
    found: Posterior | Streamed = kept.posterior()
    return found


class Noise:
    """Standard normal images, each draw's from a stream of its own.

    So a draw is the same whatever is drawn beside it, on whatever device.
    """

    def __init__(
        self, seeds: Sequence[tuple[int, ...]], like: Tensor, scale: float | Tensor = 1.0
    ) -> None:
        import torch

        self._like, self._scale = like, scale
        self._streams = [
            torch.Generator().manual_seed(int(np.random.SeedSequence(s).generate_state(1)[0]))
            for s in seeds
        ]

    def __call__(self) -> Tensor:
        """Return new numbers (draws, 1, Y, X)."""
        import torch

        shape = self._like.shape[1:]
        numbers = torch.stack([torch.randn(shape, generator=g) for g in self._streams])
        return self._scale * numbers.to(self._like.device, self._like.dtype)


class Kept:
    """Draws as they come."""

    def __init__(self, shape: tuple[int, ...], n_draws: int, lowest: Any, widen: float) -> None:
        self._draws = np.empty((n_draws, *shape), dtype=np.float32)
        self._about = {"lowest": lowest, "widen": widen}
        self.n_draws = 0

    def add(self, draw: Array) -> None:
        """Take one more."""
        self._draws[self.n_draws] = draw
        self.n_draws += 1

    def posterior(self) -> Posterior:
        """Return those so far, without a copy."""
        return Posterior(self._draws[: self.n_draws], **self._about)
