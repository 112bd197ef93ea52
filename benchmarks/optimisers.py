"""How far AdamW and Muon come in the same number of pixels.

Networks of the shape of ``unet_fast`` are trained from scratch on the shipped mixture with the
same seed and stages, each optimiser at the rate that was best for it on training photographs, then
measured on BSD68. A run that was stopped goes on from OUT.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from denoising import FOLDERS, LEVELS
from domains import SHARES, plan_of, trained

import napari_credible as nc
from napari_credible.training.evaluate import score
from napari_credible.training.folders import Folder

RATES = {"adamw": 1.5e-3, "muon": 2e-3}


def main() -> None:
    """Train and measure each optimiser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pixels", type=float, default=6e7)
    parser.add_argument("--optimisers", nargs="*", default=list(RATES), choices=RATES)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    folder = Folder(asked.data / FOLDERS["BSD68"])
    for name in asked.optimisers:
        plan = replace(plan_of(asked), optimiser=name, rate=RATES[name], warm_up=300)
        started = time.monotonic()
        net = nc.load_denoiser(str(trained(name, plan, SHARES, asked)))
        seconds = time.monotonic() - started
        found = " / ".join(f"{score(net, folder, level).psnr:.2f}" for level in LEVELS)
        print(f"{name:6} {asked.pixels / 1e6:.0f} Mpx, {seconds:.0f} s: BSD68 {found}", flush=True)


if __name__ == "__main__":
    main()
