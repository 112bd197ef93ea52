"""Images from y = H x + noise: plane by plane, one image or many draws."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible import citations, geometry
from napari_credible.channel import filled, models_of
from napari_credible.colours import Opponent, opponent_ranges
from napari_credible.drawing import Kept, Noise, Tiled
from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.noise.saturation import saturation_level
from napari_credible.operators import Bayer, Mask, Operator, pixel_size
from napari_credible.plan import Plan, named_operator, named_sampler, placed, plan
from napari_credible.planes import Progress
from napari_credible.posterior import Posterior
from napari_credible.problem import Problem
from napari_credible.recipe import Recipe
from napari_credible.restorers import draws
from napari_credible.result import Result
from napari_credible.samplers import Kadkhodaie, Restorer, walk_given
from napari_credible.solvers import Passed, Pnp, Solver, solve
from napari_credible.stopping import Stopped, pause, stoppable
from napari_credible.streamed import Streamed

if TYPE_CHECKING:
    from torch import Tensor

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]
Array = NDArray[np.float32]
# The range of an image: quantiles of what the data say.
_LOW, _HIGH = 0.001, 0.999
# Pixels over which counts are smoothed for a first variance, and images found for better ones.
_FIRST, _PASSES = 2.0, 2
_PILOT = Pnp(evaluations=8)
# H takes a constant image for a constant, to this.
_CONSTANT = 1e-3


@dataclass(frozen=True, eq=False)
class Restoring:
    """What is restored, from what, and how.

    Parameters
    ----------
    recipe : Recipe
        Seed, draws, level, threshold, what is kept.
    method : Restorer or Solver
        Who draws, or who finds one image.
    operator : Operator
        H.
    denoiser : callable
        On its device.
    todo : Plan
        Tiles, device, draws at once.
    image : Image
        The data.
    models : sequence of NoiseModel
        Of each channel; none for data without noise.
    stop : callable, optional
        Asked often; True ends the run with the draws that are done.
    """

    recipe: Recipe
    method: Restorer | Solver
    operator: Operator
    denoiser: Denoise
    todo: Plan
    image: Image
    models: Sequence[Model]
    stop: Callable[[], bool] | None
    flags: dict[tuple[int, ...], NDArray[np.uint8]] = field(default_factory=dict)
    history: list[Passed] = field(default_factory=list)
    _ready: dict[tuple[int, ...], tuple[Problem, Denoise, float]] = field(default_factory=dict)

    @property
    def frame(self) -> Image:
        """The result's axes, scale, units and header, without pixels."""
        return geometry.frame(self.operator, self.image)

    def estimate(self) -> Generator[Progress, None, Array]:
        """Find one image of each plane.

        Raises
        ------
        Stopped
            Where it is asked to stop.
        """
        found = yield from self._all(self._found, 1)
        return self._back(found[0])

    def draws(self) -> Generator[Progress, None, Posterior | Streamed]:
        """Draw, a few images at once; asked to stop, return what is done.

        Raises
        ------
        Stopped
            Where it is asked before there are two draws.
        """
        kept, done = self._keeper(), 0
        together = 1 if isinstance(self.method, Kadkhodaie) else self.todo.together
        try:
            while done < self.recipe.n_draws:
                count = min(together, self.recipe.n_draws - done)
                several = yield from self._all(self._drawn, count, done, kept)
                for draw in several:
                    kept.add(self._back(draw))
                done += count
        except Stopped:
            if kept.n_draws < 2:
                raise
        posterior: Posterior | Streamed = kept.posterior()
        return posterior

    def whole_flags(self) -> NDArray[np.uint8]:
        """Return the doubts of the data's pixels, where the image has the same pixels, else 0."""
        shape = self._shape()
        flags = np.zeros(shape, dtype=np.uint8)
        for (number, *place), flag in self.flags.items():
            if flag.shape == shape[-2:]:
                flags[(number, *place)] = flag
        found: NDArray[np.uint8] = self._back(flags)
        return found

    def _planes(self) -> Any:
        """Return the data, channels first, opacity left out."""
        opaque = self.image.opaque()
        return opaque.ordered() if opaque.channel_axis else opaque.ordered()[None]

    def _shape(self) -> tuple[int, ...]:
        """Return the shape of the result, channels first."""
        planes = self._planes().shape
        image = self.operator.image_shape(planes[-2:])
        return (*planes[:-2], *image) if len(image) == 2 else (3, *planes[1:-2], *image[1:])

    def _back(self, array: NDArray[Any]) -> Any:
        frame = self.frame
        ordered = frame.ordered().shape
        return frame.back(array.reshape(ordered))

    def _keeper(self) -> Any:
        recipe, shape = self.recipe, self.frame.shape
        if recipe.keep == "draws":
            return Kept(shape, recipe.n_draws, -np.inf, recipe.widen)
        return Streamed(shape, recipe.n_draws, recipe.level, recipe.threshold, widen=recipe.widen)

    def _all(
        self, each: Callable[..., Any], count: int, done: int = 0, kept: Any = None
    ) -> Generator[Progress, None, Array]:
        """Return ``count`` images of all planes, channels first."""
        planes = self._planes()
        found = np.empty((count, *self._shape()), dtype=np.float32)
        places = list(np.ndindex(planes.shape[:-2]))
        share = self.method.evaluations * count
        for number, here in enumerate(places):
            before = (done * len(places) + number * count) * self.method.evaluations
            problem, denoise, offset = yield from self._problem(here, before)
            x = yield from each(problem, denoise, here, (before, share, done, count, kept))
            light = x.cpu().numpy() + offset
            lowest = self._lowest(here, offset)
            where = (slice(None), slice(None), *here[1:]) if x.shape[1] == 3 else (
                slice(None), *here
            )  # fmt: skip
            found[where] = np.maximum(light if x.shape[1] == 3 else light[:, 0], lowest)
        return found

    def _lowest(self, here: tuple[int, ...], offset: float) -> float:
        """Return the least light: none is counted below the offset."""
        counted = self.models and isinstance(self.models[here[0]], PoissonGaussian)
        return offset if counted else -np.inf

    def _found(
        self, problem: Problem, denoise: Denoise, here: tuple[int, ...], about: Any
    ) -> Generator[Progress, None, Tensor]:
        assert isinstance(self.method, Solver)
        before = about[0]
        now = None
        going = solve(self.method, denoise, problem)
        for number, (now, passed) in enumerate(self._watched(going)):
            yield Progress(before + number, self.todo.calls, "solving")
            if passed:
                self.history.append(passed)
        assert now is not None
        return now.x

    def _drawn(
        self, problem: Problem, denoise: Denoise, here: tuple[int, ...], about: Any
    ) -> Generator[Progress, None, Tensor]:
        assert isinstance(self.method, Restorer)
        before, share, done, count, kept = about
        plane = int(np.ravel_multi_index(here[1:], self._planes().shape[1:-2])) if here[1:] else 0
        seeds = [(self.recipe.seed, here[0], plane, k) for k in range(done, done + count)]
        noise = Noise(seeds, problem.flat())
        steps = self.method.steps(problem) + 1
        so_far = kept.posterior() if kept.n_draws > 1 else None
        state = None
        going = walk_given(self.method, denoise, problem, noise)
        for number, state in enumerate(self._watched(going)):
            doing = before + share * (number + 1) // steps
            yield Progress(doing, self.todo.calls, "drawing", so_far)
        assert state is not None
        return state.clean

    def _watched(self, going: Iterator[Any]) -> Iterator[Any]:
        """Yield what an iterator yields, without recording derivatives; stop where asked."""
        import torch

        while True:
            with torch.no_grad(), stoppable(self.stop):
                pause()
                item = next(going, None)
            if item is None:
                return
            yield item

    def _problem(
        self, here: tuple[int, ...], before: int
    ) -> Generator[Progress, None, tuple[Problem, Denoise, float]]:
        """Return the problem of a plane, its denoiser and the offset of its light; made once."""
        if here not in self._ready:
            self._ready[here] = yield from self._made(here, before)
        return self._ready[here]

    def _made(
        self, here: tuple[int, ...], before: int
    ) -> Generator[Progress, None, tuple[Problem, Denoise, float]]:
        plane = np.asarray(self._planes()[here], dtype=np.float64)
        model = self.models[here[0]] if self.models else None
        operator, flag = usable(self.operator, plane)
        self.flags[here] = flag
        counts = filled(plane, np.where(operator.observed(plane.shape), 0, Flag.NOT_FINITE))
        offset = getattr(model, "offset", 0.0)
        data = counts - offset
        kept_constant = geometry.keeps_constants(operator, plane.shape, _CONSTANT)
        back = float(np.mean(offset)) if kept_constant else 0.0
        low, high = self._range(operator, data, model, counts)

        def problem(variance: NDArray[np.float64]) -> Problem:
            return Problem.of(
                operator, self._tensor(data), self._tensor(np.sqrt(variance)), low, high
            )

        if model is None:
            return problem(np.zeros(())), self._denoiser(low, high, operator), back
        denoise = self._denoiser(low, high, operator)
        if isinstance(model, Gaussian):
            return problem(np.square(np.asarray(model.sigma, dtype=np.float64))), denoise, back
        variance = model.variance(_smooth(counts, geometry.pictured(operator)))
        for _ in range(_PASSES):
            yield Progress(before, self.todo.calls, "finding the noise level")
            for now, _passed in self._watched(solve(_PILOT, denoise, problem(variance))):
                last = now.x
            seen = problem(variance).forward(last)[0].cpu().numpy()
            variance = model.variance(seen + offset)
        return problem(variance), denoise, back

    def _tensor(self, array: NDArray[np.float64]) -> Tensor:
        import torch

        return torch.from_numpy(np.asarray(array, dtype=np.float32)).to(self.todo.device)

    def _denoiser(self, low: float, high: float, operator: Operator) -> Denoise:
        """Return D for the image's range, in tiles, and for three colours where there are."""
        if operator.image_ndim == 3:
            each = [self._fitted(*ends) for ends in opponent_ranges(low, high)]
            return Opponent([Tiled(d, self.todo.grid) for d in each])
        return Tiled(self._fitted(low, high), self.todo.grid)

    def _fitted(self, low: float, high: float) -> Denoise:
        fitted = getattr(self.denoiser, "fitted", None)
        return self.denoiser if fitted is None else fitted(low, high)  # type: ignore[no-any-return]

    def _range(
        self, operator: Operator, data: NDArray[np.float64], model: Any, counts: Any
    ) -> tuple[float, float]:
        """Return between which values most of the image lies, at least the noise apart."""
        seen = operator.observed(data.shape)
        if geometry.pictured(operator):
            values = data[seen]
        else:
            values = geometry.back_projected(operator, data)
        low, high = (float(v) for v in np.quantile(values, [_LOW, _HIGH]))
        noise = 0.0 if model is None else float(np.sqrt(model.variance(counts).mean()))
        return low, max(high, low + max(noise, 1e-12))


