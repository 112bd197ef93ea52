"""The loop that adapts: step after step, the best weights kept, the base if none is better."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_credible.adapt.judge import Judge, Score, for_scene
from napari_credible.adapt.modes import Mode
from napari_credible.adapt.objectives import Objective, Predict
from napari_credible.adapt.scene import Scene
from napari_credible.denoise.learned import Learned
from napari_credible.denoise.networks import Network
from napari_credible.learning.descent import Learner, copied, descend, freeze
from napari_credible.stopping import pause

# Shares of the run over which the rate rises, and norm of the gradient above which it is cut.
_WARM_UP, _CLIP = 0.03, 1.0
# An error this far below 0, in noise variances, says that the noise is overstated.
_IMPOSSIBLE = 0.05
# Share of the time by which the steps may be behind the clock before it shortens them.
_SLACK = 0.1


@dataclass(frozen=True, eq=False)
class Progress:
    """How far an adaptation is.

    Attributes
    ----------
    done, total : int
        Steps.
    doing : str
        In words.
    loss : float
        Of the last step; falls noisily, and to no known level.
    gain : float, dB
        Estimated, of the latest scored weights over the base; NaN before the first score.
    error : float, dB
        Standard error of ``gain``.
    best : Learned or None
        The best so far, where it is better than the base: to look at while the rest goes on.
    """

    done: int
    total: int
    doing: str
    loss: float = math.nan
    gain: float = math.nan
    error: float = math.nan
    best: Any = None


@dataclass(frozen=True)
class Outcome:
    """What an adaptation came to.

    Attributes
    ----------
    kept : bool
        Whether the adapted weights are used; the base's otherwise.
    before, after : float, noise variances
        Estimated mean squared error of the base and of the best adapted weights.
    gain, error : float, dB
        What the best adapted weights gain, estimated, and its standard error.
    steps : int
        Taken; the best weights may be earlier ones.
    seconds : float
        That it took.
    """

    kept: bool
    before: float
    after: float
    gain: float
    error: float
    steps: int
    seconds: float

    def in_words(self) -> str:
        """Return the outcome in one sentence."""
        found = f"{self.gain:+.2f} ± {self.error:.2f} dB estimated without the truth"
        if self.steps == 0 and self.before < 0:
            return "the base is kept: the image holds less noise than the model states; measure it"
        if self.kept:
            return f"adapted in {self.steps} steps: {found}"
        return f"the base is kept: adapting gave no clear gain ({found})"


def fit(
    base: Learned,
    objective: Objective,
    judge: Judge,
    mode: Mode,
    *,
    seed: int = 0,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, tuple[Learned, Outcome]]:
    """Adapt the weights of a denoiser; return it, or ``base`` itself, and the outcome.

    Parameters
    ----------
    base : Learned
        Its weights stay as they are.
    objective : Objective
        What is minimised.
    judge : Judge
        Says which weights are the best.
    mode : Mode
        Steps, rate, crops.
    seed : int
        Of crops and noise.
    stop : callable, optional
        Asked at every step: the best so far is returned then. Closing the generator drops all.
    """
    started = time.monotonic()
    net = copy.deepcopy(base.net)
    learner = copied(net, mode.rate)
    freeze(learner.net, True)
    rng, half = np.random.default_rng(seed), fast_half(net)
    yield Progress(0, mode.steps, "judging the denoiser as it is")
    first = judge(_fitting(base, base.net))
    best: tuple[Score, Network] | None = None
    if first.mse < -_IMPOSSIBLE - 2 * first.error:
        return base, Outcome(False, first.mse, math.nan, 0.0, 0.0, 0, time.monotonic() - started)
    shown = Progress(0, mode.steps, "adapting")
    for number in range(mode.steps):
        share = max(number / mode.steps, _late(time.monotonic() - started, mode))
        ending = share >= 1 or bool(stop and stop())
        if not ending:
            loss = _step(learner, objective, mode, share, rng, half)
            shown = replace(shown, done=number + 1, loss=loss, best=None)
        if learner.step and (ending or _due(learner.step, mode)):
            score = judge(_fitting(base, learner.average))
            gain, error = _gained(first, score)
            shown = replace(shown, gain=gain, error=error)
            if best is None or score.mse < best[0].mse:
                best = score, copy.deepcopy(learner.average)
                shown = replace(shown, best=_kept(base, best[1]))
        yield shown
        if ending:
            break
    if best is None:
        return base, Outcome(False, first.mse, math.nan, 0.0, 0.0, 0, time.monotonic() - started)
    outcome = _outcome(first, best[0], learner.step, time.monotonic() - started)
    return (_kept(base, best[1]) if outcome.kept else base), outcome


def _step(
    learner: Learner,
    objective: Objective,
    mode: Mode,
    share: float,
    rng: np.random.Generator,
    half: bool,
) -> float:
    rate = mode.rate * min(1.0, share / _WARM_UP + 0.1) * 0.5 * (1 + math.cos(math.pi * share))
    loss = objective(predictor(learner.net, half), rng)
    return descend(learner, loss, rate, _CLIP, mode.ema)


def predictor(net: Network, half: bool) -> Predict:
    """Return the estimate of a network, with its gradient, wherever the network is.

    Levels are maps; a network that takes none is told the root of their mean square.
    """
    device, maps = next(net.parameters()).device, getattr(net, "takes_maps", False)

    def predict(x: Tensor, sigma: Tensor) -> Tensor:
        pause()
        if not maps:
            sigma = sigma.square().mean((1, 2, 3)).sqrt()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            noise: Tensor = net(x.to(device), sigma.to(device))
        return x - noise.float().to(x.device)

    return predict


def fast_half(net: Network) -> bool:
    """Return whether bfloat16 is computed by the processor itself, and the network is large."""
    device = next(net.parameters()).device
    if device.type == "cuda":
        return True
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(native()) and getattr(net.shape, "kind", "") == "unet"


def _late(seconds: float, mode: Mode) -> float:
    """Return the share of the time that is over; less than 0 at first, so that speed decides late.

    As long as the steps are ahead of the clock, the same seed gives the same weights.
    """
    return (seconds / mode.seconds - _SLACK) / (1 - _SLACK)


def _due(step: int, mode: Mode) -> bool:
    return step % mode.every == 0 or step == mode.steps


def _gained(first: Score, score: Score) -> tuple[float, float]:
    """Return gain and its standard error in dB."""
    apart = score.minus(first)
    low = max(first.mse, first.error, 1e-3)
    ratio = max(1 + apart.value / low, 0.01)
    decibel = 10 / math.log(10)
    return -decibel * math.log(ratio), decibel * apart.error / low / ratio


def _outcome(first: Score, best: Score, steps: int, seconds: float) -> Outcome:
    apart = best.minus(first)
    kept = apart.value < 0 and apart.clear
    return Outcome(kept, first.mse, best.mse, *_gained(first, best), steps, seconds)


def _kept(base: Learned, net: Network) -> Learned:
    """Return the base with other weights, rounded as they are on disk."""
    own = copy.deepcopy(net)
    with torch.no_grad():
        for value in own.parameters():
            value.copy_(value.half().float())
    return replace(base, net=own.eval().requires_grad_(False))


def _fitting(base: Learned, net: Network) -> Callable[[Scene], Callable[..., Tensor]]:
    device = next(net.parameters()).device

    def fitted(scene: Scene) -> Callable[..., Tensor]:
        own = for_scene(replace(base, net=net, bfloat16=False), scene)

        def denoise(x: Tensor, level: Tensor) -> Tensor:
            found: Tensor = own(x.to(device), level.to(device))
            return found.to(x.device)

        return denoise

    return fitted
