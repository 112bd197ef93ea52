"""What is trained, on what and how: a TOML file, checked before any work."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from napari_credible.denoise.networks import Shape, shape_of
from napari_credible.denoise.unet import UNetShape
from napari_credible.knob import Knob
from napari_credible.training.schedule import Levels, Plan


@dataclass(frozen=True)
class Source:
    """A folder of clean images.

    Parameters
    ----------
    path : Path
        PNG, TIFF and FITS files, also in folders below it.
    share : float
        How often it is drawn from, relative to the other folders.
    stars : bool
        Add point sources to half of its crops.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    path: Path
    share: Annotated[float, Knob(0, 1e6, "", "of the draws, relative", above=True)] = 1.0
    stars: bool = False


@dataclass(frozen=True)
class Config:
    """A training run.

    Parameters
    ----------
    name : str
        Of the exported weights: ``NAME.safetensors`` and ``NAME.json``.
    folders : tuple of Source
        The training images.
    network : Shape
        Architecture and size; ``kind`` is unet, csc, deep_ksvd or lidia, unet by default.
    plan : Plan
        Rates, crops, length.
    levels : Levels
        Density of the noise levels.
    start : Path, optional
        Exported weights to start from, of the same or of a smaller network.
    tests : mapping of str to Path
        Folders on which the exported weights are measured, by name. Never trained on.
    memory : float, GiB
        Of decoded training images that are kept.
    summary, licence, trained_on : str
        Sentences of the model card.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    name: str
    folders: tuple[Source, ...]
    network: Shape = field(default_factory=UNetShape)
    plan: Plan = field(default_factory=Plan)
    levels: Levels = field(default_factory=Levels)
    start: Path | None = None
    tests: Mapping[str, Path] = field(default_factory=dict)
    memory: Annotated[float, Knob(0.01, 1e4, "GiB", "of decoded images that are kept")] = 4.0
    summary: str = ""
    licence: str = "not stated"
    trained_on: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the configuration as plain JSON values, folders by their last name."""
        values = asdict(self)
        values["folders"] = [
            {**asdict(source), "path": source.path.name} for source in self.folders
        ]
        values["network"] = self.network.to_dict()
        values["start"] = self.start.name if self.start else None
        values["tests"] = {name: path.name for name, path in self.tests.items()}
        return values


def read_config(path: Path) -> Config:
    """Read a configuration; its paths are relative to its own folder.

    Raises
    ------
    ValueError
        One sentence on the first field that is missing, unknown or outside its range, or on a
        folder that is not there.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is no readable TOML file: {error}") from None
    if "network" in values:
        values["network"] = shape_of(values["network"])
    try:
        config = TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        sentence = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{path.name} does not fit at {place}: {sentence}") from None
    return _checked(_located(config, path.resolve().parent))


def _located(config: Config, home: Path) -> Config:
    return replace(
        config,
        folders=tuple(replace(source, path=home / source.path) for source in config.folders),
        tests={name: home / folder for name, folder in config.tests.items()},
        start=home / config.start if config.start else None,
    )


def _checked(config: Config) -> Config:
    if not config.folders:
        raise ValueError("no folder of training images is named; give [[folders]] with a path")
    if not config.name.isidentifier():
        raise ValueError(
            f"name is {config.name!r}; give letters, digits and underscores, such as 'my_unet'"
        )
    for folder in [source.path for source in config.folders] + list(config.tests.values()):
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder; give one that holds images")
    if config.start and not config.start.is_file():
        raise ValueError(f"{config.start} is not there; give exported weights to start from")
    return config
