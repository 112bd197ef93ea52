"""``napari-credible adapt``, ``compare`` and ``export``: files in, weights or a table out."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from napari_credible.adapt.modes import ABOUT, MODES, mode_of
from napari_credible.io.opened import opened
from napari_credible.knob import Knob, knobs
from napari_credible.options import NOISE, Axes, Hdu, In, Quiet, new, parsed_noise

_MODE = "How: " + "; ".join(f"{name}, {about}" for name, about in ABOUT.items()) + "."
Noise = Annotated[str, typer.Option("--noise", help=NOISE)]
Denoiser = Annotated[str, typer.Option(help="A shipped network, or a path of weights.")]


def with_numbers(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--mode`` and an option for each number that a mode declares.

    The command takes the mode, made of them, as its parameter ``mode``.
    """
    declared = {n: k for kind in MODES.values() for n, k in knobs(kind).items()}
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    own = [
        p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for p in signature.parameters.values()
        if p.name != "mode"
    ]
    asked = [_option("mode", str, "internal", _MODE)]
    asked += [_number(name, knob) for name, knob in declared.items() if isinstance(knob, Knob)]

    @wraps(command)
    def called(**values: Any) -> None:
        numbers = {name: values.pop(name) for name in declared}
        given = {name: value for name, value in numbers.items() if value is not None}
        command(mode=mode_of({"kind": values.pop("mode"), **given}), **values)

    called.__signature__ = signature.replace(parameters=[*own, *asked])  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in [*own, *asked]}
    return called


def _number(name: str, knob: Knob) -> inspect.Parameter:
    users = [mode for mode, kind in MODES.items() if name in knobs(kind)]
    some = "" if len(users) == len(MODES) else f" For {', '.join(users)}."
    about = f"{knob.about[:1].upper()}{knob.about[1:]}: {knob.wanted()}.{some}"
    whole = get_type_hints(MODES[users[0]])[name] is int
    return _option(name, int | None if whole else float | None, None, about)


def _option(name: str, kind: Any, default: Any, about: str) -> inspect.Parameter:
    option = typer.Option(f"--{name}", help=about, show_default=default is not None)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


@with_numbers
def adapt(
    source: In,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="WEIGHTS", help=".safetensors.")
    ],
    mode: Any,
    examples: Annotated[
        list[Path] | None, typer.Option(help="Clean image of the same kind; again for more.")
    ] = None,
    noise: Noise = "auto",
    denoiser: Denoiser = "unet",
    seed: Annotated[int, typer.Option(min=0, help="Of crops and noise.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps; auto: the fastest.")] = "auto",
    axes: Axes = "",
    hdu: Hdu = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace WEIGHTS.")] = False,
    quiet: Quiet = False,
) -> None:
    """Adapt a network to IN; write its weights and their card, to be used as --denoiser WEIGHTS.

    Ctrl-C ends it early: the best weights so far are written.
    """
    from napari_credible.adaptation import steps
    from napari_credible.denoise.save import check_name, save_denoiser
    from napari_credible.terminal import exhausted, interruptible

    check_name(output)
    new(output, overwrite)
    with interruptible() as stop:
        going = steps(
            opened(source, axes, hdu),
            parsed_noise(noise),
            denoiser=denoiser,
            mode=mode,
            examples=[opened(example) for example in examples or []] or None,
            seed=seed,
            device=None if device == "auto" else device,
            stop=stop,
        )
        adapted = exhausted(going, quiet, "step", _told)
    save_denoiser(adapted, output)
    if not quiet:
        print(adapted.card.adaptation["words"])
        print(f"wrote {output} and its card")


def export(
    weights: Annotated[str, typer.Argument(metavar="WEIGHTS", help="A path, or a shipped name.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PACKAGE", help=".zip.")],
    sigma: Annotated[float, typer.Option(help="Standard deviation of the noise, image units.")],
    low: Annotated[float, typer.Option(help="Where most values of the images begin.")] = 0.0,
    high: Annotated[float, typer.Option(help="Where they end.")] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace PACKAGE.")] = False,
) -> None:
    """Export a network, for one noise level, as a package of the BioImage Model Zoo."""
    from napari_credible.denoise.bioimage import save_bioimage
    from napari_credible.denoise.load import load_denoiser

    new(output, overwrite)
    save_bioimage(load_denoiser(weights), output, sigma, low, high)  # type: ignore[arg-type]
    print(f"wrote {output}")


def compare(
    source: In,
    denoisers: Annotated[
        list[str] | None, typer.Option("--denoiser", help="Name or path; again for more.")
    ] = None,
    by: Annotated[str, typer.Option(help="sure, or pixels.")] = "sure",
    side: Annotated[int, typer.Option(min=16, help="Pixels of the part looked at.")] = 256,
    noise: Noise = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    axes: Axes = "",
    hdu: Hdu = "",
    quiet: Quiet = False,
) -> None:
    """Rank denoisers on IN without its truth: estimated errors with their standard errors."""
    from napari_credible.compare import comparing, table
    from napari_credible.terminal import exhausted

    image = opened(source, axes, hdu)
    going = comparing(image, parsed_noise(noise), denoisers=denoisers, by=by, side=side)
    rows = exhausted(going, quiet or as_json, "step", _told)
    print(json.dumps([asdict(row) for row in rows]) if as_json else table(rows))


def _told(step: Any) -> str:
    gain = getattr(step, "gain", math.nan)
    return str(step.doing) + ("" if math.isnan(gain) else f" {gain:+.2f} ± {step.error:.2f} dB")
