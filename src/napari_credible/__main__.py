"""The command line: the front door's words, for files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from napari_credible.adapting import adapt, compare, export
from napari_credible.calibrating import calibrate, widen
from napari_credible.io.files import ZARR, check_writable, write
from napari_credible.io.image import Image
from napari_credible.io.opened import opened
from napari_credible.noise.evidence import Evidence
from napari_credible.options import (
    Axes,
    Hdu,
    In,
    Overwrite,
    Quiet,
    SavedRecipe,
    free,
    saved,
    with_recipe,
)
from napari_credible.recipe import DRAWING, UNSURE, Recipe
from napari_credible.result import Result, expected
from napari_credible.terminal import exhausted, interruptible
from napari_credible.training.command import train

app = typer.Typer(
    name="napari-credible",
    help="Denoise scientific images, and say how sure each pixel is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help=".tif, .fits, .ome.zarr.")]

# What runs a recipe of each method on a file: they differ in the options that the method reads.
_METHODS = {
    "denoise": "Denoise IN and write the estimate, its flags and its recipe to OUT.",
    "sample": """Draw from the posterior of IN; write its mean, std, interval and exceedance to OUT.

    Ctrl-C ends it early: the maps of the draws so far are written.
    """,
    "spread": "Map how sure each pixel of IN is without drawing: mean, std, interval, exceedance.",
    "restore": """Restore the image behind IN, which an instrument blurred, masked or projected.

    Writes it with its std and interval to OUT, where the method draws (--method mmps, snips,
    ddrm, ks), or alone (pnp, red).
    """,
}


def _offer(method: str, about: str) -> None:
    def command(
        source: In,
        output: Out,
        recipe: Recipe,
        axes: Axes = "",
        hdu: Hdu = "",
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        _carry_out(recipe, source, output, axes, hdu, overwrite, quiet)

    app.command(method, help=about)(with_recipe(method)(command))


for _method, _about in _METHODS.items():
    _offer(_method, _about)
for _command in (calibrate, widen, compare, adapt, export, train):
    app.command()(_command)


@app.command()
def run(
    recipe: SavedRecipe,
    source: In,
    output: Out,
    axes: Axes = "",
    hdu: Hdu = "",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run a saved RECIPE on IN."""
    _carry_out(saved(recipe), source, output, axes, hdu, overwrite, quiet)


@app.command()
def batch(
    recipe: SavedRecipe,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the files to be run.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="For results.")],
    pattern: Annotated[str, typer.Option(help="Of the files' names.")] = "*",
    suffix: Annotated[str, typer.Option(help="Of the results, such as .fits; as IN.")] = "",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run a saved RECIPE on every readable file of a folder; what is done already is skipped."""
    from napari_credible.batch import batch, files_of

    going = batch(
        saved(recipe), files_of(folder, pattern), output, suffix or None, overwrite=overwrite
    )
    report = exhausted(going, quiet)
    print(report.in_words())
    if report.failed:
        raise typer.Exit(1)


@app.command()
def noise(
    source: In,
    repeats: Annotated[bool, typer.Option(help="The first axis counts exposures.")] = False,
    offset: Annotated[float | None, typer.Option(help="Counts without light, ADU.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    axes: Axes = "",
    hdu: Hdu = "",
) -> None:
    """Measure the noise of IN: model, parameters with their errors, doubts."""
    from napari_credible.noise import estimate_noise

    image = opened(source, axes, hdu)
    found = [estimate_noise(c, offset=offset, repeats=repeats) for c in image.channels()]
    if as_json:
        print(json.dumps([{**m.to_dict(), "errors": _finite(m.evidence)} for m in found]))
        return
    for number, model in enumerate(found):
        print(f"channel {number}: " * (len(found) > 1) + model.in_words())


@app.command()
def models() -> None:
    """List the shipped denoisers with what was measured of them."""
    from napari_credible.denoise import cards, denoisers
    from napari_credible.denoise.figures import figures, table

    for name, about in denoisers().items():
        licence = f" (licence {cards()[name].licence})" if name in cards() else ""
        print(f"{name:10} {about}{licence}")
    print(f"\n{table()}\n\nmeasured by: {figures()['command']}")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")] = Path(
        "demo-output"
    ),
    show: Annotated[bool, typer.Option(help="Open napari if there is a display.")] = True,
) -> None:
    """Denoise the three embedded samples, and say where the results and a picture are."""
    from napari_credible.demo import denoise_samples, open_napari

    results = denoise_samples(output, _with_bar)
    if show:
        open_napari(results)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends with one sentence and exit code 2."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (ValueError, MemoryError) as error:
        print(f"napari-credible: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(
            f"napari-credible: {error.filename or 'file'}: {error.strerror or error}",
            file=sys.stderr,
        )
        sys.exit(2)


def _carry_out(
    recipe: Recipe, source: Path, output: Path, axes: str, hdu: str, overwrite: bool, quiet: bool
) -> None:
    """Check everything that can be checked, then run, then write."""
    free(output, source, overwrite)
    image = opened(source, axes, hdu)
    check_writable(output, expected(recipe, image))
    if recipe.method in UNSURE and image.channel_axis and output.name.lower().endswith(ZARR):
        raise ValueError(
            f"{output.name}: OME-Zarr has one channel axis, and that of the image is in use; write "
            "mean and maps as .ome.tif or .fits"
        )
    result = _with_bar(recipe, image, quiet)
    write(output, result.image, flags=result.flags, record=result.record(), maps=result.maps)
    if not quiet:
        for model in result.noise:
            print(model.in_words())
        if result.sureness:
            print(result.sureness)
        for doubt in result.doubts:
            print(f"  note: {doubt}")
        print(f"wrote {output}")


def _with_bar(recipe: Recipe, image: Image, quiet: bool = False) -> Result:
    """Exhaust the run's steps behind a progress bar; Ctrl-C keeps the draws that are done."""
    from napari_credible.run import steps

    if recipe.method not in DRAWING:
        result: Result = exhausted(steps(recipe, image), quiet)
        return result
    with interruptible() as stop:
        result = exhausted(steps(recipe, image, stop=stop), quiet)
    return result


def _finite(evidence: Evidence | None) -> dict[str, float | None]:
    errors = evidence.errors if evidence else {}
    return {name: error if error != float("inf") else None for name, error in errors.items()}


if __name__ == "__main__":
    main()
