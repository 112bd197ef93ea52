"""The planes of a channel, one after another, tile by tile."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.channel import Channel, filled, flagged
from napari_credible.flags import Flag
from napari_credible.pilot import level_of
from napari_credible.plan import Plan
from napari_credible.stopping import stoppable

if TYPE_CHECKING:
    from torch import Tensor

    from napari_credible.tiling import Tile

Denoise = Callable[..., Any]
Steps = Generator["Progress", None, Any]

# Large enough that a call's fixed cost does not count, small enough to take a blink.
_TRIAL_SIDE = 256


@dataclass(frozen=True)
class Progress:
    """How far a run is: ``done`` of ``total`` tiles, and what it does in words.

    While drawing, ``posterior`` are the draws that are done, once there are two.
    """

    done: int
    total: int
    doing: str
    posterior: Any = None


@dataclass(frozen=True, eq=False)
class Work:
    """One channel: what is read, where it is written, and how."""

    planes: Any
    estimate: NDArray[np.float32]
    flags: NDArray[np.uint8]
    channel: Channel
    todo: Plan
    number: int


def denoise_channel(work: Work, denoiser: Denoise, stop: Callable[[], bool] | None) -> Steps:
    """Denoise all planes of one channel into its estimate and flags."""
    model, todo = work.channel.model, work.todo
    fitted, doubtful = work.channel.fit(denoiser)
    per_plane = todo.tiles // (todo.channels * todo.planes)
    for number, place in enumerate(np.ndindex(work.planes.shape[:-2])):
        plane = np.asarray(work.planes[place], dtype=np.float64)
        flag = flagged(plane, work.channel)
        counts = filled(plane, flag)
        stabilised = model.stabilise(counts)
        done = (work.number * todo.planes + number) * per_plane

        def denoised(sigma: Any, z: Any = stabilised, done: int = done) -> Steps:
            return (yield from one_plane(z, fitted, todo, done, stop, sigma))

        level = yield from level_of(counts, model, takes_maps(fitted), denoised)
        found = yield from denoised(level)
        light = model.restore(found)
        flag |= np.where(model.faint(light), np.uint8(Flag.FAINT), np.uint8(0))
        kept = flag & (Flag.NOT_FINITE | Flag.SATURATED) > 0
        work.estimate[place] = np.where(kept, plane, light)
        work.flags[place] = flag | np.uint8(doubtful)


def takes_maps(denoiser: Denoise) -> bool:
    """Return whether a denoiser takes noise levels that differ from pixel to pixel."""
    return bool(getattr(denoiser, "takes_maps", False))


def one_plane(
    stabilised: NDArray[np.float64],
    denoiser: Denoise,
    todo: Plan,
    done: int,
    stop: Callable[[], bool] | None,
    sigma: float | Tensor = 1.0,
) -> Steps:
    """Denoise one stabilised plane tile by tile, with smaller tiles where memory runs out."""
    import torch

    from napari_credible.tiling import Joined, read

    plane = torch.from_numpy(stabilised.astype(np.float32)).to(todo.device)
    grid = todo.grid
    share = len(grid.tiles())
    while True:
        try:
            joined, tiles = Joined(plane), grid.tiles()
            for number, tile in enumerate(tiles):
                yield Progress(done + number * share // len(tiles), todo.tiles, "denoising")
                with torch.inference_mode(), stoppable(stop):
                    level = cut(sigma, tile, plane)
                    joined.add(tile, called(denoiser, read(plane, tile), level)[0, 0])
            yield Progress(done + share, todo.tiles, "denoising")
            return joined.plane().cpu().numpy()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            grid = grid.halved()
            if todo.device.startswith("cuda"):
                torch.cuda.empty_cache()


def cut(sigma: float | Tensor, tile: Tile, like: Tensor) -> float | Tensor:
    """Return the part of a map of levels that a tile reads; a number as it is."""
    if isinstance(sigma, (int, float)):
        return sigma
    part: Tensor = sigma[..., tile.rows.read, tile.columns.read].to(like.device)
    return part


def called(denoiser: Denoise, x: Tensor, sigma: float | Tensor = 1.0) -> Tensor:
    """Call a denoiser and hold it to its shape."""
    import torch

    found = denoiser(x, sigma)
    if not isinstance(found, torch.Tensor) or found.shape != x.shape:
        shape = tuple(getattr(found, "shape", ()))
        raise ValueError(
            f"the denoiser returned {type(found).__name__} of shape {shape} for {tuple(x.shape)}; "
            "napari_credible.denoise.check_denoiser(denoiser) tells what to mend"
        )
    if not bool(torch.isfinite(found).all()):
        raise ValueError(
            "the denoiser returned values that are not finite numbers; try another precision, or "
            "napari_credible.denoise.check_denoiser(denoiser)"
        )
    return found


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on whatever device."""
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        "allocate memory" in str(error) or "not enough memory" in str(error)
    )


def seconds_per_pixel(denoiser: Denoise, device: str) -> float:
    """Time one small tile; the first call, which also warms up, is not counted."""
    import torch

    generator = torch.Generator().manual_seed(0)
    trial = torch.randn(1, 1, _TRIAL_SIDE, _TRIAL_SIDE, generator=generator).to(device)
    with torch.inference_mode():
        called(denoiser, trial)
        started = time.perf_counter()
        # A copy to the host waits for a device that computes on its own.
        called(denoiser, trial).cpu()
    return (time.perf_counter() - started) / trial.numel()
