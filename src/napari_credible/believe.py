"""Is this believable? The uncertainty of the user's own image, put to the test.

Three questions are asked of one region of the image. Does what is left of the data beside a draw
look like the stated noise? Do draws from one half of the noise predict the other half? And if a
draw were the truth, with new noise on it, would the intervals hold it as often as they say?

The truth of that bootstrap is a draw and not the denoised image, which is smoother than any truth
and would be found more easily: intervals would seem to hold too much.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.calibration import LEVELS, Reliability, needed_factors, reliability
from napari_credible.channel import Channel
from napari_credible.checks import (
    COVERAGE,
    Check,
    Model,
    agrees,
    halved,
    prediction_check,
    residual_checks,
    whitened,
)
from napari_credible.io.image import Image, as_image
from napari_credible.planes import Progress
from napari_credible.recipe import DRAWING, UNSURE, Recipe
from napari_credible.run import channels_of, steps
from napari_credible.stopping import Stopped, stoppable

__all__ = ["Check", "Verdict", "believable"]

Steps = Generator[Progress, None, Any]
Floats = NDArray[np.floating[Any]]

# Of the region that is tested: large enough that coverage is known to a percent or two.
_SIDE = 192
# Draws that each serve as a truth.
_REPEATS = 2
# A run's share of the progress bar.
_SHARE = 1000
# Pixels over which an image is smoothed to find where something is to be seen.
_SEEN = 2.0


@dataclass(frozen=True, eq=False)
class Verdict:
    """What came out of the test.

    Attributes
    ----------
    sentence : str
        In plain words.
    reliability : Reliability
        Of the bootstrap on the user's own image.
    checks : tuple of Check
        All that were made; those that the image does not allow are left out.
    residual : ndarray of float32, shape (..., Y, X) of the image
        Data less a draw, in standard deviations of the noise; NaN outside the region that was
        tested. White noise of variance 1 where all is right.
    factor : float
        What ``Recipe.widen`` should be; as it is where nothing needs mending.
    """

    sentence: str
    reliability: Reliability
    checks: tuple[Check, ...]
    residual: NDArray[np.float32]
    factor: float

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def believable(
    recipe: Recipe,
    image: Any,
    *,
    denoiser: Callable[..., Any] | None = None,
    sampler: Any = None,
    side: int = _SIDE,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Verdict]:
    """Test the uncertainty that a recipe states of an image, without knowing the truth.

    Parameters
    ----------
    recipe : Recipe
        Of method "sample" or "spread"; another is tested as "sample". ``widen`` is in effect.
    image : Image or array
        Of a stack the middle plane is tested.
    denoiser, sampler : optional
        The caller's own: see :func:`napari_credible.run.steps`.
    side : int, pixels
        Of the region, the most structured one of the plane; the whole plane if that is smaller.
    stop : callable, optional
        Asked often; where it returns True, ``Stopped`` is raised.

    Yields
    ------
    Progress
        Of all runs together.

    Notes
    -----
    A check fails where it is further off than chance (3.5 standard errors) and than what changes
    the reading of a map: 0.03 noise levels in the mean, 7 % in the variance, 0.04 in a
    correlation, 3 % in coverage.
    """
    image = as_image(image)
    if recipe.method not in UNSURE:
        recipe = recipe.replace(method="sample")
    yield Progress(0, 1, "measuring the noise")
    with stoppable(stop):
        channels = channels_of(recipe, image)
    runner = _Runner(recipe, denoiser, sampler, stop, 2 + _REPEATS, len(channels))
    tests = []
    for number, channel in enumerate(channels):
        plane, place = _plane(image, number, channel, side)
        tests.append((yield from _tested(plane, place, channel, runner, number)))
    return _concluded(recipe, tests, image)


@dataclass(frozen=True, eq=False)
class _Test:
    """What was found on one plane."""

    place: tuple[Any, ...]
    residual: Floats
    checks: tuple[Check, ...]
    pairs: list[tuple[Any, Floats]]


def _tested(
    plane: Floats, place: tuple[Any, ...], channel: Channel, runner: _Runner, number: int
) -> Generator[Progress, None, _Test]:
    """Sample a plane, look at what is left, and sample what is made from its draws."""
    rng = np.random.default_rng((runner.recipe.seed, number))
    model, known = channel.model, (channel,)
    draws = (yield from runner.run(plane, model, known, "sampling the data", "sample")).draws
    # Where nothing was drawn, the data stand in, so that the bootstrap has a whole image.
    whole = np.where(np.isnan(draws), np.nan_to_num(plane), draws)
    checks = residual_checks(model, plane, draws, rng)
    split = halved(model, np.nan_to_num(plane), rng)
    half = yield from runner.run(
        split.first, split.model, (), "predicting held-out noise", "sample"
    )
    uniform = np.where(np.isnan(draws[0]), np.nan, split.uniform(half.draws))
    checks += (prediction_check([uniform], split.words),)
    pairs = []
    for truth in whole[:_REPEATS]:
        noisy = model.draw(truth, rng)
        found = yield from runner.run(noisy, model, known, "bootstrap", runner.recipe.method)
        pairs.append((found, np.where(np.isnan(draws[0]), np.nan, truth)))
    return _Test(place, whitened(model, plane, draws[0]), checks, pairs)


class _Runner:
    """Runs the recipe on planes, and tells how far all runs together are."""

    def __init__(
        self,
        recipe: Recipe,
        denoiser: Callable[..., Any] | None,
        sampler: Any,
        stop: Callable[[], bool] | None,
        runs: int,
        channels: int,
    ) -> None:
        self.recipe, self._denoiser, self._sampler, self._stop = recipe, denoiser, sampler, stop
        self._total, self._done = runs * channels * _SHARE, 0

    def run(
        self, plane: Floats, model: Model, known: Sequence[Channel], doing: str, method: str
    ) -> Steps:
        """Return the posterior of a plane."""
        recipe = self.recipe.replace(
            method=method, noise=model, keep="draws", seed=self.recipe.seed + self._done // _SHARE
        )
        sampler = self._sampler if method in DRAWING else None
        going = steps(
            recipe, Image(plane), denoiser=self._denoiser, sampler=sampler, known=known,
            stop=self._stop,
        )  # fmt: skip
        while True:
            try:
                step = next(going)
            except StopIteration as end:
                posterior = end.value.posterior
                break
            done = self._done + _SHARE * step.done // max(step.total, 1)
            yield Progress(done, self._total, doing)
        self._done += _SHARE
        if self._stop is not None and self._stop():
            raise Stopped
        return posterior


def _plane(
    image: Image, number: int, channel: Channel, side: int
) -> tuple[Floats, tuple[Any, ...]]:
    """Return the region of a channel that is tested, and its place in the ordered array."""
    ordered = image.ordered() if image.channel_axis else image.ordered()[None]
    middle = tuple(n // 2 for n in ordered.shape[1:-2])
    plane = np.asarray(ordered[(number, *middle)], dtype=np.float64)
    rows, columns = _region(channel.model.stabilise(np.nan_to_num(plane)), side)
    return plane[rows, columns], (number, *middle, rows, columns)


def _region(stabilised: Floats, side: int) -> tuple[slice, slice]:
    """Return the square in which most is to be seen."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(stabilised, _SEEN)
    spans = [
        [slice(s, s + side) for s in range(0, max(n - side, 0) + 1, max(side // 2, 1))]
        for n in smooth.shape
    ]
    return max(
        ((rows, columns) for rows in spans[0] for columns in spans[1]),
        key=lambda place: float(smooth[place].std()),
    )


def _concluded(recipe: Recipe, tests: Sequence[_Test], image: Image) -> Verdict:
    pairs = [pair for test in tests for pair in test.pairs]
    levels = tuple(sorted({*LEVELS, recipe.level}))
    found = reliability(pairs, levels)
    place = levels.index(recipe.level)
    share, error = float(found.coverage[place]), float(found.errors[place])
    passed = agrees(share, recipe.level, error, COVERAGE)
    needed = np.concatenate([needed_factors(p, t, recipe.level) for p, t in pairs])
    factor = recipe.widen if passed else float(np.clip(np.quantile(needed, recipe.level), 0.1, 10))
    words = (
        f"with a draw as the truth and new noise, the {100 * recipe.level:g} % interval holds "
        f"{100 * share:.1f} ± {100 * error:.1f} %"
    )
    bootstrap = Check("coverage of the bootstrap", share, recipe.level, error, passed, words)
    checks = (*(check for test in tests for check in test.checks), bootstrap)
    residual = np.full(image.ordered().shape, np.nan, dtype=np.float32)
    by_channel = residual if image.channel_axis else residual[None]
    for test in tests:
        by_channel[test.place] = test.residual
    return Verdict(_sentence(checks, factor), found, checks, image.back(residual), round(factor, 3))


def _sentence(checks: Sequence[Check], factor: float) -> str:
    """Return the verdict in words, with the next move."""
    failed = [check for check in checks if not check.passed]
    if not failed:
        return (
            f"Believable: {checks[-1].words}, and what is left of the data beside a draw looks "
            "like the stated noise."
        )
    said = "; ".join(dict.fromkeys(check.words for check in failed))
    if checks[-1] in failed:
        # It fails whatever the noise of the data is, and takes the others with it.
        move = f"make intervals {factor:.2f} times as wide (widen), or take a slower sampler"
    else:
        move = (
            "the noise is not what the model says, or the denoiser does not know such images: "
            "measure the noise anew (from repeats or dark frames), or take another denoiser"
        )
    return f"Not believable as it is: {said}. Next: {move}."
