"""``python -m napari_credible.training``: train a network from folders of clean images."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_credible.denoise.unet import UNetShape
from napari_credible.training.data import Mixture, read_folder
from napari_credible.training.loop import Plan, train


def main() -> None:
    """Read the folders, then train until the planned number of pixels is reached."""
    parser = argparse.ArgumentParser(prog="python -m napari_credible.training")
    parser.add_argument("--natural", type=Path, required=True)
    parser.add_argument("--microscopy", type=Path, required=True)
    parser.add_argument("--astronomy", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pixels", type=float, default=Plan.pixels)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    data = Mixture(
        [
            read_folder(asked.natural, 0.66),
            read_folder(asked.microscopy, 0.19),
            read_folder(asked.astronomy, 0.15, stars=True),
        ]
    )
    for state in train(Plan(pixels=asked.pixels), UNetShape(), data, asked.out, asked.device):
        print(f"{state.step} steps, {state.pixels / 1e9:.3f} G pixels", flush=True)


if __name__ == "__main__":
    main()
