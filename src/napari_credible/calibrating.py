"""``napari-credible calibrate`` and ``widen``: is the uncertainty of IN true, and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_credible.io.files import write
from napari_credible.io.opened import opened
from napari_credible.options import (
    Axes,
    Hdu,
    In,
    Overwrite,
    Quiet,
    SavedRecipe,
    free,
    new,
    saved,
    with_recipe,
)
from napari_credible.recipe import Recipe
from napari_credible.terminal import exhausted, interruptible


@with_recipe("sample")
def calibrate(
    source: In,
    recipe: Recipe,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="For the map of the residual."),
    ] = None,
    operator: Annotated[
        str, typer.Option(help="How IN came from an image, to test what restore says of it.")
    ] = "",
    method: Annotated[
        str, typer.Option(help="That restores, with --operator; mmps where not given.")
    ] = "",
    axes: Axes = "",
    hdu: Hdu = "",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Test on IN itself whether its uncertainty is believable; exit code 1 where it is not."""
    from napari_credible.believe import believable

    if method and not operator:
        raise ValueError(f"--method {method} restores; say with --operator what the instrument did")
    if operator:
        recipe = recipe.replace(method="restore", operator=operator, solver=method or "mmps")
    if output is not None:
        free(output, source, overwrite)
    image = opened(source, axes, hdu)
    with interruptible() as stop:
        found = exhausted(believable(recipe, image, stop=stop), quiet)
    print(found.reliability.table())
    for check in found.checks:
        print(f"{'passed' if check.passed else 'FAILED'}  {check.name}: {check.words}")
    print(found.sentence)
    if output is not None:
        write(output, image.with_array(found.residual))
        print(f"wrote {output}")
    if not found.passed:
        raise typer.Exit(1)


def widen(
    recipe: SavedRecipe,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="A recipe.")],
    noisy: Annotated[Path | None, typer.Argument(metavar="NOISY", help="Folder of images.")] = None,
    truth: Annotated[
        Path | None, typer.Argument(metavar="TRUTH", help="Folder, same names.")
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Of clean images, in place of NOISY and TRUTH: data are made of them as RECIPE "
            "says, by its operator and its noise.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Learn the factor on a RECIPE's intervals from images whose truth is known.

    The factor comes with a guarantee, which is kept in the recipe.
    """
    from napari_credible.widen import widened

    new(output, overwrite)
    if not output.parent.is_dir():
        raise ValueError(f"there is no folder {output.parent}")
    asked = saved(recipe)
    pairs = _known(asked, noisy, truth, clean)
    with interruptible() as stop:
        going = widened(asked, pairs, simulated=clean is not None, stop=stop)
        found: Recipe = exhausted(going, quiet)
    output.write_text(found.to_json() + "\n", encoding="utf-8")
    print(f"{found.guarantee}\nwrote {output}")


def _known(recipe: Recipe, noisy: Path | None, truth: Path | None, clean: Path | None) -> Any:
    """Return images with their truth, from two folders or from one of clean images."""
    from napari_credible.widen import made_of, paired

    if clean is not None and noisy is None:
        return made_of(recipe, clean)
    if clean is None and noisy is not None and truth is not None:
        return paired(noisy, truth)
    raise ValueError("give two folders, NOISY and TRUTH, or --clean FOLDER alone")
