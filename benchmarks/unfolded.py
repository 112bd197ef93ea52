"""The unfolded family: what CSCNet's shifts cost and bring, and the seconds of a 512 x 512 image.

The shifts are measured on the images of a folder at a noise level of 25/255.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from denoising import FOLDERS

import napari_credible as nc
from napari_credible.denoise.networks import network
from napari_credible.training.evaluate import score
from napari_credible.training.folders import Folder

LEVEL = 25
NAMES = ("ksvd", "deep_ksvd", "cscnet", "lidia")


def shifted(shifts: int):
    """Return the shipped CSCNet with another number of shifts."""
    shipped = nc.load_denoiser("cscnet")
    net = network(replace(shipped.net.shape, shifts=shifts)).eval().requires_grad_(False)
    net.load_state_dict(shipped.net.state_dict())
    return replace(shipped, net=net)


def seconds(denoiser) -> float:
    """Return the time of the second call on 512 x 512 pixels."""
    x = torch.rand(1, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        started = time.perf_counter()
        with torch.inference_mode():
            denoiser(x, LEVEL / 255)
    return time.perf_counter() - started


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", default="Set12", choices=FOLDERS)
    parser.add_argument("--shifts", nargs="*", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--timed", nargs="*", default=list(NAMES), choices=NAMES)
    asked = parser.parse_args()
    print(f"{torch.get_num_threads()} threads\n\n{'denoiser':12}{'s at 512 x 512':>16}")
    for name in asked.timed:
        print(f"{name:12}{seconds(nc.load_denoiser(name)):16.1f}", flush=True)
    folder = Folder(asked.data / FOLDERS[asked.folder])
    print(f"\n{'shifts':12}{f'dB on {asked.folder}':>16}{'Mpx/s':>10}")
    for shifts in asked.shifts:
        found = score(shifted(shifts), folder, LEVEL)
        print(f"{shifts:<12}{found.psnr:16.2f}{found.speed / 1e6:10.3f}", flush=True)


if __name__ == "__main__":
    main()
