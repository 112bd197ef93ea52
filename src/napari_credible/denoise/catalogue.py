"""What is shipped: classical denoisers by name, and model cards beside their weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parent / "weights"
DEFAULT = "unet"

CLASSICAL = {
    "wavelet": "BayesShrink of undecimated-by-shifts wavelets (Chang, Yu, Vetterli 2000)",
    "tv": "total variation (Rudin, Osher, Fatemi 1992), Chambolle's algorithm",
    "nlm": "non-local means (Buades, Coll, Morel 2005)",
    "ksvd": "sparse coding of patches, dictionary of photographs (Elad, Aharon 2006)",
}


@dataclass(frozen=True)
class Card:
    """A model card: what the weights are, whence they come, where they may be trusted.

    Attributes
    ----------
    name, summary, licence, command : str
        ``command`` trained the weights.
    shape : dict
        Widths and blocks of the network.
    parameters : int
        Number of learned values.
    sigma_range : tuple of float
        Trained noise levels, as a share of the image's range.
    psnr : dict
        Measured mean PSNR (dB) by test set and noise level; ``measured_by`` is the command.
    sha256 : str
        Of the weights file.
    trained_on, measured_by : str
        Data with licences; the command that prints ``psnr`` again.
    pixels : float
        Trained on in all; 0 where unknown.
    data : dict of str to str
        SHA-256 of the files of each training folder.
    history : list of dict
        The configuration of each part of the run, with the pixels at which it began.
    adaptation : dict
        Of weights that were adapted to an image: the parent and its checksum, the image's, mode
        and numbers, noise, what it came to. Empty for others.
    """

    name: str
    summary: str
    licence: str
    command: str
    shape: dict[str, Any]
    parameters: int
    sigma_range: tuple[float, float]
    psnr: dict[str, dict[str, float]]
    sha256: str
    trained_on: str
    measured_by: str
    pixels: float = 0.0
    data: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    adaptation: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The safetensors file beside the card."""
        return WEIGHTS / f"{self.name}.safetensors"


@cache
def cards() -> dict[str, Card]:
    """Return the shipped model cards by name, the default first, then the other U-Nets."""
    found = [read_card(path) for path in sorted(WEIGHTS.glob("*.json"))]
    return {card.name: card for card in sorted(found, key=_rank)}


def _rank(card: Card) -> tuple[bool, bool]:
    return card.name != DEFAULT, card.shape.get("kind", "unet") != "unet"


def read_card(path: Path) -> Card:
    """Read a model card.

    Raises
    ------
    ValueError
        One sentence on the first field that is missing, unknown or of another type.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(with_config(ConfigDict(extra="forbid"))(Card)).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "its whole"
        raise ValueError(f"the card {path.name} does not fit at {place}: {first['msg']}") from None
    except ValueError as error:
        raise ValueError(f"the card {path.name} is not JSON: {error}") from None


def denoisers() -> dict[str, str]:
    """Return every shipped denoiser's name with one sentence on it, the default first."""
    return {**{name: card.summary for name, card in cards().items()}, **CLASSICAL}
