"""D(x, sigma): the mean of the clean image given a noisy one. Everything else calls it.

This module lists what is shipped without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_credible.denoise.catalogue import CLASSICAL, Card, cards, denoisers

if TYPE_CHECKING:
    from napari_credible.denoise.check import check_denoiser as check_denoiser
    from napari_credible.denoise.learned import Learned as Learned
    from napari_credible.denoise.load import load_denoiser as load_denoiser
    from napari_credible.denoise.protocol import Denoiser as Denoiser

__all__ = [
    "CLASSICAL",
    "Card",
    "Denoiser",
    "Learned",
    "cards",
    "check_denoiser",
    "denoisers",
    "load_denoiser",
]

_HOMES = {
    "check_denoiser": "check",
    "load_denoiser": "load",
    "Learned": "learned",
    "Denoiser": "protocol",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"{__name__} has no {name}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
