"""The whole state of a training run, on disk at any moment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from napari_credible.denoise.catalogue import read_card
from napari_credible.denoise.networks import Network, Shape, network
from napari_credible.denoise.unet import UNet
from napari_credible.learning.descent import Learner, Optimisers, optimisers_of
from napari_credible.training.schedule import Plan


@dataclass
class State(Learner):
    """Everything that a checkpoint holds: the learner, and how far it is.

    Attributes
    ----------
    pixels : float
        Trained on so far, in this run.
    earlier : float
        Pixels on which the weights it started from had been trained.
    history : list of dict
        The configuration of each part of the run, with the pixels at which it began.
    """

    pixels: float = 0.0
    earlier: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def fresh(plan: Plan, shape: Shape, device: str) -> State:
    """Return the state before the first step."""
    torch.manual_seed(plan.seed)  # the layers' own initialisers read the global generator
    net, average = (_placed(network(shape), device) for _ in range(2))
    average.load_state_dict(net.state_dict())
    return State(net, average, optimisers_of(net, plan.rate, muon=plan.optimiser == "muon"))


def start_from(state: State, weights: Path) -> None:
    """Put exported weights, and the history in their card, into a fresh state.

    A network with further blocks, or with further levels below the same widths, starts as the
    same function: a new block adds nothing yet; what was the coarsest level becomes one on the
    way down, and nothing comes up from below it yet.

    Raises
    ------
    ValueError
        Where they are those of another network, or no weights at all.
    """
    try:
        values = {name: value.float() for name, value in load_file(weights).items()}
        for net in (state.net, state.average):
            fitting = _deepened(values, net) if isinstance(net, UNet) else values
            net.load_state_dict({**net.state_dict(), **fitting})
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{weights.name} does not hold weights of this network ({reason}); give exported "
            "weights of the same blocks and widths, or of the first of these widths"
        ) from None
    if weights.with_suffix(".json").exists():
        card = read_card(weights.with_suffix(".json"))
        state.earlier, state.history = card.pixels, list(card.history)


def _deepened(values: dict[str, Tensor], net: UNet) -> dict[str, Tensor]:
    """Return the weights of a shallower network under the names that a deeper one has for them."""
    levels = 1 + max((int(n.split(".")[1]) for n in values if n.startswith("down.")), default=-1)
    fresh = net.state_dict()
    if levels >= len(net.down):
        return _fitting(values, fresh, ())
    moved = {name.replace("bottom.", f"down.{levels}."): value for name, value in values.items()}
    below = range(levels, len(net.down))
    for level in below:
        name = f"grow.{level}.weight"
        moved[name] = torch.zeros_like(fresh[name])
    new = (*(f"{part}.{k}." for part in ("shrink", "up") for k in below), "bottom.")
    return _fitting(moved, fresh, (*new, *(f"down.{k}." for k in below[1:])))


def _added(name: str, values: dict[str, Tensor]) -> bool:
    """Return whether a block stands behind others of a level that are known."""
    level, _, rest = (
        name.rpartition(".first.") if ".first." in name else name.rpartition(".second.")
    )
    before, _, number = level.rpartition(".")
    return bool(rest) and number != "0" and f"{before}.0.first.weight" in values


def _fitting(
    values: dict[str, Tensor], wanted: dict[str, Tensor], new: tuple[str, ...]
) -> dict[str, Tensor]:
    missing = [
        n for n in wanted if n not in values and not n.startswith(new) and not _added(n, values)
    ]
    wrong = [n for n in values if n not in wanted or wanted[n].shape != values[n].shape]
    if missing or wrong:
        raise ValueError(f"{(missing + wrong)[0]} does not fit")
    return values


def save(state: State, path: Path) -> None:
    """Write a checkpoint beside ``path``, then rename it there: never half a file."""
    beside = path.with_suffix(".part")
    torch.save(
        {
            "shape": state.net.shape.to_dict(),
            "net": state.net.state_dict(),
            "average": state.average.state_dict(),
            "optimisers": [each.state_dict() for each in state.optimisers],
            "step": state.step,
            "pixels": state.pixels,
            "earlier": state.earlier,
            "history": state.history,
        },
        beside,
    )
    os.replace(beside, path)


def load(state: State, path: Path) -> None:
    """Go on from a checkpoint.

    Raises
    ------
    ValueError
        Where it is damaged, or of another network.
    """
    device = next(state.net.parameters()).device
    try:
        saved = torch.load(path, weights_only=True, map_location=device)
        # One optimiser was all there was in earlier checkpoints.
        moments = saved["optimisers"] if "optimisers" in saved else [saved["optimiser"]]
        shape = saved["shape"]
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path} cannot be read ({reason}); remove it to begin anew, or train elsewhere"
        ) from None
    if shape != state.net.shape.to_dict():
        raise ValueError(
            f"{path} holds a network of {shape}, the configuration asks for "
            f"{state.net.shape.to_dict()}; give another folder for the new network"
        )
    if not _fit(moments, state.optimisers):
        raise ValueError(
            f"{path} was trained by another optimiser, or with other weights of an earlier "
            "version; ask for that one again, or start from the exported weights in another folder"
        )
    state.net.load_state_dict(saved["net"])
    state.average.load_state_dict(saved["average"])
    for optimiser, held in zip(state.optimisers, moments, strict=True):
        optimiser.load_state_dict(held)
    for name in ("step", "pixels", "earlier", "history"):
        setattr(state, name, saved[name])


def _fit(held: list[dict[str, Any]], optimisers: Optimisers) -> bool:
    """Return whether each optimiser finds moments of its own parameters."""
    if len(held) != len(optimisers):
        return False
    for one, optimiser in zip(held, optimisers, strict=True):
        values = [value for group in optimiser.param_groups for value in group["params"]]
        numbers = [number for group in one["param_groups"] for number in group["params"]]
        if len(values) != len(numbers):
            return False
        for value, number in zip(values, numbers, strict=True):
            moments = one["state"].get(number, {}).values()
            if any(m.ndim and m.shape != value.shape for m in moments):
                return False
    return True


def _placed(net: Network, device: str) -> Network:
    return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
