"""PSNR of every shipped denoiser on gray test folders, with its speed on this machine.

Noise is drawn once for each image and level from a fixed seed, and neither clipped nor rounded;
estimates are not clipped. PSNR has peak 1; a folder's figure is the mean over its images.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from skimage.io import imread

import napari_credible as nc

FOLDERS = {"BSD68": "test/bsd68", "Set12": "test/set12", "Kodak24": "test/kodak24"}


def main() -> None:
    """Print one row a denoiser and folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=["BSD68", "Set12"], choices=FOLDERS)
    parser.add_argument("--denoisers", nargs="+", default=list(nc.denoisers()))
    parser.add_argument("--levels", nargs="+", type=float, default=[15, 25, 50])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    table: dict[str, dict[str, dict[str, float]]] = {}
    print(
        f"{'denoiser':10} {'folder':8}" + "".join(f"{f'{s:g}/255':>9}" for s in asked.levels),
        end="",
    )
    print(f"{'Mpx/s':>9}")
    for name in asked.denoisers:
        denoiser = nc.load_denoiser(name)
        for folder in asked.folders:
            files = sorted((asked.data / FOLDERS[folder]).glob("*.png"))
            figures, pixels, seconds = {}, 0, 0.0
            for sigma in asked.levels:
                found = [scored(denoiser, file, k, sigma / 255) for k, file in enumerate(files)]
                figures[f"{sigma:g}"] = round(float(np.mean([f[0] for f in found])), 3)
                pixels += sum(f[1] for f in found)
                seconds += sum(f[2] for f in found)
            table.setdefault(name, {})[folder] = figures
            row = "".join(f"{v:9.2f}" for v in figures.values())
            print(f"{name:10} {folder:8}{row}{pixels / seconds / 1e6:9.2f}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=2) + "\n")


def scored(denoiser, file: Path, seed: int, sigma: float) -> tuple[float, int, float]:
    """Return PSNR (dB), pixels and seconds of one image."""
    clean = torch.from_numpy(imread(file).astype(np.float32) / 255)[None, None]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    noisy = clean + sigma * noise
    start = time.perf_counter()
    error = float((denoiser(noisy, sigma) - clean).square().mean())
    return -10 * np.log10(error), clean.numel(), time.perf_counter() - start


if __name__ == "__main__":
    main()
