"""``napari-credible train CONFIG``: from a configuration to weights with their card."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_credible.training.config import Config
    from napari_credible.training.folders import Folder

# One process is left for the loop itself; more than this are hardly ever busy.
_MOST_WORKERS = 15


def train(
    config: Annotated[Path, typer.Argument(help="TOML file: folders, network, plan.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoint, log and weights.")],
    device: Annotated[str, typer.Option(help="cpu, cuda or mps; auto: the fastest.")] = "auto",
    seconds: Annotated[
        float, typer.Option(help="Stop after so long, saved; the same command goes on.")
    ] = float("inf"),
    workers: Annotated[
        int, typer.Option(help="Processes that make batches ahead; -1: none on a CPU, else many.")
    ] = -1,
) -> None:
    """Train a denoiser, or go on where it was stopped; export its weights with their card."""
    from napari_credible.plan import chosen_device
    from napari_credible.training.config import read_config

    started = time.monotonic()
    asked = read_config(config)
    where = chosen_device(None if device == "auto" else device)
    helpers = min((os.cpu_count() or 1) - 1, _MOST_WORKERS) if workers < 0 else workers
    if workers < 0 and where == "cpu":
        helpers = 0
    with _interruptible() as interrupted:
        _carry_out(
            asked,
            out,
            where,
            helpers,
            lambda: interrupted() or time.monotonic() - started > seconds,
        )


def _carry_out(
    asked: Config, out: Path, where: str, workers: int, stop: Callable[[], bool]
) -> None:
    from tqdm import tqdm

    from napari_credible.training.data import Mixture
    from napari_credible.training.export import export
    from napari_credible.training.loop import prepared, train

    folders, tests = _folders(asked)
    data = Mixture(list(folders.values()), asked.levels, asked.plan.seed)
    state = prepared(asked, out, where)
    with tqdm(
        total=asked.plan.pixels / 1e9, initial=state.pixels / 1e9, unit="Gpx", disable=None
    ) as bar:
        for now in train(state, asked.plan, data, out, workers=workers, stop=stop):
            bar.update(now.pixels / 1e9 - bar.n)
    sums = {name: folder.checksum for name, folder in folders.items()}
    card = export(state, asked, out, sums, tests, where)
    done = state.pixels >= asked.plan.pixels
    print(f"{'trained' if done else 'stopped'} at {state.pixels / 1e9:.3f} G pixels")
    print(f"wrote {out / card.name}.safetensors and its card")
    for name, levels in card.psnr.items():
        print(f"{name}: " + ", ".join(f"{db:.2f} dB at {s}/255" for s, db in levels.items()))
    if not done:
        print("the same command goes on from here")


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish to stop after this step; the second ends the program."""
    asked = []
    before = signal.getsignal(signal.SIGINT)

    def remember(*_: object) -> None:
        asked.append(True)
        signal.signal(signal.SIGINT, before)
        print("stopping after this step; Ctrl-C again ends without saving")

    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _folders(asked: Config) -> tuple[dict[str, Folder], dict[str, Folder]]:
    """Open training and test folders, refusing those without a usable image before any work."""
    from napari_credible.training.folders import Folder

    memory = 2**30 * asked.memory / (len(asked.folders) + len(asked.tests))
    opened = {
        source.path.name: Folder(source.path, source.share, stars=source.stars, memory=memory)
        for source in asked.folders
    }
    tests = {name: Folder(path, memory=memory) for name, path in asked.tests.items()}
    for name, folder in {**opened, **tests}.items():
        print(f"{name}: {len(folder)} images")
    return opened, tests
