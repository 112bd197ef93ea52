"""The posterior of all planes of an image without draws, from products with the Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.channel import Channel, filled, flagged
from napari_credible.drawing import BY_THEMSELVES, Tiled
from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.jacobian import Linearised
from napari_credible.jvp import with_slope
from napari_credible.pilot import level_of
from napari_credible.plan import Plan
from napari_credible.planes import Progress, cut, out_of_memory, takes_maps
from napari_credible.probing import diagonal, lattice
from napari_credible.recipe import Recipe
from napari_credible.stopping import pause, stoppable
from napari_credible.tiling import Grid, Joined, read

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Slope:
    """A denoiser and its derivative at one plane, tile by tile.

    Products are taken of A = S^-1 J S, S the noise levels: the covariance of the clean image
    given the noisy one, where its noise is white.
    """

    denoiser: Callable[..., Any]
    grid: Grid
    x: Tensor
    level: float | Tensor

    def clean(self) -> Tensor:
        """Return D(x), shape (1, 1, Y, X)."""
        return Tiled(self.denoiser, self.grid)(self.x, self.level)

    def __call__(self, directions: Tensor) -> Tensor:
        """Return A times each of the directions (n, 1, Y, X)."""
        grid = self.grid
        while True:
            try:
                return self._joined(directions, grid)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                grid = grid.halved()

    def _joined(self, directions: Tensor, grid: Grid) -> Tensor:
        joined = [Joined(self.x[0, 0]) for _ in directions]
        for tile in grid.tiles():
            pause()
            level = cut(self.level, tile, self.x)
            along = directions[..., tile.rows.read, tile.columns.read] * level
            here = read(self.x[0, 0], tile).expand(len(along), -1, -1, -1)
            answers = with_slope(self.denoiser, here, level, along)[1] / level
            for plane, answer in zip(joined, answers, strict=True):
                plane.add(tile, answer[0])
        import torch

        return torch.stack([plane.plane() for plane in joined])[:, None]


@dataclass(frozen=True, eq=False)
class Spreading:
    """What is linearised, around what, and how."""

    recipe: Recipe
    denoiser: Callable[..., Any]
    todo: Plan
    channels: list[Channel]
    image: Image
    flags: NDArray[np.uint8]
    stop: Callable[[], bool] | None

    def posterior(self) -> Generator[Progress, None, Linearised]:
        """Return the posterior of the whole image, its covariance at hand."""
        planes = by_channel(self.image)
        centre = np.array(planes, dtype=np.float32)
        spread = np.zeros(planes.shape, dtype=np.float32)
        slopes: dict[tuple[int, ...], Slope] = {}
        for number, channel in enumerate(self.channels):
            for place in np.ndindex(planes.shape[1:-2]):
                here = (number, *place)
                before = len(slopes) * self.todo.evaluations
                slopes[here] = yield from self._slope(planes[here], channel, here, before)
                centre[here], spread[here] = yield from self._plane(slopes[here], before)
                unknown = self.flags[here] & BY_THEMSELVES > 0
                centre[here][unknown] = spread[here][unknown] = np.nan
                # Light flagged as faint is that of the estimate.
                light = channel.model.light_of(np.nan_to_num(centre[here]))
                faint = channel.model.faint(light) & ~unknown
                self.flags[here] |= np.where(faint, np.uint8(Flag.FAINT), np.uint8(0))
        return Linearised(
            centre=self._back(centre),
            spread=self._back(spread),
            light=self._light,
            covariance=self._covariance(slopes),
            lowest=self._lowest(planes.shape),
            widen=self.recipe.widen,
        )

    def _slope(
        self, plane: Any, channel: Channel, here: tuple[int, ...], before: int
    ) -> Generator[Progress, None, Slope]:
        """Stabilise a plane, and find its noise level where photons are few."""
        import torch

        denoiser, doubtful = channel.fit(self.denoiser)
        plane = np.asarray(plane, dtype=np.float64)
        flag = flagged(plane, channel)
        self.flags[here] = flag | np.uint8(doubtful)
        counts = filled(plane, flag)
        stabilised = channel.model.stabilise(counts).astype(np.float32)
        x = torch.from_numpy(stabilised).to(self.todo.device)[None, None]

        def denoised(sigma: Any) -> Generator[Progress, None, NDArray[np.float64]]:
            yield Progress(before, self.todo.calls, "finding the noise level")
            with torch.inference_mode(), stoppable(self.stop):
                found = Tiled(denoiser, self.todo.grid)(x, sigma.to(x.device))
            return np.asarray(found[0, 0].cpu().numpy(), dtype=np.float64)

        level = yield from level_of(counts, channel.model, takes_maps(denoiser), denoised)
        scale = level if isinstance(level, float) else level.to(x.device)
        return Slope(denoiser, self.todo.grid, x, scale)

    def _plane(self, slope: Slope, before: int) -> Generator[Progress, None, tuple[Array, Array]]:
        """Return mean and standard deviation of one plane, stabilised units."""
        import torch

        yield Progress(before, self.todo.calls, "denoising")
        with torch.inference_mode(), stoppable(self.stop):
            clean = slope.clean()
        rng = torch.Generator().manual_seed(self.recipe.seed)
        rows, columns = slope.x.shape[-2:]
        probes = lattice((rows, columns), self.recipe.probes, rng)
        answers = []
        for first in range(0, len(probes), self.todo.together):
            yield Progress(before + 1 + first, self.todo.calls, "probing")
            some = probes[first : first + self.todo.together].to(slope.x.device)
            with torch.no_grad(), stoppable(self.stop):
                answers.append(slope(some).cpu())
        found = diagonal(probes[:, 0].numpy(), torch.cat(answers)[:, 0].numpy())
        level = slope.level if isinstance(slope.level, float) else slope.level[0, 0].cpu().numpy()
        return clean[0, 0].cpu().numpy(), np.asarray(level * np.sqrt(found), dtype=np.float32)

    def _covariance(self, slopes: dict[tuple[int, ...], Slope]) -> Any:
        def product(image: NDArray[Any]) -> NDArray[np.float64]:
            import torch

            whole = by_channel(self.image.with_array(np.asarray(image)))
            found = np.zeros(whole.shape)
            for here, slope in slopes.items():
                along = torch.from_numpy(np.array(whole[here], dtype=np.float32))[None, None]
                with torch.no_grad():
                    level = slope.level
                    answer = slope(along.to(slope.x.device) * level) * level
                found[here] = answer[0, 0].cpu().numpy()
            return np.asarray(self._back(found))

        return product

    def _light(self, stabilised: NDArray[Any]) -> NDArray[Any]:
        """Map stabilised values in the image's order of axes to its units."""
        whole = np.array(by_channel(self.image.with_array(np.asarray(stabilised))))
        for number, channel in enumerate(self.channels):
            whole[number] = channel.model.light_of(whole[number])
        return np.asarray(self._back(whole))

    def _lowest(self, shape: tuple[int, ...]) -> Any:
        least = [channel.model.lowest() for channel in self.channels]
        if all(np.ndim(each) == 0 for each in least) and len(set(least)) == 1:
            return least[0]
        whole = np.full(shape, -np.inf, dtype=np.float32)
        for number, each in enumerate(least):
            whole[number] = each
        return self._back(whole)

    def _back(self, planes: NDArray[Any]) -> Any:
        return self.image.back(planes.reshape(self.image.ordered().shape))


def by_channel(image: Image) -> Any:
    """Return the array with one leading axis of channels, also where there is only one."""
    return image.ordered() if image.channel_axis else image.ordered()[None]
