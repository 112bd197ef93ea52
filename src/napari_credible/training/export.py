"""From a trained state to a weights file with its model card."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from napari_credible.denoise.catalogue import Card
from napari_credible.denoise.load import checksum, load_denoiser
from napari_credible.training.checkpoint import State
from napari_credible.training.config import Config
from napari_credible.training.evaluate import table
from napari_credible.training.folders import Folder

_MEASURED = "napari-credible train CONFIG --out RUN, with [tests] in CONFIG"


def export(
    state: State,
    config: Config,
    out: Path,
    data: Mapping[str, str],
    tests: Mapping[str, Folder] | None = None,
    device: str = "cpu",
) -> Card:
    """Write the averaged weights as safetensors, in float16, and the card beside them.

    Parameters
    ----------
    state : State
        At the end of a run, or anywhere in it.
    config : Config
        Names the weights and says what the card says.
    out : Path
        Folder of ``NAME.safetensors`` and ``NAME.json``.
    data : mapping of str to str
        SHA-256 of the files of each training folder.
    tests : mapping of str to Folder, optional
        On which the weights are measured, by name.
    device : str
        Where the test folders are measured.
    """
    weights = out / f"{config.name}.safetensors"
    beside = weights.with_suffix(".part")
    save_file(_halved(state.average), beside)
    beside.chmod(0o644)  # made for its owner alone
    os.replace(beside, weights)
    card = _card(state, config, weights, data)
    _write(card, weights)
    if tests:
        denoiser: Any = load_denoiser(weights)
        card["psnr"] = table(denoiser.to(device), tests, device)
        _write(card, weights)
    return Card(**card)


def _halved(net: nn.Module) -> dict[str, Tensor]:
    """Return the learned weights as float16; running variances may lie outside its range."""
    learned = dict(net.named_parameters())
    return {
        name: (value.half() if name in learned else value.float()).cpu().contiguous()
        for name, value in net.state_dict().items()
    }


def _card(state: State, config: Config, weights: Path, data: Mapping[str, str]) -> dict[str, Any]:
    pixels = state.earlier + state.pixels
    card = Card(
        name=config.name,
        summary=config.summary or f"bias-free U-Net, trained on {pixels:.3g} pixels",
        licence=config.licence,
        command=f"napari-credible train {config.name}.toml --out RUN",
        shape=config.network.to_dict(),
        parameters=sum(p.numel() for p in state.net.parameters()),
        sigma_range=(0.0, config.levels.highest),
        psnr={},
        sha256=checksum(weights),
        trained_on=config.trained_on or ", ".join(source.path.name for source in config.folders),
        measured_by=_MEASURED if config.tests else "",
        pixels=pixels,
        data=dict(data),
        history=state.history,
    )
    return asdict(card)


def _write(card: dict[str, Any], weights: Path) -> None:
    beside = weights.with_suffix(".json.part")
    text = json.dumps(card, indent=2, ensure_ascii=False)
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, weights.with_suffix(".json"))
