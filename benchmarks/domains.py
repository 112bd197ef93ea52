"""What training images of microscopy and astronomy bring: the same small net with and without.

Two networks of the shape of ``unet_fast`` are trained from scratch with the same plan, seed and
number of pixels, on CPU or GPU: one on photographs alone, one on the shipped mixture of
photographs, microscopy and astronomy. Both are then measured on the test folders. A run that was
stopped goes on from OUT.
"""

import argparse
import time
from pathlib import Path

from denoising import FOLDERS, LEVELS

import napari_credible as nc
from napari_credible.denoise.unet import UNetShape
from napari_credible.training.config import Config, Source
from napari_credible.training.data import Mixture
from napari_credible.training.evaluate import score
from napari_credible.training.export import export
from napari_credible.training.folders import Folder
from napari_credible.training.loop import prepared, train
from napari_credible.training.schedule import Plan

SHAPE = UNetShape(widths=(32, 64, 96, 128), blocks=1)
SHARES = {"natural_open": 0.66, "microscopy_open": 0.19, "astronomy_open": 0.15}
KINDS = {"natural": 1, "mixed": 3}


def main() -> None:
    """Train both, then print a row a folder with both and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pixels", type=float, default=6e8)
    parser.add_argument("--train", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    for kind in asked.train:
        trained(kind, plan_of(asked), dict(list(SHARES.items())[: KINDS[kind]]), asked)
    weights = [asked.out / kind / f"{kind}.safetensors" for kind in KINDS]
    if all(path.exists() for path in weights):
        compare(*(nc.load_denoiser(str(path)) for path in weights), asked.data)


def plan_of(asked: argparse.Namespace) -> Plan:
    """Return the plan of both networks."""
    return Plan(
        pixels=asked.pixels,
        stages=((0.0, 8, 64), (0.3, 8, 96)),
        rate=7e-4,
        decay=0.8,
        bfloat16=asked.bfloat16 or None,
    )


def trained(name: str, plan: Plan, shares: dict[str, float], asked: argparse.Namespace) -> Path:
    """Train a small network in a folder of its own to the end and return its weights."""
    out, root = asked.out / name, asked.data / "train"
    sources = [
        Source(root / folder, share, stars=folder == "astronomy_open")
        for folder, share in shares.items()
    ]
    config = Config(name, tuple(sources), SHAPE, plan)
    folders = [Folder(each.path, each.share, stars=each.stars, memory=2**30) for each in sources]
    state = prepared(config, out, asked.device)
    started, begun = time.monotonic(), state.pixels
    for now in train(state, plan, Mixture(folders, config.levels, plan.seed), out):
        speed = (now.pixels - begun) / (time.monotonic() - started) / 1e3
        print(f"{name}: {now.pixels / 1e6:.0f} Mpx, {speed:.0f} kpx/s", flush=True)
    sums = {s.path.name: f.checksum for s, f in zip(sources, folders, strict=True)}
    export(state, config, out, sums)
    return out / f"{name}.safetensors"


def compare(natural, mixed, data: Path) -> None:
    """Print PSNR on each test folder."""
    print(f"{'folder':12}{'level':>8}{'natural':>9}{'mixed':>9}{'gain':>7}")
    for name, path in FOLDERS.items():
        folder = Folder(data / path)
        for level in LEVELS:
            alone, both = (score(net, folder, level).psnr for net in (natural, mixed))
            print(f"{name:12}{level:4}/255{alone:9.2f}{both:9.2f}{both - alone:+7.2f}", flush=True)


if __name__ == "__main__":
    main()
