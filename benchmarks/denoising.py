"""PSNR of denoisers on gray test folders, with parameters, speed and memory on this machine.

Noise is drawn once for each image and level from a fixed seed, and neither clipped nor rounded;
estimates are not clipped. PSNR has peak 1; a folder's figure is the mean over its images. A
denoiser is a shipped name or the path of exported weights. Each runs in a process of its own, so
that its peak memory is its own; slow ones may be measured on few folders and levels.
``--json FILE`` keeps the figures, and those of denoisers that are there already and were not
measured now.
"""

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import napari_credible as nc
from napari_credible.denoise.figures import table
from napari_credible.training.evaluate import score
from napari_credible.training.folders import Folder

FOLDERS = {
    "BSD68": "test/bsd68", "Set12": "test/set12", "Kodak24": "test/kodak24",
    "microscopy": "test/pairs/fmd/gt", "astronomy": "test/astronomy/clean",
}  # fmt: skip
LEVELS = (15, 25, 50)
# A frame whose memory is looked at, a quarter of the side where the small one takes over a second;
# a smaller one first, so that libraries are loaded.
SMALL, LARGE = 128, 2048


def main() -> None:
    """Print one row a denoiser and folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=list(FOLDERS), choices=FOLDERS)
    parser.add_argument("--denoisers", nargs="+", default=list(nc.denoisers()))
    parser.add_argument("--levels", nargs="+", type=int, default=LEVELS, choices=LEVELS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    levels = "".join(f"{f'{s:g}/255':>9}" for s in asked.levels)
    print(f"{'denoiser':14} {'folder':12}{levels}{'Mpx/s':>9}{'B/px':>7}")
    found = {
        "command": "python benchmarks/denoising.py DATA --json FILE",
        "machine": f"{torch.get_num_threads()} cores, float32",
        "levels": LEVELS,
        "denoisers": {},
    }
    for name in asked.denoisers:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row = pool.apply(measured, (name, asked.data, asked.folders, asked.levels))
        found["denoisers"][Path(name).stem] = row
    print(f"\n{table(found)}")
    if asked.json:
        before = json.loads(asked.json.read_text())["denoisers"] if asked.json.exists() else {}
        rows = before | found["denoisers"]
        order = [*nc.denoisers(), *rows]
        found["denoisers"] = {n: rows[n] for n in sorted(rows, key=order.index)}
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


def measured(name: str, data: Path, folders: list[str], levels: list[float]) -> dict[str, Any]:
    """Print the rows of a denoiser and return its figures."""
    denoiser = nc.load_denoiser(name)
    card = getattr(denoiser, "card", None)
    memory, psnr, speeds = appetite(denoiser), {}, []
    for folder in folders:
        images = Folder(data / FOLDERS[folder])
        scores = {level: score(denoiser, images, level) for level in levels}
        psnr[folder] = [round(scores[s].psnr, 3) if s in scores else None for s in LEVELS]
        speeds += [each.speed / 1e6 for each in scores.values()]
        row = "".join(f"{each.psnr:9.2f}" for each in scores.values())
        print(f"{Path(name).stem:14} {folder:12}{row}{speeds[-1]:9.2f}{memory:7.0f}", flush=True)
    return {
        "parameters": card.parameters if card else 0,
        "psnr": psnr,
        "speed": round(float(np.median(speeds)), 3),
        "memory": round(memory),
    }


def appetite(denoiser) -> float:
    """Return the growth of peak memory over one call on a large frame, bytes a pixel."""
    started = time.perf_counter()
    denoiser(torch.rand(1, 1, SMALL, SMALL), 0.1)
    side = LARGE if time.perf_counter() - started < 1 else LARGE // 4
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    denoiser(torch.rand(1, 1, side, side), 0.1)
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / side**2


if __name__ == "__main__":
    main()
