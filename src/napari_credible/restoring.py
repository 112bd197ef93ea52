"""Images from y = H x + noise: plane by plane, one image or many draws."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_credible import citations, geometry
from napari_credible.drawing import Noise, drawn, keeper
from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.operators import Operator
from napari_credible.parted import Part, parted
from napari_credible.plan import Plan, named_sampler, placed, plan
from napari_credible.planes import Progress
from napari_credible.posed import Known, Posed, as_measured, measured, operator_for, posed
from napari_credible.posterior import Posterior
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.restorers import draws
from napari_credible.restorers import spectral as needs_factors
from napari_credible.result import Result
from napari_credible.samplers import Kadkhodaie, Restorer, walk_given
from napari_credible.solvers import Passed, Solver, solve
from napari_credible.stopping import pause, stoppable
from napari_credible.streamed import Streamed

if TYPE_CHECKING:
    from torch import Tensor

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]
T = TypeVar("T")
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Whole:
    """All data, of which a part is restored."""

    image: Image
    operator: Operator
    models: Sequence[Model]

    def known(self, part: Part, here: tuple[int, ...], *, spectral: bool) -> Known:
        """Return what is found of all data of the plane that is ``here`` in the part."""
        opaque = self.image.opaque()
        begun = dict(zip(self.image.axes, part.read.start, strict=True))
        axes = opaque.planar().axes[:-2]
        place = tuple(
            n + begun[axis] for n, axis in zip(here[len(here) - len(axes) :], axes, strict=True)
        )
        channel = place[0] if opaque.channel_axis else 0
        plane = np.asarray(opaque.ordered()[place], dtype=np.float64)
        operator, model = self.operator, self.models[channel] if self.models else None
        if not spectral:
            operator, plane, model = as_measured(operator, plane, model)
        return Known.of(operator, plane, model)


@dataclass(frozen=True, eq=False)
class Restoring:
    """What is restored, from what, and how.

    Parameters
    ----------
    recipe : Recipe
        Seed, draws, level, threshold, what is kept.
    method : Restorer or Solver
        Who draws, or who finds one image.
    part : Part
        The data and H.
    denoiser : callable
        On its device.
    todo : Plan
        Tiles, device, draws at once.
    models : sequence of NoiseModel
        Of each channel; none for data without noise.
    stop : callable, optional
        Asked often; True ends the run with the draws that are done.
    scratch : path, optional
        Where draws that are too large for memory are kept.
    whole : Whole, optional
        All data, where these are a part of them.
    """

    recipe: Recipe
    method: Restorer | Solver
    part: Part
    denoiser: Denoise
    todo: Plan
    models: Sequence[Model]
    stop: Callable[[], bool] | None
    scratch: str | None = None
    whole: Whole | None = None
    flags: dict[tuple[int, ...], NDArray[np.uint8]] = field(default_factory=dict)
    history: list[Passed] = field(default_factory=list)
    _ready: dict[tuple[int, ...], Posed] = field(default_factory=dict)

    def estimate(self) -> Generator[Progress, None, Array]:
        """Find one image of each plane.

        Raises
        ------
        Stopped
            Where it is asked to stop.
        """
        found = yield from self._all(self._found, 1)
        return self.part.back(found[0])

    def draws(self) -> Generator[Progress, None, Posterior | Streamed]:
        """Draw, a few images at once; asked to stop, return what is done.

        Raises
        ------
        Stopped
            Where it is asked before there are two draws.
        """
        kept = keeper(self.recipe, self.todo, self.part.frame().shape, -np.inf, self.scratch)
        together = 1 if isinstance(self.method, Kadkhodaie) else self.todo.together
        return (
            yield from drawn(kept, self.recipe.n_draws, together, self._several, self.part.back)
        )

    def _several(self, done: int, count: int, kept: Any) -> Generator[Progress, None, Array]:
        return (yield from self._all(self._drawn, count, done, kept))

    def whole_flags(self) -> NDArray[np.uint8]:
        """Return the doubts of the data's pixels, where the image has such pixels, else 0."""
        flags, operator = np.zeros(self._shape(), dtype=np.uint8), self.part.operator
        if geometry.pictured(operator) and operator.coarser == 1:
            top, left = (int(place) for place in geometry.first_pixel(operator))
            for (number, *place), flag in self.flags.items():
                rows, columns = flag.shape
                colours = slice(None) if operator.image_ndim == 3 else number
                window = slice(top, top + rows), slice(left, left + columns)
                flags[(colours, *place, *window)] = flag
        return self.part.back(flags)

    def _planes(self) -> Any:
        """Return the data, channels first, opacity left out."""
        opaque = self.part.image.opaque()
        return opaque.ordered() if opaque.channel_axis else opaque.ordered()[None]

    def _shape(self) -> tuple[int, ...]:
        """Return the shape of the result, channels first."""
        planes = self._planes().shape
        image = self.part.operator.image_shape(planes[-2:])
        return (*planes[:-2], *image) if len(image) == 2 else (3, *planes[1:-2], *image[1:])

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
            now = yield from self._posed(here, before)
            self.flags[here] = now.flag
            x = yield from each(now, here, (before, share, done, count, kept))
            light = np.maximum(x.cpu().numpy() + now.offset, now.lowest)
            where = (slice(None), slice(None), *here[1:]) if x.shape[1] == 3 else (
                slice(None), *here
            )  # fmt: skip
            found[where] = light if x.shape[1] == 3 else light[:, 0]
        return found

    def _found(
        self, given: Posed, here: tuple[int, ...], about: Any
    ) -> Generator[Progress, None, Tensor]:
        assert isinstance(self.method, Solver)
        before = about[0]
        x = given.problem.flat()
        going = solve(self.method, given.denoise, given.problem)
        for number, (now, passed) in enumerate(self._watched(going)):
            yield Progress(before + number, self.todo.calls, "solving")
            self.history.extend([passed] if passed else [])
            x = now.x
        return x

    def _drawn(
        self, given: Posed, here: tuple[int, ...], about: Any
    ) -> Generator[Progress, None, Tensor]:
        assert isinstance(self.method, Restorer)
        before, share, done, count, kept = about
        plane = int(np.ravel_multi_index(here[1:], self._planes().shape[1:-2])) if here[1:] else 0
        seeds = [(self.recipe.seed, here[0], plane, k) for k in range(done, done + count)]
        noise = Noise(seeds, given.problem.flat())
        steps = self.method.steps(given.problem) + 1
        so_far = kept.posterior() if kept.n_draws > 1 else None
        clean = given.problem.flat()
        going = walk_given(self.method, given.denoise, given.problem, noise)
        for number, state in enumerate(self._watched(going)):
            doing = before + share * (number + 1) // steps
            yield Progress(doing, self.todo.calls, "drawing", so_far)
            clean = state.clean
        return clean

    def _watched(self, going: Iterator[T]) -> Iterator[T]:
        """Yield what an iterator yields, without recording derivatives; stop where asked."""
        import torch

        while True:
            with torch.no_grad(), stoppable(self.stop):
                pause()
                item = next(going, None)
            if item is None:
                return
            yield item

    def _known(self, here: tuple[int, ...], *, spectral: bool) -> Known | None:
        whole = self.whole
        return None if whole is None else whole.known(self.part, here, spectral=spectral)

    def _posed(self, here: tuple[int, ...], before: int) -> Generator[Progress, None, Posed]:
        """Return the problem of a plane; made once."""
        if here not in self._ready:
            plane = np.asarray(self._planes()[here], dtype=np.float64)
            model = self.models[here[0]] if self.models else None
            spectral = needs_factors(self.method)
            going = posed(
                plane, self.part.operator, model, self.denoiser, self.todo, spectral=spectral,
                known=self._known(here, spectral=spectral),
            )  # fmt: skip
            while True:
                with stoppable(self.stop):
                    pause()
                    try:
                        doing = next(going)
                    except StopIteration as end:
                        self._ready[here] = end.value
                        break
                yield Progress(before, self.todo.calls, doing)
        return self._ready[here]


