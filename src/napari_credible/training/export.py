"""From a checkpoint to a weights file with its model card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from napari_credible.denoise.catalogue import Card
from napari_credible.denoise.load import checksum
from napari_credible.denoise.unet import UNet, UNetShape


def export(checkpoint: Path, shape: UNetShape, weights: Path, **card: object) -> Card:
    """Write the averaged weights as float16 safetensors, and the card beside them.

    Parameters
    ----------
    checkpoint : Path
        Of :func:`napari_credible.training.loop.train`.
    shape : UNetShape
        Of the network in it.
    weights : Path
        ``NAME.safetensors``; the card becomes ``NAME.json``.
    **card
        The fields of :class:`Card` that only a person knows: summary, licence, command,
        trained_on, measured_by, psnr.
    """
    net = UNet(shape)
    net.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["average"])
    halves = {k: v.half().contiguous() for k, v in net.state_dict().items()}
    save_file(halves, weights)
    made = Card(
        name=weights.stem,
        shape=shape.to_dict(),
        parameters=sum(p.numel() for p in net.parameters()),
        sigma_range=(0.0, 1.0),
        sha256=checksum(weights),
        **card,  # type: ignore[arg-type]
    )
    text = json.dumps(asdict(made), indent=2, ensure_ascii=False)
    weights.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return made
