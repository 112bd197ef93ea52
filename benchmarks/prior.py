"""Is the shipped D a posterior mean? Error, Stein's estimate and stated posterior variance.

The three agree for E[x | y]; samplers inherit the difference. Asymmetry is that of the Jacobian.
"""

import argparse
from pathlib import Path

import torch

import napari_credible as nc
from napari_credible.denoise import cards
from napari_credible.training.folders import Folder, unit
from napari_credible.training.prior import check_prior

LEVELS = (2, 5, 10, 25, 50)
FOLDERS = ("test/bsd68", "test/pairs/fmd/gt", "test/astronomy/clean")


def main() -> None:
    """Print one row a denoiser, folder and level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--denoisers", nargs="+", default=list(cards()))
    parser.add_argument("--images", type=int, default=12)
    asked = parser.parse_args()
    print(f"{'denoiser':12} {'folder':22} {'level':>6} {'error':>10} {'SURE':>7} {'trace':>7}"
          f" {'asymmetry':>10}   (SURE and trace as shares of the error)")  # fmt: skip
    for name in asked.denoisers:
        denoiser = nc.load_denoiser(name)
        for place in FOLDERS:
            folder = Folder(asked.data / place)
            count = min(asked.images, len(folder))
            crops = [
                torch.from_numpy(unit(folder[k]))[None, None, :256, :256] for k in range(count)
            ]
            for level in LEVELS:
                found = check_prior(denoiser, crops, level / 255)
                print(
                    f"{Path(name).stem:12} {place:22} {level:4d}/255 {found.error:10.3e}"
                    f" {found.sure / found.error:7.3f} {found.trace / found.error:7.3f}"
                    f" {found.asymmetry:10.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
