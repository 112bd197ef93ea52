"""Decide device, precision and tiles before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any

from napari_credible.io.image import Image
from napari_credible.recipe import DRAWING, Recipe
from napari_credible.restorers import draws as drawing
from napari_credible.restorers import method_of
from napari_credible.samplers import sampler_of
from napari_credible.tiling import Grid

if TYPE_CHECKING:
    from napari_credible.operators import Operator

# A larger tile is hardly faster, and Cancel waits for a tile to end.
_LARGEST_CORE = 2048
# For a callable that does not say how far it looks.
_UNKNOWN_REACH, _FEATHER = 64, 16
_UNKNOWN_BYTES_PER_PIXEL = 2000
_SHARE_OF_MEMORY = 0.5
# Of the free memory, that draws may fill before they go to disk.
_SHARE_FOR_DRAWS = 0.25
# A call that carries a derivative takes this many times the memory of one that does not.
_WITH_DERIVATIVE = 3
# Memory of a call whose derivative is asked for, in units of a call's (the layers are kept).
_RECORDED = 6
# Pixels of a call beyond which it gets no faster for each.
_FULL_CPU, _FULL_GPU = 2**19, 2**23
# Begins the name of a denoiser or sampler that only its author can hand over.
CUSTOM = "custom:"

Denoise = Callable[..., Any]


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes
    ----------
    device : str
        Where the network runs.
    bfloat16 : bool
        Whether its layers run in bfloat16.
    grid : Grid
        The tiles of one plane.
    channels, planes : int
        Channels, and planes of each.
    memory : int
        Bytes that the largest call takes, beside the image and the result.
    draws, evaluations : int
        Images drawn, and calls of the denoiser for each; 1 and 1 where nothing is drawn.
    together : int
        Draws made in one call.
    kept : int
        Bytes of the draws that are kept.
    on_disk : bool
        Whether they are kept on disk.
    """

    device: str
    bfloat16: bool
    grid: Grid
    channels: int
    planes: int
    memory: int
    draws: int = 1
    evaluations: int = 1
    together: int = 1
    kept: int = 0
    on_disk: bool = False

    @property
    def tiles(self) -> int:
        """Number of tiles of the whole run."""
        return len(self.grid.tiles()) * self.channels * self.planes

    @property
    def calls(self) -> int:
        """Number of calls of the denoiser on a whole plane."""
        return self.channels * self.planes * self.draws * self.evaluations

    def seconds(self, per_pixel: float) -> float:
        """Return how long the run takes where a pixel takes ``per_pixel`` seconds."""
        return per_pixel * self.grid.pixels() * self.calls

    def describe(self, seconds: float | None = None) -> str:
        """Return the plan in one sentence, with its duration where that is known."""
        planes = self.channels * self.planes
        rows, columns = self.grid.shape
        precision = "bfloat16" if self.bfloat16 else "float32"
        words = (
            f"{planes} plane{'s' if planes > 1 else ''} of {rows} × {columns} in {self.tiles} tile"
            f"{'s' if self.tiles > 1 else ''} on {self.device} in {precision}, "
            f"about {self.memory / 2**30:.2f} GiB at a time"
        )
        if self.draws > 1:
            words = f"{self.draws} draws, {self.evaluations} evaluations each: {words}"
        elif self.evaluations > 1:
            words = f"{self.evaluations} evaluations: {words}"
        if self.kept:
            place = "on disk" if self.on_disk else "in memory"
            words += f", the draws {size(self.kept)} {place}"
        return words if seconds is None else f"{words}, about {duration(seconds)}"


