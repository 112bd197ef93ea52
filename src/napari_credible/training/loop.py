"""The training loop: resumable at any moment, deterministic by seed, on CPU or GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from napari_credible.learning.descent import descend, freeze, weight_of
from napari_credible.training import checkpoint
from napari_credible.training.checkpoint import State
from napari_credible.training.config import Config
from napari_credible.training.data import Batch, Mixture, Step
from napari_credible.training.log import Log
from napari_credible.training.schedule import Plan


def prepared(config: Config, out: Path, device: str) -> State:
    """Return a state: fresh, of exported weights, or of the checkpoint in ``out``."""
    state = checkpoint.fresh(config.plan, config.network, device)
    saved = out / "checkpoint.pt"
    if saved.exists():
        checkpoint.load(state, saved)
    elif config.start:
        checkpoint.start_from(state, config.start)
    plain = config.plain()
    if not state.history or state.history[-1]["config"] != plain:
        begun = state.earlier + state.pixels
        state.history.append({"from_pixels": begun, "config": plain})
    return state


def train(
    state: State,
    plan: Plan,
    data: Mixture,
    out: Path,
    *,
    workers: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[State]:
    """Train to the end of the plan, or until ``stop`` returns True; yield at each checkpoint.

    Parameters
    ----------
    state : State
        Of :func:`prepared`; changed in place.
    plan : Plan
        Rates, crops, length.
    data : Mixture
        Where the batches come from.
    out : Path
        Folder of ``checkpoint.pt``, ``log.csv`` and ``log.png``.
    workers : int
        Processes that make batches ahead; 0 makes them here.
    stop : callable
        Asked after each step. The state is saved before the end.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = Log(out, state.step)
    saved = time.monotonic()
    for batch in data.batches(agenda(plan, state.step, state.pixels), workers):
        rate = plan.rate_at(state.pixels, state.step)
        log.add(step(state, plan, batch, rate))
        ending = state.pixels >= plan.pixels or stop()
        if ending or time.monotonic() - saved > plan.checkpoint_s:
            checkpoint.save(state, out / "checkpoint.pt")
            log.write(state.step, state.pixels, rate)
            yield state
            saved = time.monotonic()
        if ending:
            return


def agenda(plan: Plan, number: int, pixels: float) -> Iterator[Step]:
    """Yield the number of each step to come, of its crops, and their side."""
    while pixels < plan.pixels:
        count, side = plan.crops_at(pixels)
        yield number, count, side
        number, pixels = number + 1, pixels + count * side**2


def step(state: State, plan: Plan, batch: Batch, rate: float) -> float:
    """Take one step and return the loss."""
    device = next(state.net.parameters()).device
    clean, noisy, sigma = (t.to(device, non_blocking=True) for t in batch)
    freeze(state.net, plan.frozen_at(state.pixels))
    half = device.type == "cuda" if plan.bfloat16 is None else plan.bfloat16
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
        noise = state.net(noisy, sigma)
    loss = weighted_error(noisy - noise, clean, sigma)
    found = descend(state, loss, rate, plan.clip, plan.ema)
    state.pixels += clean.numel()
    return found


def weighted_error(estimate: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """Return the mean squared error, levels weighted so that they count alike."""
    return (weight_of(sigma) * (estimate - clean).square().mean((1, 2, 3))).mean()
