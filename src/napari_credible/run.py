"""The run: a recipe and an image in, progress on the way, a result out."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible import citations
from napari_credible.channel import Channel, models_of, prepare, within
from napari_credible.denoise import cards
from napari_credible.drawing import Drawing
from napari_credible.io.image import Image, as_image
from napari_credible.jacobian import Linearised
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.plan import CUSTOM, Plan, load, named_sampler, placed, plan
from napari_credible.planes import Progress, Work, denoise_channel
from napari_credible.posterior import Posterior
from napari_credible.recipe import DRAWING, Recipe
from napari_credible.region import Region, part_of
from napari_credible.result import Result
from napari_credible.samplers import Sampler
from napari_credible.stopping import stoppable
from napari_credible.streamed import Streamed

if TYPE_CHECKING:
    from napari_credible.operators import Operator

Model = Gaussian | PoissonGaussian
Denoise = Callable[..., Any]


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


def sample(
    image: Any,
    noise: Model | Sequence[Model] | None = None,
    *,
    denoiser: str | Denoise | None = None,
    sampler: str | Sampler | None = None,
    n_draws: int = 16,
    seed: int = 0,
    device: str | None = None,
) -> Result:
    """Draw images from P(clean | noisy), and with them how sure each pixel is.

    The noise is stabilised to standard deviation 1; the stabilised image is the state of a
    diffusion at level 1, and stepping it down to 0 with D(x, sigma) draws from its posterior.
    Each draw is mapped back by itself, so that intervals of photon counts are asymmetric and
    never negative.

    Parameters
    ----------
    image : numpy or dask array, shape (..., Y, X), or Image
        As for :func:`denoise`.
    noise : NoiseModel, one for each channel, or None
        In image units. None measures it.
    denoiser : str, Denoiser or callable, optional
        As for :func:`denoise`, but called at levels from 1 down to 0.03.
    sampler : str or Sampler, optional
        A name of :data:`napari_credible.samplers.SAMPLERS`, such as "corrected" (the default,
        12 evaluations a draw) or "ancestral:256", or an object like these.
    n_draws : int, at least 2
        16 show where there is doubt; 200 give a std map good to 5 %.
    seed : int
        The same seed gives the same draws, whatever the tiles, the batch or the device's memory.
    device : str, optional
        As for :func:`denoise`.

    Returns
    -------
    Result
        ``.posterior`` answers ``draws``, ``mean``, ``std``, ``quantile(q)``, ``interval(level)``,
        ``exceedance(threshold)``, ``components(k)`` and questions on regions; ``.estimate`` is
        its mean, and holds the input's value where that is flagged as saturated or not finite.

    Raises
    ------
    ValueError
        One sentence: what was found, what was wanted, the next move.

    References
    ----------
    .. [1] B. Kawar, G. Vaksman, M. Elad, "Stochastic image denoising by sampling from the
       posterior distribution", ICCV Workshops (2021).
    """
    recipe, custom = asked("sample", noise, denoiser, seed, device)
    recipe = recipe.replace(n_draws=n_draws, **({} if sampler is None else {"sampler": sampler}))
    own = None if isinstance(sampler, (str, dict)) else sampler
    return run(recipe, as_image(image), denoiser=custom, sampler=own)


def asked(
    method: str, noise: Any, denoiser: str | Denoise | None, seed: int, device: str | None
) -> tuple[Recipe, Denoise | None]:
    """Return the recipe of the front door's arguments, and the caller's own denoiser, if any."""
    if isinstance(denoiser, os.PathLike):
        denoiser = os.fspath(denoiser)
    named = denoiser is None or isinstance(denoiser, str)
    if not named and not callable(denoiser):
        raise ValueError(
            f"denoiser is {denoiser!r}; give a shipped name, a path of weights, or a callable "
            "D(x, sigma)"
        )
    name = denoiser if isinstance(denoiser, str) else _name(denoiser)
    fields: dict[str, Any] = {"method": method, "noise": noise, "seed": seed, "device": device}
    if name is not None:
        fields["denoiser"] = name
    return Recipe.of(**fields), None if named else denoiser  # type: ignore[return-value]


def run(
    recipe: Recipe,
    image: Image,
    *,
    denoiser: Denoise | None = None,
    sampler: Any = None,
    operator: Operator | None = None,
    region: Region | None = None,
) -> Result:
    """Exhaust :func:`steps` and return its result."""
    going = steps(
        recipe, image, denoiser=denoiser, sampler=sampler, operator=operator, region=region
    )
    while True:
        try:
            next(going)
        except StopIteration as end:
            result: Result = end.value
            return result


def steps(
    recipe: Recipe,
    image: Image,
    *,
    denoiser: Denoise | None = None,
    sampler: Any = None,
    operator: Operator | None = None,
    known: Sequence[Channel] = (),
    region: Region | None = None,
    scratch: str | None = None,
    stop: Callable[[], bool] | None = None,
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
    sampler : Sampler, Restorer or Solver, optional
        Likewise.
    operator : Operator, optional
        Likewise.
    known : sequence of Channel, optional
        What :func:`channels_of` found on the image before.
    region : Region, optional
        The part to work on; its noise and range are those of the whole image.
    scratch : path, optional
        Where draws that are too large for memory are kept; the system's temporary folder where
        not given.
    stop : callable, optional
        Asked often, also within a tile; where it returns True the run raises ``Stopped``, or
        ends with the draws that are done, if there are two.

    Yields
    ------
    Progress
        At least once a tile.
    """
    yield Progress(0, 1, "loading the denoiser")
    # It brings torch, which whoever only asks for a run does not need yet.
    from napari_credible.spreading import Spreading, by_channel

    loaded = denoiser or load(recipe)
    if recipe.method == "restore":
        from napari_credible.restoring import restored

        return (
            yield from restored(recipe, image, loaded, sampler, operator, region, stop, scratch)
        )
    whole = image
    inner: Any = ...
    if region is not None:
        image, inner = region.read(whole), region.inner(whole)
    todo = plan(recipe, image, loaded, sampler)
    loaded = placed(loaded, todo)
    channels = list(known)
    if not channels:
        yield Progress(0, 1, "measuring the noise")
        with stoppable(stop):
            channels = channels_of(recipe, whole)
    recipe = recipe.replace(noise=_of_image(channels, whole))
    if region is not None:
        channels = within(channels, region, whole)
    source = image if region is None else part_of(image, inner)
    ordered = by_channel(image)
    flags = np.zeros(ordered.shape, dtype=np.uint8)
    shape = image.ordered().shape

    def back(array: NDArray[Any]) -> NDArray[Any]:
        part: NDArray[Any] = image.back(array.reshape(shape))[inner]
        return part

    posterior: Posterior | Streamed | Linearised | None = None
    if recipe.method in DRAWING:
        chosen = sampler or named_sampler(recipe)
        going = Drawing(recipe, chosen, loaded, todo, channels, ordered, flags, back, stop, scratch)
        posterior = yield from going.draws()
        estimate = _with_input(posterior.mean, source)
    elif recipe.method == "spread":
        around = Spreading(recipe, loaded, todo, channels, image, flags, stop)
        posterior = yield from around.posterior()
        posterior = posterior if region is None else posterior.part(inner)
        estimate = _with_input(posterior.mean, source)
    else:
        found = yield from _denoised(ordered, flags, channels, todo, loaded, stop)
        estimate = back(found)
    models = tuple(channel.model for channel in channels)
    return Result(
        estimate=estimate,
        flags=back(flags),
        recipe=recipe,
        noise=models,
        source=source,
        region=region,
        weights=getattr(getattr(loaded, "card", None), "sha256", ""),
        citations=citations.of(models, recipe.denoiser, _sampler_name(recipe))
        + citations.of_adapted(loaded),
        posterior=posterior,
    )


