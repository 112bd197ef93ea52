"""The training loop: resumable at any moment, deterministic by seed, on CPU or GPU."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_credible.denoise.unet import UNet, UNetShape
from napari_credible.training.data import Mixture

# Softens the weight below half a grey level, where an error can no longer be seen.
_WEIGHT_FLOOR = 0.5 / 255


@dataclass(frozen=True)
class Plan:
    """Numbers of a training run.

    Attributes
    ----------
    pixels : float
        Pixels to train on in all.
    stages : tuple of (float, int, int)
        From this share of the run on: crops a step, and their side in pixels.
    rate, decay : float
        Learning rate, and the last share of the run over which it falls to zero.
    ema : float
        Decay a step of the averaged weights, which are the ones exported.
    clip : float
        Largest norm of the gradient.
    seed : int
        Of the weights' start and of the data.
    bfloat16 : bool
        Compute in bfloat16. Faster on GPUs and on some CPUs, slower on others: measure first.
    checkpoint_s : float
        Seconds between two checkpoints.
    """

    pixels: float = 1e9
    stages: tuple[tuple[float, int, int], ...] = ((0.0, 8, 64), (0.55, 8, 96), (0.85, 4, 128))
    rate: float = 6e-4
    decay: float = 0.6
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    bfloat16: bool = False
    checkpoint_s: float = 180.0

    def rate_at(self, share: float) -> float:
        """Return the learning rate: constant, then a cosine to zero."""
        fallen = max(0.0, share - (1 - self.decay)) / self.decay
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, fallen)))

    def crops_at(self, share: float) -> tuple[int, int]:
        """Return the number and the side of the crops of a step."""
        _, count, side = max(stage for stage in self.stages if stage[0] <= share)
        return count, side


@dataclass
class State:
    """Everything that a checkpoint holds."""

    net: UNet
    average: UNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    pixels: float = 0.0


def train(
    plan: Plan, shape: UNetShape, data: Mixture, folder: Path, device: str
) -> Iterator[State]:
    """Train, or go on from the checkpoint in ``folder``; yield at every checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({**asdict(plan), "shape": shape.to_dict()}))
    state = _start(plan, shape, device)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        _load(state, checkpoint)
    losses: list[float] = []
    saved = time.monotonic()
    while state.pixels < plan.pixels:
        losses.append(_step(state, plan, data, device))
        due = time.monotonic() - saved > plan.checkpoint_s
        if due or state.pixels >= plan.pixels:
            _log(folder, state, plan, losses, time.monotonic() - saved)
            save(state, checkpoint)
            yield state
            losses, saved = [], time.monotonic()


def weighted_error(estimate: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """Return the mean squared error, weighted by (sigma^2 + floor^2)^(-3/4).

    The error of a good denoiser grows like sigma^1.5 on natural images; the weight makes all
    levels count alike. Each level's minimiser is the conditional mean, whatever its weight.
    """
    weight = (sigma.square() + _WEIGHT_FLOOR**2) ** -0.75
    return (weight * (estimate - clean).square().mean((1, 2, 3))).mean()


def save(state: State, path: Path) -> None:
    """Write a checkpoint beside ``path``, then rename it there: never half a file."""
    beside = path.with_suffix(".part")
    torch.save(
        {
            "net": state.net.state_dict(),
            "average": state.average.state_dict(),
            "optimiser": state.optimiser.state_dict(),
            "step": state.step,
            "pixels": state.pixels,
        },
        beside,
    )
    os.replace(beside, path)


def _start(plan: Plan, shape: UNetShape, device: str) -> State:
    torch.manual_seed(plan.seed)  # the layers' own initialisers read the global generator
    net = _placed(UNet(shape), device)
    average = _placed(UNet(shape), device)
    average.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=1e-4, fused=True)
    return State(net, average, optimiser)


def _placed(net: UNet, device: str) -> UNet:
    return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _load(state: State, path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    state.net.load_state_dict(saved["net"])
    state.average.load_state_dict(saved["average"])
    state.optimiser.load_state_dict(saved["optimiser"])
    state.step, state.pixels = saved["step"], saved["pixels"]


def _step(state: State, plan: Plan, data: Mixture, device: str) -> float:
    share = state.pixels / plan.pixels
    count, side = plan.crops_at(share)
    clean, noisy, sigma = (t.to(device) for t in data.batch(state.step, count, side))
    for group in state.optimiser.param_groups:
        group["lr"] = plan.rate_at(share) * min(1.0, (state.step + 1) / 500)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=plan.bfloat16):
        noise = state.net(noisy, sigma)
    loss = weighted_error(noisy - noise, clean, sigma)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.net.parameters(), plan.clip)
    state.optimiser.step()
    _average(state, plan.ema)
    state.step += 1
    state.pixels += clean.numel()
    return float(loss.detach())


@torch.no_grad()
def _average(state: State, decay: float) -> None:
    """Move the averaged weights, faster while the run is young."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    torch._foreach_lerp_(list(state.average.parameters()), list(state.net.parameters()), 1 - decay)


def _log(folder: Path, state: State, plan: Plan, losses: list[float], seconds: float) -> None:
    path = folder / "log.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", "pixels", "rate", "loss", "seconds"])
        rate = plan.rate_at(state.pixels / plan.pixels)
        mean = sum(losses) / len(losses)
        writer.writerow(
            [state.step, f"{state.pixels:.4g}", f"{rate:.3g}", f"{mean:.5g}", round(seconds)]
        )
