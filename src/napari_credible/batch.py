"""One recipe on many files: each stands for itself, and a stopped batch goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_credible.io import read, write
from napari_credible.io.files import ZARR, check_writable, readable
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.result import Result
from napari_credible.run import steps
from napari_credible.script import result_path
from napari_credible.stopping import Stopped

# Progress within a file, so that the bar moves in files of many planes too.
_SHARES = 100


@dataclass(frozen=True)
class Report:
    """What became of each file.

    Attributes
    ----------
    done, skipped : list of Path
        Results that were written, and those that were there already.
    failed : dict of Path to str
        Inputs without a result, each with the sentence that says why.
    """

    done: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)

    def in_words(self) -> str:
        """Return how many files went which way, and why some failed."""
        counts = [f"{len(self.done)} done"]
        if self.skipped:
            counts.append(f"{len(self.skipped)} were there already")
        if self.failed:
            counts.append(f"{len(self.failed)} failed")
        reasons = [f"{path.name}: {sentence}" for path, sentence in self.failed.items()]
        return "\n".join([", ".join(counts) + ".", *reasons])


def files_of(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the readable files of a folder by name.

    Raises
    ------
    ValueError
        Where there is no such folder, or no file that can be read.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = sorted(path for path in folder.glob(pattern) if readable(path))
    if not found:
        raise ValueError(f"{folder} has no TIFF, FITS, OME-Zarr or PNG named {pattern}")
    return found


def batch(
    recipe: Recipe,
    paths: Sequence[Path],
    folder: Path,
    suffix: str | None = None,
    *,
    overwrite: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Report]:
    """Run a recipe on files, yielding progress over all of them.

    Of a file with several images the first is run. An input is never replaced, and a result
    that lies among the inputs is not run again.

    Parameters
    ----------
    recipe : Recipe
        The same for all; noise that it does not give is measured in each file.
    paths : sequence of Path
        Never changed.
    folder : Path
        Where results go; made where it is missing.
    suffix : str, optional
        Of the results, such as ".fits"; without it FITS and OME-Zarr stay what they are, the
        rest is OME-TIFF.
    overwrite : bool
        Replace results that are there; else their files are skipped.
    stop : callable, optional
        As for :func:`napari_credible.run.steps`.

    Yields
    ------
    Progress
        In hundredths of a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    sources = _by_target(paths, folder, suffix, recipe.method)
    inputs = [path for path in paths if path.resolve() not in sources]
    for number, path in enumerate(inputs):
        target = _target(path, folder, suffix, recipe.method)
        yield Progress(number * _SHARES, len(inputs) * _SHARES, path.name)
        if target.exists() and not overwrite and sources[target.resolve()] == path:
            report.skipped.append(target)
            continue
        try:
            _check(path, target, sources, paths)
            result = yield from _one(recipe, path, stop, number, len(inputs))
            record, maps = result.record(), result.maps
            write(target, result.image, flags=result.flags, record=record, maps=maps)
            report.done.append(target)
        except Stopped:
            raise
        except Exception as error:
            # Whatever is wrong with one file, the others are still to be done.
            known = isinstance(error, (ValueError, OSError)) and str(error)
            report.failed[path] = str(error) if known else f"{type(error).__name__}: {error}"
    yield Progress(len(inputs) * _SHARES, len(inputs) * _SHARES, "done")
    return report


def _by_target(
    paths: Sequence[Path], folder: Path, suffix: str | None, method: str
) -> dict[Path, Path]:
    """Return each result with the first of the inputs that would give it."""
    sources: dict[Path, Path] = {}
    for path in paths:
        sources.setdefault(_target(path, folder, suffix, method).resolve(), path)
    return sources


def _check(path: Path, target: Path, sources: dict[Path, Path], paths: Sequence[Path]) -> None:
    """Refuse a result that would replace an input or the result of another one."""
    first = sources[target.resolve()]
    if first != path:
        raise ValueError(f"its result has the name of that of {first.name}; run it to a new folder")
    if target.resolve() in {each.resolve() for each in paths}:
        raise ValueError(f"its result {target.name} is among the inputs; choose another folder")
    check_writable(target)


def _one(
    recipe: Recipe, path: Path, stop: Callable[[], bool] | None, number: int, count: int
) -> Generator[Progress, None, Result]:
    """Run one file, its progress told as a share of all."""
    going = steps(recipe, read(path), stop=stop)
    while True:
        try:
            step = next(going)
        except StopIteration as end:
            result: Result = end.value
            return result
        share = _SHARES * step.done // max(step.total, 1)
        yield Progress(number * _SHARES + share, count * _SHARES, f"{path.name}: {step.doing}")


def _target(path: Path, folder: Path, suffix: str | None, method: str) -> Path:
    """Return the path of the result of a file."""
    name = result_path(path, method).name
    if suffix is None and path.name.lower().endswith(ZARR):
        suffix = ".ome.zarr"
    if suffix is None:
        return folder / name
    stem = name.removesuffix(".ome.tif").removesuffix(".fits")
    return folder / f"{stem}{suffix if suffix.startswith('.') else '.' + suffix}"
