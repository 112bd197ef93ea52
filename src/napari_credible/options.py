"""Command line options drawn from the declared fields of a recipe."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from napari_credible.io.files import check_writable
from napari_credible.knob import Choice, Knob, knobs
from napari_credible.recipe import Recipe

NOISE = "auto, gaussian:SIGMA or poisson-gaussian:GAIN[,OFFSET[,READ]], in the image's units."

# What several commands take.
In = Annotated[Path, typer.Argument(metavar="IN", help="TIFF, FITS, OME-Zarr or PNG.")]
Axes = Annotated[str, typer.Option("--axes", help="Letters of the axes, such as TZYX.")]
Hdu = Annotated[str, typer.Option("--hdu", help="Number or name of a FITS HDU.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no report.")]
SavedRecipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="JSON file of a recipe.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")]

# Shorter names of options.
_ALSO = {"n_draws": ["--draws"], "solver": ["--method"]}


def with_recipe(method: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of :class:`Recipe` that a method reads.

    The command takes them as its last parameter ``recipe``, already checked.
    """
    asked = recipe_options(method)

    def given(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "recipe"]
        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in own]

        @wraps(command)
        def called(**values: Any) -> None:
            fields = {p.name: values.pop(p.name) for p in asked}
            fields["noise"] = parsed_noise(fields["noise"])
            command(**values, recipe=Recipe.of(method=method, **fields))

        both = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *asked]]
        called.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in both}
        return called

    return given


def recipe_options(method: str) -> list[inspect.Parameter]:
    """Return one parameter for each field of :class:`Recipe` that a method reads."""
    types = get_type_hints(Recipe)
    noise = inspect.Parameter(
        "noise",
        inspect.Parameter.KEYWORD_ONLY,
        default="auto",
        annotation=Annotated[str, typer.Option("--noise", help=NOISE)],
    )
    defaults = {field.name: field.default for field in dataclasses.fields(Recipe)}
    declared = knobs(Recipe, method)
    return [noise, *(_option(n, types[n], declared[n], defaults[n]) for n in declared)]


def _option(name: str, kind: Any, declared: Knob | Choice, default: Any) -> inspect.Parameter:
    about = f"{declared.about[:1].upper()}{declared.about[1:]}"
    names = [f"--{name.replace('_', '-')}", *_ALSO.get(name, [])]
    option = typer.Option(*names, help=f"{about}: {declared.wanted()}.")
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        # What may also be a mapping in a recipe is a word here.
        annotation=Annotated[str if kind is Any else kind, option],
    )


def parsed_noise(text: str) -> Any:
    """Return the noise model that ``text`` spells, or None for ``auto``."""
    from napari_credible.noise import Gaussian, PoissonGaussian

    kind, _, numbers = text.partition(":")
    if text == "auto":
        return None
    try:
        values = [float(value) for value in numbers.split(",")]
    except ValueError:
        values = []
    if kind == "gaussian" and len(values) == 1:
        return Gaussian(*values)
    if kind == "poisson-gaussian" and 1 <= len(values) <= 3:
        return PoissonGaussian(*values)
    raise ValueError(
        f"--noise {text}: write auto, gaussian:SIGMA or poisson-gaussian:GAIN[,OFFSET[,READ]]"
    )


def saved(path: Path) -> Recipe:
    """Return the recipe of a JSON file."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        return Recipe.from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not text; give a recipe in JSON") from None


def new(output: Path, overwrite: bool) -> None:
    """Refuse a file that exists and shall not be replaced."""
    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists; choose another name or give --overwrite")


def free(output: Path, source: Path, overwrite: bool) -> None:
    """Refuse a place that cannot be written, or must not be."""
    check_writable(output)
    new(output, overwrite)
    if output.exists() and output.samefile(source):
        raise ValueError(f"{output} is the input; choose another name")