def restored(
    recipe: Recipe,
    image: Image,
    denoiser: Denoise,
    method: Restorer | Solver | None = None,
    operator: Operator | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Result]:
    """Run a recipe whose method is ``restore``, yielding at each step.

    Parameters
    ----------
    recipe : Recipe
        What is asked.
    image : Image
        The data.
    denoiser : callable
        Loaded, on whatever device.
    method, operator : optional
        The caller's own, in place of those that the recipe names.
    stop : callable, optional
        Asked often.
    """
    method = method or named_sampler(recipe)
    operator = _for_pixels(operator or named_operator(recipe), image)
    todo = plan(recipe, image, denoiser, method, operator)
    exact = isinstance(method, Kadkhodaie)
    yield Progress(0, todo.calls, "measuring the noise")
    with stoppable(stop):
        models = [] if exact else measured(recipe, image, operator)
    going = Restoring(recipe, method, operator, placed(denoiser, todo), todo, image, models, stop)
    posterior = None
    if draws(method):
        posterior = yield from going.draws()
        estimate = posterior.mean
    else:
        estimate = yield from going.estimate()
    used = None if exact else tuple(models) if image.channel_axis else models[0]
    return Result(
        estimate=estimate,
        flags=going.whole_flags(),
        recipe=recipe.replace(noise=used),
        noise=tuple(models),
        source=going.frame,
        weights=getattr(getattr(denoiser, "card", None), "sha256", ""),
        citations=citations.of(models, recipe.denoiser, method.kind),
        posterior=posterior,
        translate=geometry.translate(operator, image),
        history=tuple(going.history),
    )


