"""Adapt a denoiser to an image: from the front door's words to weights that are its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from napari_credible.adapt.build import objective_of
from napari_credible.adapt.fit import Outcome, Progress, fit
from napari_credible.adapt.modes import ABOUT, Frames, Mode, Stabiliser, mode_of
from napari_credible.denoise.learned import AtItsRange, Learned
from napari_credible.denoise.save import packed
from napari_credible.denoise.stabilised import StabilisedNet
from napari_credible.io.image import Image, as_image
from napari_credible.plan import chosen_device, load
from napari_credible.result import versions
from napari_credible.run import asked, channels_of
from napari_credible.scenes import Scenes, scenes_of

Examples = Sequence[Any]
Denoise = Callable[..., Any]


def adapt(
    image: Any,
    noise: Any = None,
    *,
    denoiser: str | Denoise | None = None,
    mode: str | Mode | dict[str, Any] = "internal",
    examples: Any = None,
    seed: int = 0,
) -> Learned:
    """Return a denoiser adapted to an image; the one it starts from stays as it is.

    Parameters
    ----------
    image : numpy or dask array, shape (..., Y, X), or Image
        Noisy. Up to eight of its planes are looked at, in their middle 1024 x 1024 pixels.
    noise : NoiseModel, one for each channel, or None
        In image units; None measures it.
    denoiser : str or Learned, optional
        A shipped network, a path of weights, or an adapted denoiser; the default one where not
        given.
    mode : str, Mode or dict
        A name of :data:`napari_credible.adapt.modes.MODES`, or an object with other numbers than
        the usual: "internal", "external" (needs ``examples``), "sure", "n2v", "n2n" (needs a
        stack), "thinning" (needs photon counts), "recorruption" or "stabiliser".
    examples : array (Y, X) or sequence of them or of Image, optional
        Clean, of the same kind as the image and in its units, for "external".
    seed : int
        Of crops and noise.

    Returns
    -------
    Learned
        To be used wherever a denoiser is. ``.card.adaptation`` says what it came to; where no
        adapted weights were clearly better, these are the ones it started from, and it says so.

    Raises
    ------
    ValueError
        One sentence: what was found, what was wanted, the next move.

    Notes
    -----
    Better means a smaller error as Stein estimates it, at pixels that the loss never saw (but for
    "external", whose weights cannot know this image's noise): right for independent noise of the
    stated model. "n2n" judges by the next frame and "stabiliser" by hidden pixels.
    """
    going = steps(image, noise, denoiser=denoiser, mode=mode, examples=examples, seed=seed)
    while True:
        try:
            next(going)
        except StopIteration as end:
            found: Learned = end.value
            return found


def steps(
    image: Any,
    noise: Any = None,
    *,
    denoiser: str | Denoise | None = None,
    mode: str | Mode | dict[str, Any] = "internal",
    examples: Any = None,
    seed: int = 0,
    device: str | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Learned]:
    """Adapt as :func:`adapt` does, yielding progress at every step.

    Parameters
    ----------
    image, noise, denoiser, mode, examples, seed
        As for :func:`adapt`.
    device : str, optional
        "cpu", "cuda" or "mps"; the fastest that is there where not given.
    stop : callable, optional
        Where it returns True, the best so far is returned.
    """
    chosen, image = mode_of(mode), as_image(image)
    recipe, custom = asked("denoise", noise, denoiser, seed, None)
    base = parent = _network(custom or load(recipe), denoiser)
    clean = _planes(examples)
    yield Progress(0, chosen.steps, "measuring the noise")
    channels = channels_of(recipe, image)
    scenes = scenes_of(image, channels, paired=isinstance(chosen, Frames))
    if isinstance(chosen, Stabiliser):
        base = _behind_a_curve(base, chosen, scenes, len(channels))
    base = base.to(chosen_device(device))
    objective, judge = objective_of(chosen, base, scenes.singles, scenes.pairs, clean)
    adapted, outcome = yield from fit(base, objective, judge, chosen, seed=seed, stop=stop)
    story = _story(parent, chosen, scenes, image, clean, seed, outcome)
    story["noise"] = [channel.model.in_words() for channel in channels]
    if isinstance(chosen, Stabiliser):
        story["range"] = {"low": base.low, "span": base.span}
    return _named(adapted.to("cpu") if outcome.kept else parent, story)


def _network(denoiser: Any, name: Any) -> Learned:
    if not isinstance(denoiser, Learned):
        raise ValueError(
            f"{name!r} has no weights to adapt; give a network, such as 'unet', or weights"
        )
    if isinstance(denoiser.net, StabilisedNet):
        raise ValueError(
            "this denoiser is behind a learned curve already; adapt the one without, and then "
            "learn the curve"
        )
    return denoiser


def _behind_a_curve(base: Learned, mode: Stabiliser, scenes: Scenes, channels: int) -> Learned:
    if channels > 1:
        raise ValueError(
            f"mode 'stabiliser' learns one curve, and the image has {channels} channels; give them "
            "one by one"
        )
    scene = scenes.singles[0]
    net = StabilisedNet(base.to("cpu").net, mode.knots).eval()
    parameters = sum(p.numel() for p in net.parameters())
    card = replace(base.card, shape=net.shape.to_dict(), parameters=parameters)
    return AtItsRange(net, card, scene.low, scene.span)


def _planes(examples: Any) -> list[Any]:
    """Return clean planes (Y, X), of whatever form the examples were given in."""
    if examples is None:
        return []
    several = isinstance(examples, (list, tuple))
    planes = list[Any]()
    for example in examples if several else [examples]:
        for channel in as_image(example).channels():
            array = np.asarray(channel.ordered())
            planes += list(array.reshape(-1, *array.shape[-2:]))
    return planes


def _story(
    base: Learned,
    mode: Mode,
    scenes: Scenes,
    image: Image,
    examples: Sequence[Any],
    seed: int,
    outcome: Outcome,
) -> dict[str, Any]:
    """Return what a card says of an adaptation, as plain JSON values."""
    taught = hashlib.sha256()
    for example in examples:
        taught.update(np.ascontiguousarray(example).tobytes())
    return {
        "parent": base.card.name,
        "parent_sha256": base.card.sha256,
        "image": image.name,
        "image_sha256": scenes.checksum,
        "examples": len(examples),
        "examples_sha256": taught.hexdigest() if examples else "",
        "mode": mode.to_dict(),
        "seed": seed,
        "outcome": asdict(outcome),
        "words": outcome.in_words(),
        "versions": versions(),
    }


def _named(denoiser: Learned, story: dict[str, Any]) -> Learned:
    """Return the denoiser with a card of its own."""
    mode, kept = story["mode"]["kind"], story["outcome"]["kept"]
    parent, card = story["parent"], denoiser.card
    if not kept:
        return replace(denoiser, card=replace(card, adaptation=story))
    taught = f"; then adapted to an image: {ABOUT[mode]}"
    return replace(
        denoiser,
        card=replace(
            card,
            name=f"{parent.removesuffix('-adapted')}-adapted",
            summary=f"{parent}, {story['words']} ({mode})",
            command=f"napari-credible adapt IN -o WEIGHTS --mode {mode}",
            psnr={},
            measured_by="",
            sha256=hashlib.sha256(packed(denoiser.net)).hexdigest(),
            trained_on=card.trained_on + taught,
            adaptation=story,
        ),
    )
