"""Is this believable? The uncertainty of the user's own image, put to the test.

Three questions are asked of one region of the image. Does what is left of the data beside a draw
look like the stated noise? Do draws from one half of the noise predict the other half? And if a
draw were the truth, with new noise on it, would the intervals hold it as often as they say?

The truth of that bootstrap is a draw and not the denoised image, which is smoother than any truth
and would be found more easily: intervals would seem to hold too much.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.calibration import LEVELS, Reliability, needed_factors, reliability
from napari_credible.checks import (
    COVERAGE,
    Check,
    agrees,
    prediction_check,
    residual_checks,
    whitened,
)
from napari_credible.examined import Examined, of_channels, of_data
from napari_credible.io.image import Image, as_image
from napari_credible.operators import Operator
from napari_credible.plan import named_sampler
from napari_credible.planes import Progress
from napari_credible.posed import measured, operator_for
from napari_credible.recipe import DRAWING, UNSURE, Recipe
from napari_credible.restorers import draws as drawing
from napari_credible.restorers import spectral
from napari_credible.run import channels_of, steps
from napari_credible.samplers import Kadkhodaie
from napari_credible.stopping import Stopped, stoppable

__all__ = ["Check", "Verdict", "believable"]

Steps = Generator[Progress, None, Any]
Floats = NDArray[np.floating[Any]]

# Of the region that is tested: large enough that coverage is known to a percent or two. A restored
# draw takes ten times as long as another.
_SIDE, _RESTORED = 192, 128
# Draws that each serve as a truth.
_REPEATS = 2
# Side of the squares whose means are asked for, and how many a side there must be.
_SQUARE, _SQUARES = 4, 8
# A run's share of the progress bar.
_SHARE = 1000


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
    operator: Operator | None = None,
    side: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Verdict]:
    """Test the uncertainty that a recipe states of an image, without knowing the truth.

    Parameters
    ----------
    recipe : Recipe
        Of method "sample", "spread" or "restore"; "denoise" is tested as "sample". ``widen`` is
        in effect.
    image : Image or array
        The data. Of a stack the middle plane is tested.
    denoiser, sampler, operator : optional
        The caller's own: see :func:`napari_credible.run.steps`.
    side : int, optional, pixels
        Of the region, the most structured one of the plane; 192, or 128 where it is restored. The
        whole plane if that is smaller, if the operator mixes all of it (projections,
        measurements), or if the method needs singular values that a part lacks (``ddrm`` and
        ``snips`` behind a blur).
    stop : callable, optional
        Asked often; where it returns True, ``Stopped`` is raised.

    Yields
    ------
    Progress
        Of all runs together.

    Raises
    ------
    ValueError
        For a method that finds one image, or data without noise.

    Notes
    -----
    A check fails where it is further off than chance (3.5 standard errors) and than what changes
    the reading of a map: 0.03 noise levels in the mean, 7 % in the variance, 14 % between bright
    and dark, 0.5 in the fourth moment (3 is normal), 0.04 in a correlation, 3 % in coverage.
    """
    image = as_image(image)
    if recipe.method not in UNSURE:
        recipe = recipe.replace(method="sample")
    if recipe.method == "restore":
        sampler = sampler or named_sampler(recipe)
        _check_draws(sampler)
    side = side or (_RESTORED if recipe.method == "restore" else _SIDE)
    yield Progress(0, 1, "measuring the noise")
    with stoppable(stop):
        parts = _parts(recipe, image, operator, sampler, side)
    runner = _Runner(recipe, denoiser, sampler, stop, (2 + _REPEATS) * len(parts))
    tests = []
    for number, part in enumerate(parts):
        tests.append((yield from _tested(part, runner, number)))
    return _concluded(recipe, tests, image)


def _check_draws(method: Any) -> None:
    if not drawing(method):
        raise ValueError(
            f"{method.kind} finds one image and no uncertainty that could be tested; restore with "
            "mmps"
        )
    if isinstance(method, Kadkhodaie):
        raise ValueError(
            f"{method.kind} takes data without noise, and there is nothing to test; restore with "
            "mmps"
        )


def _parts(
    recipe: Recipe, image: Image, operator: Operator | None, method: Any, side: int
) -> list[Examined]:
    """Return what is tested of each channel."""
    if recipe.method != "restore":
        return list(of_channels(image, channels_of(recipe, image), side))
    operator = operator_for(recipe, image, operator)
    models = measured(recipe, image, operator)
    return list(of_data(image, models, operator, side, spectral(method)))


@dataclass(frozen=True, eq=False)
class _Test:
    """What was found on one plane."""

    place: tuple[Any, ...]
    residual: Floats
    checks: tuple[Check, ...]
    pairs: list[tuple[Any, Floats]]


def _tested(part: Examined, runner: _Runner, number: int) -> Generator[Progress, None, _Test]:
    """Sample a plane, look at what is left, and sample what is made from its draws."""
    rng = np.random.default_rng((runner.recipe.seed, number))
    method = runner.recipe.method
    drawn = method if method in DRAWING else "sample"
    draws = (yield from runner.run(part, part.plane, "sampling the data", drawn)).draws
    judged = part.judged(draws)
    checks = residual_checks(part.model, part.plane, judged, rng)
    split = part.split(draws, rng)
    half = yield from runner.run(
        replace(part, model=split.model, known=()), split.first, "predicting held-out noise", drawn
    )
    predicted = split.uniform(replace(part, model=split.model).light(half.draws))
    uniform = np.where(np.isnan(judged[0]), np.nan, predicted)
    checks += (prediction_check([uniform], split.words),)
    pairs = []
    for truth in draws[:_REPEATS]:
        noisy = part.model.draw(part.light(truth), rng)
        found = yield from runner.run(part, noisy, "bootstrap", method)
        pairs.append((found, truth))
    return _Test(part.place, whitened(part.model, part.plane, judged[0]), checks, pairs)


class _Runner:
    """Runs the recipe on planes, and tells how far all runs together are."""

    def __init__(
        self,
        recipe: Recipe,
        denoiser: Callable[..., Any] | None,
        sampler: Any,
        stop: Callable[[], bool] | None,
        runs: int,
    ) -> None:
        self.recipe, self._denoiser, self._sampler, self._stop = recipe, denoiser, sampler, stop
        self._total, self._done = runs * _SHARE, 0

    def run(self, part: Examined, plane: Floats, doing: str, method: str) -> Steps:
        """Return the posterior of a plane of data that came as those of ``part`` did."""
        recipe = self.recipe.replace(
            method=method,
            noise=part.model,
            keep="draws",
            seed=self.recipe.seed + self._done // _SHARE,
        )
        sampler = self._sampler if method in DRAWING else None
        going = steps(
            recipe, Image(plane), denoiser=self._denoiser, sampler=sampler,
            operator=part.operator, known=part.known, stop=self._stop,
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


def _concluded(recipe: Recipe, tests: Sequence[_Test], image: Image) -> Verdict:
    pairs = [pair for test in tests for pair in test.pairs]
    levels = tuple(sorted({*LEVELS, recipe.level}))
    found = reliability(pairs, levels)
    place = levels.index(recipe.level)
    share, error = float(found.coverage[place]), float(found.errors[place])
    passed = agrees(share, recipe.level, error, COVERAGE)
    needed = np.concatenate([needed_factors(p, t, recipe.level) for p, t in pairs])
    factor = recipe.widen if passed else float(np.clip(np.quantile(needed, recipe.level), 0.1, 10))
    regions = _of_regions(recipe, pairs)
    words = (
        f"with a draw as the truth and new noise, the {100 * recipe.level:g} % interval holds "
        f"{100 * share:.1f} ± {100 * error:.1f} %"
    )
    bootstrap = Check("coverage of the bootstrap", share, recipe.level, error, passed, words)
    checks = (*(check for test in tests for check in test.checks), *regions, bootstrap)
    residual = np.full(image.ordered().shape, np.nan, dtype=np.float32)
    by_channel = residual if image.channel_axis else residual[None]
    for test in tests:
        by_channel[test.place] = test.residual
    sentence = _sentence(checks, factor, recipe.method == "restore")
    return Verdict(sentence, found, checks, image.back(residual), round(factor, 3))


def _of_regions(recipe: Recipe, pairs: Sequence[tuple[Any, Floats]]) -> tuple[Check, ...]:
    """Return the check of means over squares, which asks how neighbours err together.

    Without draws, or where squares would be too few, there is none.
    """
    drawn = [pair for pair in pairs if hasattr(pair[0], "draws")]
    if not drawn or min(drawn[0][1].shape[-2:]) < _SQUARES * _SQUARE:
        return ()
    found = reliability(drawn, (recipe.level,), _SQUARE)
    share, error = float(found.coverage[0]), float(found.errors[0])
    words = (
        f"of the means over {_SQUARE} x {_SQUARE} pixels it holds {100 * share:.1f} ± "
        f"{100 * error:.1f} %"
    )
    passed = agrees(share, recipe.level, error, COVERAGE)
    name = f"coverage of {_SQUARE} x {_SQUARE} means"
    return (Check(name, share, recipe.level, error, passed, words),)


def _sentence(checks: Sequence[Check], factor: float, restored: bool) -> str:
    """Return the verdict in words, with the next move."""
    failed = [check for check in checks if not check.passed]
    if not failed:
        return (
            f"Believable: {checks[-1].words}, and what is left of the data beside a draw looks "
            "like the stated noise."
        )
    said = "; ".join(dict.fromkeys(check.words for check in failed))
    if any(check.name.startswith("coverage") for check in failed):
        # The bootstrap fails whatever the noise of the data is, and takes the others with it.
        slower = "more products of mmps" if restored else "a slower sampler"
        move = f"make intervals {factor:.2f} times as wide (widen), or take {slower}"
        if checks[-1].passed:
            move = f"trust pixels, not means of regions, or take {slower}"
    elif restored:
        move = (
            "the operator (a PSF, say) is not the instrument's, the noise is not what the model "
            "says, or the denoiser does not know such images: measure PSF and noise anew, or take "
            "another denoiser"
        )
    else:
        move = (
            "the noise is not what the model says, or the denoiser does not know such images: "
            "measure the noise anew (from repeats or dark frames), or take another denoiser"
        )
    return f"Not believable as it is: {said}. Next: {move}."