def _of_image(channels: Sequence[Channel], image: Image) -> Any:
    """Return the noise of an image as a recipe holds it."""
    models = tuple(channel.model for channel in channels)
    return models if image.channel_axis else models[0]


def _denoised(
    ordered: Any,
    flags: NDArray[np.uint8],
    channels: Sequence[Channel],
    todo: Plan,
    denoiser: Denoise,
    stop: Callable[[], bool] | None,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Return the estimate of all channels; the opacity has no noise, and is kept."""
    estimate = np.empty(ordered.shape, dtype=np.float32)
    for number, channel in enumerate(channels):
        work = Work(ordered[number], estimate[number], flags[number], channel, todo, number)
        yield from denoise_channel(work, denoiser, stop)
    estimate[len(channels) :] = np.asarray(ordered[len(channels) :])
    return estimate


def _with_input(mean: NDArray[np.float32], image: Image) -> NDArray[np.float32]:
    """Return the mean of the draws, and the input's value where nothing was drawn."""
    missing = np.isnan(mean)
    if not missing.any():
        return mean
    return np.where(missing, np.asarray(image.array, dtype=np.float32), mean)


def _sampler_name(recipe: Recipe) -> str:
    if recipe.method == "spread":
        return "spread"
    if recipe.method not in DRAWING:
        return ""
    chosen = recipe.sampler
    return str(chosen["kind"] if isinstance(chosen, dict) else chosen.partition(":")[0])


def channels_of(recipe: Recipe, image: Image) -> list[Channel]:
    """Return what holds for each channel of an image: noise model, range, saturation level.

    The opacity of a colour image is left out.
    """
    channels = image.channels()
    models = models_of(recipe, channels)
    return [prepare(model, c.ordered()) for model, c in zip(models, channels, strict=True)]


def _name(denoiser: Any) -> str | None:
    if denoiser is None:
        return None
    card = getattr(denoiser, "card", None)
    if card is not None and card == cards().get(card.name):
        return str(card.name)
    if card is not None:
        return f"{CUSTOM}{card.name}"
    return CUSTOM + str(getattr(denoiser, "__qualname__", type(denoiser).__qualname__))