def plan(
    recipe: Recipe,
    image: Image,
    denoiser: Callable[..., Any] | None = None,
    sampler: Any = None,
    operator: Operator | None = None,
) -> Plan:
    """Return what :func:`napari_credible.run.steps` will do, computing nothing.

    Parameters
    ----------
    recipe : Recipe
        What was asked.
    image : Image
        Only its shape is looked at.
    denoiser : Denoiser, optional
        Only its reach, stride and appetite are looked at; loaded where not given.
    sampler : Sampler, Restorer or Solver, optional
        In place of the one that the recipe names.
    operator : Operator, optional
        Likewise, for ``restore``.
    """
    denoiser = denoiser or load(recipe)
    device = chosen_device(recipe.device)
    ordered = image.ordered().shape
    channels = ordered[0] if image.channel_axis else 1
    budget = int((recipe.memory or 0) * 2**30) or int(_SHARE_OF_MEMORY * free_memory(device))
    appetite = int(getattr(denoiser, "bytes_per_pixel", _UNKNOWN_BYTES_PER_PIXEL))
    draws, evaluations, several = 1, 1, 1
    shape = ordered[-2:]
    if recipe.method in DRAWING:
        sampler = sampler or named_sampler(recipe)
        draws, evaluations = recipe.n_draws, sampler.evaluations
    if recipe.method == "restore":
        shape = (operator or named_operator(recipe)).image_shape(shape)
        draws = recipe.n_draws if drawing(sampler) else 1
        appetite *= _RECORDED if sampler.kind == "mmps" else 1
    if recipe.method == "spread":
        appetite *= _WITH_DERIVATIVE
    grid = _grid(shape[-2:], denoiser, budget // appetite)
    if recipe.method in DRAWING:
        several = _together(draws, prod(grid.shape), budget // appetite, device)
        several = several if len(grid.tiles()) == 1 else 1
    if recipe.method == "spread":
        evaluations = 1 + recipe.probes
        several = _together(recipe.probes, grid.largest(), budget // appetite, device)
    kept = 0
    if draws > 1 and recipe.keep != "maps":
        kept = 4 * draws * prod(ordered[:-2]) * prod(shape)
    return Plan(
        device=device,
        bfloat16=recipe.precision == "bfloat16"
        or (recipe.precision == "auto" and device == "cuda"),
        grid=grid,
        channels=channels,
        planes=prod(ordered[:-2]) // channels,
        memory=grid.largest() * appetite * several,
        draws=draws,
        evaluations=evaluations,
        together=several,
        kept=kept,
        on_disk=bool(kept)
        and (recipe.keep == "disk" or kept > _SHARE_FOR_DRAWS * free_memory("cpu")),
    )


def named_operator(recipe: Recipe) -> Operator:
    """Return the operator that a recipe names."""
    if isinstance(recipe.operator, str) and recipe.operator.startswith(CUSTOM):
        raise ValueError(
            f"the recipe names the operator {recipe.operator.removeprefix(CUSTOM)!r}, which its "
            "author handed over as a Python object; hand it over again: operator=..."
        )
    from napari_credible.io.files import read
    from napari_credible.operators import operator_of

    return operator_of(recipe.operator, read)


def named_sampler(recipe: Recipe) -> Any:
    """Return the sampler that a recipe names, or for ``restore`` the method of restoring."""
    if recipe.method == "restore":
        if isinstance(recipe.solver, str) and recipe.solver.startswith(CUSTOM):
            raise ValueError(
                f"the recipe names the solver {recipe.solver.removeprefix(CUSTOM)!r}, which its "
                "author handed over as a Python object; hand it over again: method=..."
            )
        return method_of(recipe.solver)
    if isinstance(recipe.sampler, str) and recipe.sampler.startswith(CUSTOM):
        raise ValueError(
            f"the recipe names the sampler {recipe.sampler.removeprefix(CUSTOM)!r}, which its "
            "author handed over as a Python object; hand it over again: sampler=..."
        )
    return sampler_of(recipe.sampler)


def _together(draws: int, pixels: int, affordable: int, device: str) -> int:
    """Return how many draws to make at once: enough that a call's fixed cost does not count."""
    wanted = ceil((_FULL_CPU if device == "cpu" else _FULL_GPU) / pixels)
    return max(1, min(draws, wanted, affordable // pixels))


def size(n_bytes: int) -> str:
    """Return an amount of memory in words."""
    if n_bytes < 2**30:
        return f"{max(n_bytes / 2**20, 1):.0f} MiB"
    return f"{n_bytes / 2**30:.1f} GiB"


def duration(seconds: float) -> str:
    """Return a time span in words, with a precision that an estimate deserves."""
    if seconds < 1:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def load(recipe: Recipe) -> Denoise:
    """Return the denoiser that a recipe names."""
    if recipe.denoiser.startswith(CUSTOM):
        raise ValueError(
            f"the recipe names the denoiser {recipe.denoiser.removeprefix(CUSTOM)!r}, which its "
            "author handed over as a Python object; hand it over again: denoiser=..."
        )
    from napari_credible.denoise.load import load_denoiser

    return load_denoiser(recipe.denoiser)


def placed(denoiser: Denoise, todo: Plan) -> Denoise:
    """Return a learned denoiser on its device and in its precision; others as they are."""
    from napari_credible.denoise.learned import Learned

    if isinstance(denoiser, Learned):
        return replace(denoiser.to(todo.device), bfloat16=todo.bfloat16)
    return denoiser


def chosen_device(asked: str | None) -> str:
    """Return the device that was asked for, or the fastest one.

    Raises
    ------
    ValueError
        Where the machine has no such device.
    """
    import torch

    have = ["cpu"]
    if torch.backends.mps.is_available():
        have.insert(0, "mps")
    if torch.cuda.is_available():
        have.insert(0, "cuda")
    if asked is None:
        return have[0]
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        kind = ""
    if kind not in have:
        raise ValueError(f"this machine has no device {asked!r}; choose one of {', '.join(have)}")
    return asked


def free_memory(device: str) -> int:
    """Return the bytes that are free on a device."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def _grid(shape: tuple[int, int], denoiser: Callable[..., Any], pixels: int) -> Grid:
    """Return the fewest tiles that fit into ``pixels`` read at once."""
    if getattr(denoiser, "whole", False):
        return Grid((shape[0], shape[1]), (shape[0], shape[1]))
    reach = getattr(denoiser, "reach", None)
    feather = _FEATHER if reach is None else 0
    halo = _UNKNOWN_REACH if reach is None else int(reach)
    stride = int(getattr(denoiser, "stride", 1))
    core = -(-_LARGEST_CORE // stride) * stride
    grid = Grid((shape[0], shape[1]), (core, core), halo, feather, stride)
    while grid.largest() > pixels:
        grid = grid.halved()
    return grid
