"""A denoiser by name, or from a weights file with its card."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from napari_credible.denoise.catalogue import CLASSICAL, Card, cards, read_card
from napari_credible.denoise.protocol import Denoiser


def load_denoiser(name_or_path: str | Path) -> Denoiser:
    """Return a shipped denoiser by name, or one from a ``.safetensors`` file.

    Parameters
    ----------
    name_or_path : str or Path
        A key of :func:`napari_credible.denoisers`, or weights with their card, the same name
        ending in ``.json``, beside them. ``"cscnet:16"`` averages over 16 shifts only: 64, 16, 4
        or 1, the fewer the faster.

    Raises
    ------
    ValueError
        Unknown name, missing card, or weights that are not those of the card.
    """
    name = str(name_or_path)
    if name in CLASSICAL:
        from napari_credible.denoise.classical import by_name

        return by_name(name)
    shipped, _, shifts = name.partition(":")
    if shipped in cards() and (name == shipped or shifts):
        own = cards()[shipped]
        return _load(_with_shifts(own, shifts) if shifts else own, own.weights)
    path = Path(name_or_path)
    if path.suffix == ".safetensors" and path.exists():
        card = path.with_suffix(".json")
        if not card.exists():
            raise ValueError(f"{path} has no model card; put {card.name} beside it")
        return _load(read_card(card), path)
    known = ", ".join([*cards(), *CLASSICAL])
    raise ValueError(
        f"no denoiser {name!r}; the shipped ones are {known}, or give a .safetensors file"
    )


def _with_shifts(card: Card, shifts: str) -> Card:
    """Return the card of a CSCNet with another number of shifts."""
    if "shifts" not in card.shape or not shifts.isdecimal():
        raise ValueError(
            f"denoiser {card.name + ':' + shifts!r} is none; only cscnet takes a number, of "
            "shifts: 64, 16, 4 or 1, such as 'cscnet:16'"
        )
    return replace(card, shape={**card.shape, "shifts": int(shifts)})


def _load(card: Card, path: Path) -> Denoiser:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from napari_credible.denoise.learned import AtItsRange, Learned
    from napari_credible.denoise.networks import network, shape_of
    from napari_credible.denoise.stabilised import StabilisedNet

    found = checksum(path)
    if found != card.sha256:
        raise ValueError(
            f"{path.name} has checksum {found[:12]}, its card says {card.sha256[:12]}; "
            "install the package again, or export the weights anew"
        )
    try:
        shape = shape_of(card.shape)
        if missing := sorted(shape.to_dict().keys() - card.shape.keys()):
            raise ValueError(f"its shape says nothing of {', '.join(missing)}")
        net = network(shape)
        net.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path.name} does not hold the network that its card describes ({reason}); export "
            "the weights anew"
        ) from None
    net.eval().requires_grad_(False)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if isinstance(net, StabilisedNet):
        return AtItsRange(net, card, **card.adaptation["range"])
    return Learned(net, card)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