def _for_pixels(operator: Operator, image: Image) -> Operator:
    """Return the operator for the size of the image's pixels, where that is known."""
    known = pixel_size(image)
    return operator if known is None else operator.for_pixels(*known)


def usable(operator: Operator, plane: NDArray[np.float64]) -> tuple[Operator, NDArray[np.uint8]]:
    """Return H without the data that are saturated or not finite, and the flags of the data.

    Raises
    ------
    ValueError
        Where nothing is left.
    """
    finite = np.isfinite(plane)
    flag = np.where(finite, np.uint8(0), np.uint8(Flag.NOT_FINITE))
    if geometry.pictured(operator):
        limit = saturation_level(np.where(finite, plane, 0)[None])
        if limit is not None:
            flag[finite & (plane >= limit)] |= np.uint8(Flag.SATURATED)
    seen = operator.observed(plane.shape)
    if not (seen & (flag == 0)).any():
        raise ValueError(
            "no pixel that the operator looks at is a finite, unsaturated number; look at the "
            "data and at the mask"
        )
    bad = (flag > 0) & seen
    return (Mask(~bad) @ operator if bad.any() else operator), flag


def measured(recipe: Recipe, image: Image, operator: Operator) -> list[Model]:
    """Return the noise models that are given, or measured where the data are a picture.

    Raises
    ------
    ValueError
        Where they are not, and no noise is given.
    """
    if recipe.noise is not None:
        return models_of(recipe, image.channels())
    if not geometry.pictured(operator):
        raise ValueError(
            f"the data of {operator} are no picture whose noise can be measured; give noise=..., "
            "such as Gaussian(sigma)"
        )
    channels = [_looked_at(channel, operator) for channel in image.channels()]
    return models_of(recipe, channels)


def _looked_at(channel: Image, operator: Operator) -> Image:
    """Return a channel with NaN where nothing is seen, and of a mosaic one colour."""
    array = channel.array
    seen = operator.observed(array.shape[-2:])
    if not seen.all():
        array = np.where(seen, np.asarray(array, dtype=np.float64), np.nan)
    if any(isinstance(part, Bayer) for part in geometry.parts(operator)):
        array = array[..., ::2, ::2]
    return channel.with_array(array)


def _smooth(counts: NDArray[np.float64], picture: bool) -> NDArray[np.float64]:
    """Return counts without most of their noise; of no picture, what they are on average."""
    from scipy.ndimage import gaussian_filter

    if not picture:
        return np.full(counts.shape, counts.mean())
    found: NDArray[np.float64] = gaussian_filter(counts, _FIRST, mode="nearest")
    return found
