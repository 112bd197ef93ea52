"""Which denoiser is the best on this image? A ranked table, without the truth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from napari_credible.adapt.judge import ByHiddenPixels, ByStein, Denoise, Score, for_scene
from napari_credible.adapt.scene import Scene
from napari_credible.denoise import denoisers as shipped
from napari_credible.denoise.load import load_denoiser
from napari_credible.io.image import as_image
from napari_credible.knob import Choice
from napari_credible.planes import Progress
from napari_credible.run import asked, channels_of
from napari_credible.scenes import scenes_of
from napari_credible.stopping import stoppable

_DECIBEL = 10 / math.log(10)
# Side of the part that is looked at: K-SVD and LIDIA take some seconds for it.
SIDE = 256
_CLEARLY = 2.0


def judges() -> dict[str, str]:
    """Return the ways to judge, with a sentence each."""
    return {
        "sure": "Stein's unbiased estimate of the error; the noise must be as stated",
        "pixels": "hidden pixels, foretold by the others; the noise must be independent",
    }


@dataclass(frozen=True)
class Row:
    """A denoiser in the table.

    Attributes
    ----------
    name : str
        Of the denoiser.
    gain, error : float, dB
        Estimated: by how much the mean squared error of the stabilised image falls, and the
        standard error of that.
    behind, behind_error : float, dB
        Behind the best, and its standard error: far smaller than that of each gain, since all see
        the same noise.
    seconds : float
        That the estimate took on this machine.
    """

    name: str
    gain: float
    error: float
    behind: float
    behind_error: float
    seconds: float

    @property
    def clear(self) -> bool:
        """Whether it is beyond doubt, by two standard errors, that the best is better."""
        return self.behind > _CLEARLY * self.behind_error


def compare(image: Any, noise: Any = None, **asked_for: Any) -> list[Row]:
    """Exhaust :func:`comparing` and return its rows."""
    going = comparing(image, noise, **asked_for)
    while True:
        try:
            next(going)
        except StopIteration as end:
            rows: list[Row] = end.value
            return rows


def comparing(
    image: Any,
    noise: Any = None,
    *,
    denoisers: Sequence[str] | Mapping[str, Denoise] | None = None,
    by: str = "sure",
    side: int = SIDE,
    seed: int = 0,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, list[Row]]:
    """Judge denoisers on an image without its truth; yield progress, return rows, best first.

    Parameters
    ----------
    image : numpy or dask array, shape (..., Y, X), or Image
        Noisy.
    noise : NoiseModel, one for each channel, or None
        None measures it.
    denoisers : sequence of str, or mapping of names to denoisers, optional
        All shipped ones where not given.
    by : "sure" or "pixels"
        See :func:`judges`.
    side : int, pixels
        The middle ``side`` x ``side`` pixels of up to three planes of each channel are looked at.
    seed : int
        Of the measurement of the noise.
    stop : callable, optional
        Where it returns True, :class:`napari_credible.stopping.Stopped` is raised.

    Raises
    ------
    ValueError
        One sentence, for an unknown judge or denoiser, or an image without a finite pixel.
    """
    Choice(judges, "who judges").check("by", by)
    given = denoisers if isinstance(denoisers, Mapping) else {}
    names = list(denoisers) if denoisers is not None else list(shipped())
    found = dict[str, tuple[Score, float]]()
    yield Progress(0, len(names), "measuring the noise")
    image = as_image(image)
    recipe, _ = asked("denoise", noise, None, seed, None)
    channels = channels_of(recipe, image)
    scenes = [_middle(scene, side) for scene in scenes_of(image, channels).singles]
    judge = (ByStein if by == "sure" else ByHiddenPixels)(scenes, everywhere=True)
    for number, name in enumerate(names):
        yield Progress(number, len(names), f"judging {name}")
        denoiser = given[name] if name in given else load_denoiser(name)
        started = time.perf_counter()
        with stoppable(stop):
            score = judge(partial(for_scene, denoiser))
        found[name] = score, time.perf_counter() - started
    yield Progress(len(names), len(names), "ranking")
    return ranked(found)


def ranked(found: Mapping[str, tuple[Score, float]]) -> list[Row]:
    """Return rows, the best first."""
    best = min((score for score, _ in found.values()), key=lambda score: score.mse)
    rows = []
    for name, (score, seconds) in found.items():
        apart, size = score.minus(best), max(score.mse, 1e-9)
        rows.append(
            Row(
                name=name,
                gain=-_DECIBEL * math.log(size),
                error=_DECIBEL * score.error / size,
                behind=_DECIBEL * math.log(size / max(best.mse, 1e-9)),
                behind_error=_DECIBEL * apart.error / size,
                seconds=seconds,
            )
        )
    return sorted(rows, key=lambda row: row.behind)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of text."""
    head = f"{'denoiser':16} {'less noise / dB':>17} {'behind the best / dB':>22} {'seconds':>8}"
    lines = [
        f"{row.name:16} {f'{row.gain:.2f} ± {row.error:.2f}':>17} "
        f"{_behind(row):>22} {row.seconds:8.1f}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _behind(row: Row) -> str:
    if not row.behind:
        return "best"
    return f"{row.behind:.2f} ± {row.behind_error:.2f}" + ("" if row.clear else " (unsure)")


def _middle(scene: Scene, side: int) -> Scene:
    cut = tuple(slice(max(0, (n - side) // 2), None) for n in scene.noisy.shape)
    cut = tuple(slice(part.start, part.start + side) for part in cut)
    noisy, level, known = (part[cut] for part in (scene.noisy, scene.level, scene.known))
    return replace(scene, noisy=noisy, level=level, known=known)
