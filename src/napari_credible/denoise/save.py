"""Write a network's weights with their model card: safetensors, halved, never half a file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from napari_credible.denoise.catalogue import Card
from napari_credible.denoise.learned import Learned


def save_denoiser(denoiser: Learned, path: Path) -> None:
    """Write ``path``, a ``.safetensors`` file, and its card beside it, ending in ``.json``.

    ``load_denoiser(path)`` returns the same denoiser.

    Raises
    ------
    ValueError
        Where the denoiser has no weights, or the path another suffix.
    """
    if not isinstance(denoiser, Learned):
        raise ValueError(f"{denoiser!r} has no weights; a shipped one is loaded by its name")
    check_name(path)
    write_weights(denoiser.net, path)
    write_card(denoiser.card, path)


def check_name(path: Path) -> None:
    """Refuse a path that does not end in ``.safetensors``, or whose folder is not there."""
    if path.suffix != ".safetensors":
        raise ValueError(f"{path.name} is no name for weights; end it in .safetensors")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}; make it, or write elsewhere")


def write_weights(net: nn.Module, path: Path) -> str:
    """Write the weights of a network and return their SHA-256."""
    content = packed(net)
    _replaced(path, content)
    return hashlib.sha256(content).hexdigest()


def write_card(card: Card, weights: Path) -> None:
    """Write the card beside the weights."""
    text = json.dumps(asdict(card), indent=2, ensure_ascii=False)
    _replaced(weights.with_suffix(".json"), f"{text}\n".encode())


def packed(net: nn.Module) -> bytes:
    """Return the bytes of a weights file."""
    content: bytes = save(halved(net))
    return content


def halved(net: nn.Module) -> dict[str, Tensor]:
    """Return the learned weights as float16; running variances may lie outside its range."""
    learned = dict(net.named_parameters())
    return {
        name: (value.half() if name in learned else value.float()).cpu().contiguous()
        for name, value in net.state_dict().items()
    }


def _replaced(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