def restored(
    recipe: Recipe,
    image: Image,
    denoiser: Denoise,
    method: Restorer | Solver | None = None,
    operator: Operator | None = None,
    region: Region | None = None,
    stop: Callable[[], bool] | None = None,
    scratch: str | None = None,
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
    region : Region, optional
        Of the data, the part behind which the image is restored; the noise is that of all data.
    stop : callable, optional
        Asked often.
    scratch : path, optional
        Where draws that are too large for memory are kept.
    """
    method = method or named_sampler(recipe)
    operator = operator_for(recipe, image, operator)
    part = parted(image, operator, region, spectral=needs_factors(method))
    frame = part.frame()
    todo = plan(recipe, part.image, denoiser, method, part.operator)
    exact = isinstance(method, Kadkhodaie)
    yield Progress(0, todo.calls, "measuring the noise")
    with stoppable(stop):
        models = [] if exact else measured(recipe, image, operator)
    whole = None if region is None else Whole(image, operator, models)
    own = part.read.models(models, image) if models else []
    going = Restoring(recipe, method, part, placed(denoiser, todo), todo, own, stop, scratch, whole)
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
        noise=tuple(own),
        source=frame,
        weights=getattr(getattr(denoiser, "card", None), "sha256", ""),
        citations=citations.of(own, recipe.denoiser, method.kind),
        posterior=posterior,
        region=part.region,
        translate=part.translate(image),
        history=tuple(going.history),
        data=part.image if region is None else _unsaturated(part.image, going.flags),
        operator=part.operator,
        read=None if region is None else part.read,
    )


def _unsaturated(image: Image, flags: Mapping[tuple[int, ...], NDArray[np.uint8]]) -> Image:
    """Return data with NaN where they are saturated, which a part of them need not tell."""
    if not any((flag & Flag.SATURATED).any() for flag in flags.values()):
        return image
    found = image.with_array(np.array(image.array, dtype=np.float64))
    opaque = found.opaque()
    planes = opaque.ordered() if opaque.channel_axis else opaque.ordered()[None]
    for here, flag in flags.items():
        planes[here][(flag & Flag.SATURATED) > 0] = np.nan
    return found
