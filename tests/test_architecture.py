"""The tree is the architecture, and the code is held to it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import napari_credible

PACKAGE = Path(napari_credible.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
GUI_ONLY = {"napari", "magicgui", "qtpy", "superqt", "pyqtgraph"}
# Each room may import from rooms of a smaller number; laws (10) do not import each other.
LEVEL = {
    "flags": 0, "knob": 0, "stopping": 0, "jvp": 0, "conjugate": 0, "krylov": 0, "kinds": 1,
    "sure": 10, "denoise": 10, "noise": 10, "operators": 10, "schedule": 10, "pilot": 11,
    "cropping": 11, "learning": 12, "problem": 15,
    "solvers": 20, "samplers": 20, "adapt": 20, "restorers": 25,
    "bounds": 29, "pooling": 29, "probing": 29, "blocks": 29,
    "posterior": 30, "jacobian": 31, "composite": 31, "contours": 31,
    "streamed": 31, "stored": 31, "scores": 32, "calibration": 32, "checks": 33,
    "tiling": 40, "stacks": 40, "colours": 40, "citations": 50, "recipe": 50, "io": 50,
    "region": 51, "samples": 55, "result": 55, "plan": 55, "channel": 55, "script": 55,
    "geometry": 55, "parted": 56, "planes": 57, "drawing": 58, "scenes": 58, "posed": 59,
    "spreading": 59, "restoring": 60, "examined": 60, "run": 61, "restore": 62, "batch": 62,
    "believe": 62, "adaptation": 62, "compare": 62, "terminal": 62,
    "widen": 63, "options": 65, "adapting": 66, "calibrating": 66,
    "training": 60, "demo": 65,
    "shapes": 10, "answers": 56, "section": 57, "readings": 58, "comparing": 59, "readout": 59,
    "__main__": 70, "gui": 70, "__init__": 99,
}  # fmt: skip


def imports_of(path):
    """Return the full names of every module that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = room_of(path)
    rooms = {n.split(".")[1] for n in imports_of(path) if n.startswith("napari_credible.")}
    # `from napari_credible.denoise import x` names the front door's function, never the room's.
    wrong = {
        other
        for other in rooms & set(LEVEL)
        if other != room and LEVEL[other] >= LEVEL[room] and room != "demo"
    }
    same_floor = {o for o in wrong if LEVEL[o] == LEVEL[room] and LEVEL[room] in (50, 55)}
    assert not wrong - same_floor, f"{room} must not import {wrong}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) != "gui"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_only_the_gui_knows_napari(path):
    known = {n.split(".")[0] for n in imports_of(path)} & GUI_ONLY
    shows = {n for n in imports_of(path) if n.startswith("napari_credible.gui")}
    assert not known, f"{path} imports {known}: move that line to gui/"
    assert not shows or room_of(path) == "demo"


def test_every_room_has_a_level():
    assert {room_of(p) for p in FILES} <= set(LEVEL)


def test_the_house_has_no_utils():
    assert not [p for p in FILES if p.stem in ("utils", "helpers", "common", "misc")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_readable(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def imported_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_front_door_is_light():
    heavy = {"torch", "napari", "qtpy", "PySide6", "dask", "scipy", "skimage", "numpy", "pydantic"}
    assert not imported_by("import napari_credible") & heavy


def test_listing_denoisers_does_not_import_torch():
    assert "torch" not in imported_by("import napari_credible as nc; nc.denoisers()")


def test_import_takes_less_than_150_ms():
    code = "import time; t = time.perf_counter(); import napari_credible; "
    code += "print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.15


def test_a_room_does_not_hide_the_function_of_the_same_name():
    import napari_credible.denoise.unet

    assert callable(napari_credible.denoise)
    assert napari_credible.denoise.__module__ == "napari_credible.run"


def test_the_front_door_has_its_names():
    promised = {"Gaussian", "PoissonGaussian", "estimate_noise", "denoise", "denoisers",
                "load_denoiser", "Image"}  # fmt: skip
    assert promised <= set(dir(napari_credible))
    assert all(getattr(napari_credible, name) for name in napari_credible.__all__)
