"""From a trained state to a weights file with its model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_credible.denoise.catalogue import Card
from napari_credible.denoise.load import load_denoiser
from napari_credible.denoise.save import write_card, write_weights
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
    card = _card(state, config, write_weights(state.average, weights), data)
    write_card(card, weights)
    if tests:
        denoiser: Any = load_denoiser(weights)
        card = replace(card, psnr=table(denoiser.to(device), tests, device))
        write_card(card, weights)
    return card


def _card(state: State, config: Config, sha256: str, data: Mapping[str, str]) -> Card:
    pixels = state.earlier + state.pixels
    return Card(
        name=config.name,
        summary=config.summary or f"bias-free U-Net, trained on {pixels:.3g} pixels",
        licence=config.licence,
        command=f"napari-credible train {config.name}.toml --out RUN",
        shape=config.network.to_dict(),
        parameters=sum(p.numel() for p in state.net.parameters()),
        sigma_range=(0.0, config.levels.highest),
        psnr={},
        sha256=sha256,
        trained_on=config.trained_on or ", ".join(source.path.name for source in config.folders),
        measured_by=_MEASURED if config.tests else "",
        pixels=pixels,
        data=dict(data),
        history=state.history,
    )
