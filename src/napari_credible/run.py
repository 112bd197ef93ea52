"""The run: a recipe and an image in, progress on the way, a result out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible import citations
from napari_credible.channel import filled, flagged, model_of, range_of
from napari_credible.flags import Flag
from napari_credible.io.image import Image, as_image
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.plan import Plan, plan
from napari_credible.recipe import Recipe
from napari_credible.result import Result

if TYPE_CHECKING:
    from torch import Tensor

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]
Steps = Generator["Progress", None, Any]

_CUSTOM = "custom:"
# The fourth colour sample is opacity: it has no noise, and is kept.
_ALPHA = 3


@dataclass(frozen=True)
class Progress:
    """How far a run is: ``done`` of ``total`` tiles, and what it does in words."""

    done: int
    total: int
    doing: str


def denoise(
    image: Any,
    noise: Model | Sequence[Model] | None = None,
    *,
    denoiser: str | Denoise | None = None,
    seed: int = 0,
    device: str | None = None,
) -> Result:
    """Denoise an image by the mean of its posterior, in its own units.

    The noise is stabilised to standard deviation 1, D(x, 1) is applied to each plane, and the
    exact unbiased inverse leads back to the units of the image.

    Parameters
    ----------
    image : numpy or dask array, shape (..., Y, X), or Image
        Integers or floats. Planes are denoised one by one, with one noise model and one
        range for all planes of a channel.
    noise : NoiseModel, one for each channel, or None
        In image units. None measures it: see :func:`napari_credible.estimate_noise`.
    denoiser : str, Denoiser or callable, optional
        A shipped name, or any ``D(x, sigma)`` on torch ``(B, 1, Y, X)``. It sees the stabilised
        image, whose noise has standard deviation 1.
    seed : int
        Kept in the recipe; a denoiser draws nothing.
    device : str, optional
        "cpu", "cuda" or "mps"; the fastest that is there where not given.

    Returns
    -------
    Result
        ``.estimate`` is float32, in input units, of the input's shape. Pixels that are not
        finite or saturated are flagged and hold the input's value.

    Raises
    ------
    ValueError
        One sentence: what was found, what was wanted, the next move.
    """
    recipe, custom = asked("denoise", noise, denoiser, seed, device)
    return run(recipe, as_image(image), denoiser=custom)


def asked(
    method: str, noise: Any, denoiser: str | Denoise | None, seed: int, device: str | None
) -> tuple[Recipe, Denoise | None]:
    """Return the recipe of the front door's arguments, and the caller's own denoiser, if any."""
    named = denoiser is None or isinstance(denoiser, str)
    name = denoiser if isinstance(denoiser, str) else _name(denoiser)
    fields: dict[str, Any] = {"method": method, "noise": noise, "seed": seed, "device": device}
    if name is not None:
        fields["denoiser"] = name
    return Recipe.of(**fields), None if named else denoiser  # type: ignore[return-value]


def run(recipe: Recipe, image: Image, *, denoiser: Denoise | None = None) -> Result:
    """Exhaust :func:`steps` and return its result."""
    going = steps(recipe, image, denoiser=denoiser)
    while True:
        try:
            next(going)
        except StopIteration as end:
            result: Result = end.value
            return result


def steps(
    recipe: Recipe, image: Image, *, denoiser: Denoise | None = None
) -> Generator[Progress, None, Result]:
    """Run a recipe on an image, yielding before and after each tile.

    Closing the generator stops the run; nothing outside it has changed then.

    Parameters
    ----------
    recipe : Recipe
        What is asked.
    image : Image
        Read plane by plane, never changed.
    denoiser : callable, optional
        The caller's own, in place of the one that the recipe names.

    Yields
    ------
    Progress
        At least once a tile.
    """
    yield Progress(0, 1, "loading the denoiser")
    loaded = denoiser or _load(recipe)
    todo = plan(recipe, image, loaded)
    loaded = _placed(loaded, todo)
    ordered = image.ordered() if image.channel_axis else image.ordered()[None]
    estimate = np.empty(ordered.shape, dtype=np.float32)
    flags = np.zeros(ordered.shape, dtype=np.uint8)
    models: list[Model] = []
    for channel in range(todo.channels):
        if channel == _ALPHA and image.channel_axis == "S":
            estimate[channel] = np.asarray(ordered[channel])
            models.append(models[0])
            continue
        yield Progress(channel * todo.tiles // todo.channels, todo.tiles, "measuring the noise")
        model = model_of(recipe, image, channel, todo.channels, ordered)
        models.append(model)
        yield from _channel(
            ordered[channel], estimate[channel], flags[channel], model, loaded, todo, channel
        )
    shape = image.ordered().shape
    used = tuple(models) if image.channel_axis else models[0]
    return Result(
        estimate=image.back(estimate.reshape(shape)),
        flags=image.back(flags.reshape(shape)),
        recipe=recipe.replace(noise=used),
        noise=tuple(models),
        source=image,
        weights=getattr(getattr(loaded, "card", None), "sha256", ""),
        citations=citations.of(models, recipe.denoiser),
    )


def _channel(
    planes: Any,
    estimate: NDArray[np.float32],
    flags: NDArray[np.uint8],
    model: Model,
    denoiser: Denoise,
    todo: Plan,
    channel: int,
) -> Steps:
    """Denoise all planes of one channel into ``estimate`` and ``flags``."""
    places = list(np.ndindex(planes.shape[:-2]))
    limit, low, high = range_of(planes, places, model)
    fitted = getattr(denoiser, "fitted", None)
    doubtful = Flag(0)
    if fitted is not None:
        # Noise has standard deviation 1 here, so a span below 1 would be noise above the range.
        denoiser = fitted(low, max(high, low + 1.0))
        doubtful = Flag.OUT_OF_RANGE if high < low + 1.0 else Flag(0)
    per_plane = todo.tiles // (todo.channels * todo.planes)
    for number, place in enumerate(places):
        plane = np.asarray(planes[place], dtype=np.float64)
        flag = flagged(plane, limit)
        stabilised = model.stabilise(filled(plane, flag))
        done = (channel * todo.planes + number) * per_plane
        found = yield from _plane(stabilised, denoiser, todo, done)
        light = model.restore(found)
        flag |= np.where(model.faint(light), np.uint8(Flag.FAINT), np.uint8(0))
        kept = flag & (Flag.NOT_FINITE | Flag.SATURATED) > 0
        estimate[place] = np.where(kept, plane, light)
        flags[place] = flag | np.uint8(doubtful)


def _plane(stabilised: NDArray[np.float64], denoiser: Denoise, todo: Plan, done: int) -> Steps:
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
                joined.add(tile, _called(denoiser, read(plane, tile))[0, 0])
            yield Progress(done + share, todo.tiles, "denoising")
            return joined.plane().cpu().numpy()
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            grid = grid.halved()
            if todo.device.startswith("cuda"):
                torch.cuda.empty_cache()


def _called(denoiser: Denoise, x: Tensor) -> Tensor:
    """Call a denoiser at sigma 1 and hold it to its shape."""
    import torch

    with torch.inference_mode():
        found = denoiser(x, 1.0)
    if not isinstance(found, torch.Tensor) or found.shape != x.shape:
        shape = tuple(getattr(found, "shape", ()))
        raise ValueError(
            f"the denoiser returned {type(found).__name__} of shape {shape} for {tuple(x.shape)}; "
            "napari_credible.denoise.check_denoiser(denoiser) tells what to mend"
        )
    return found


def _out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        "allocate memory" in str(error) or "not enough memory" in str(error)
    )


def _load(recipe: Recipe) -> Denoise:
    if recipe.denoiser.startswith(_CUSTOM):
        raise ValueError(
            f"the recipe names the denoiser {recipe.denoiser.removeprefix(_CUSTOM)!r}, which its "
            "author handed over as a Python object; hand it over again: denoiser=..."
        )
    from napari_credible.denoise.load import load_denoiser

    return load_denoiser(recipe.denoiser)


def _placed(denoiser: Denoise, todo: Plan) -> Denoise:
    """Return a learned denoiser on its device and in its precision; others as they are."""
    from napari_credible.denoise.learned import Learned

    if isinstance(denoiser, Learned):
        return replace(denoiser.to(todo.device), bfloat16=todo.bfloat16)
    return denoiser


def _name(denoiser: Any) -> str | None:
    if denoiser is None:
        return None
    card = getattr(denoiser, "card", None)
    if card is not None:
        return str(card.name)
    return _CUSTOM + str(getattr(denoiser, "__qualname__", type(denoiser).__qualname__))
