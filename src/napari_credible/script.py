"""A recipe as what can be run elsewhere: Python, or a command line."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from napari_credible.knob import knobs
from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.recipe import UNSURE, Recipe
from napari_credible.region import Region

_FRONT_DOOR = ("denoiser", "seed", "device")
# What the front door takes of a method beside, and how its results are called.
_ALSO = {"denoise": (), "sample": ("sampler", "n_draws")}
_CALLED = {"denoise": "denoised", "sample": "sampled", "spread": "spread"}


def as_python(recipe: Recipe, source: str, axes: str = "", region: Region | None = None) -> str:
    """Return a script that runs the recipe on a file and writes the result beside it.

    Parameters
    ----------
    recipe : Recipe
        What is asked.
    source : str
        Path of the file.
    axes : str
        Letters of its axes, where the file does not tell them.
    region : Region, optional
        The part that was worked on.
    """
    lines = ["import napari_credible as nc", "", f"image = nc.read({source!r})"]
    if axes:
        lines.append(f"image = nc.Image(image.array, {axes!r}, header=image.header)")
    changed = _changed(recipe)
    known = {*_FRONT_DOOR, *_ALSO.get(recipe.method, ())}
    at_the_door = recipe.method in _ALSO and set(changed) <= known and not recipe.guarantee
    if at_the_door and region is None:
        asked = [f"{name}={value!r}" for name, value in changed.items()]
        noise = [_model_in_python(recipe.noise)] if recipe.noise is not None else []
        lines.append(f"result = nc.{recipe.method}({', '.join(['image', *noise, *asked])})")
    else:
        lines[0] = "import napari_credible as nc\nfrom napari_credible.recipe import Recipe"
        if region is not None:
            lines[0] += "\nfrom napari_credible.region import Region"
        lines[0] += "\nfrom napari_credible.run import run"
        lines.append(f"recipe = Recipe.from_json({recipe.to_json()!r})")
        part = "" if region is None else f", region={region!r}"
        lines.append(f"result = run(recipe, image{part})")
    target = str(result_path(Path(source), recipe.method))
    kept = "flags=result.flags, record=result.record()"
    if recipe.method in UNSURE:
        kept += ", maps=result.maps"
    lines.append(f"nc.write({target!r}, result.image, {kept})")
    return "\n".join(lines) + "\n"


def as_command(recipe: Recipe, source: str, axes: str = "", region: Region | None = None) -> str:
    """Return the command line that runs the recipe on a file.

    Raises
    ------
    ValueError
        One sentence, where the noise is one model a channel, or a map: a command line cannot
        spell these, a saved recipe can; and where only a region was worked on.
    """
    if region is not None:
        raise ValueError(
            "a command line runs the whole image, and this result is of a region; copy it as "
            "Python, or save the recipe for the whole image"
        )
    if isinstance(recipe.sampler, dict):
        raise ValueError(
            "a command line cannot spell all numbers of this sampler; save the recipe and use: "
            "napari-credible run RECIPE.json IN -o OUT"
        )
    target = str(result_path(Path(source), recipe.method))
    words = ["napari-credible", recipe.method, source, "-o", target]
    if recipe.noise is not None:
        words += ["--noise", _model_in_words(recipe.noise)]
    for name, value in _changed(recipe).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if axes:
        words += ["--axes", axes]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def result_path(source: Path, method: str = "denoise") -> Path:
    """Return the name of a result beside its source: FITS stays FITS, the rest is OME-TIFF."""
    name = source.name
    for suffix in (".ome.zarr", ".ome.tiff", ".ome.tif", ".fits.gz", ".fit.gz", source.suffix):
        if suffix and name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    fits = any(part in (".fits", ".fit", ".fts", ".fz") for part in source.suffixes[-2:])
    called = _CALLED.get(method, method)
    return source.with_name(f"{name}-{called}{'.fits' if fits else '.ome.tif'}")


def _changed(recipe: Recipe) -> dict[str, Any]:
    """Return the declared fields that differ from their defaults: all but the noise."""
    plain = {field.name: field.default for field in dataclasses.fields(Recipe)}
    names = knobs(Recipe, recipe.method)
    return {name: getattr(recipe, name) for name in names if getattr(recipe, name) != plain[name]}


def _model_in_python(noise: Any) -> str:
    if isinstance(noise, tuple):
        return f"[{', '.join(_model_in_python(model) for model in noise)}]"
    numbers = {n: v for n, v in noise.to_dict().items() if n != "kind"}
    return f"nc.{type(noise).__name__}({', '.join(f'{n}={v!r}' for n, v in numbers.items())})"


def _model_in_words(noise: Any) -> str:
    if isinstance(noise, tuple) and len(set(noise)) == 1:
        noise = noise[0]
    if not isinstance(noise, (Gaussian, PoissonGaussian)):
        raise ValueError(
            "a command line cannot spell one noise model for each channel; save the recipe and "
            "use: napari-credible run RECIPE.json IN -o OUT"
        )
    numbers = [v for n, v in noise.to_dict().items() if n != "kind"]
    if any(np.ndim(v) for v in numbers):
        raise ValueError(
            "a command line cannot spell a noise map; save the recipe and use: "
            "napari-credible run RECIPE.json IN -o OUT"
        )
    kind = "gaussian" if isinstance(noise, Gaussian) else "poisson-gaussian"
    return f"{kind}:{','.join(repr(v) for v in numbers)}"
