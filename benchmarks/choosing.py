"""The ranking without truth beside the true one, pair by pair.

Squares of test images get noise from a fixed seed; every shipped denoiser is judged by
``napari-credible compare``'s score and by its true error on the same pixels. Pairs whose true
PSNR differs by more than 0.1 dB count.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from denoising import FOLDERS
from sampling import squares

import napari_credible as nc
from napari_credible.adapt.judge import ByHiddenPixels, ByStein, for_scene
from napari_credible.compare import ranked
from napari_credible.run import asked, channels_of
from napari_credible.scenes import scenes_of

JUDGES = {"sure": ByStein, "pixels": ByHiddenPixels}
# Pairs nearer than this, in dB, need not be told apart.
APART = 0.1


def judged(noisy: np.ndarray, clean: np.ndarray, sigma: float, denoisers: dict) -> dict:
    """Return, for each judge, estimated and true dB of each denoiser."""
    recipe, _ = asked("denoise", nc.Gaussian(sigma), None, 0, None)
    image = nc.Image(noisy)
    (scene,) = scenes_of(image, channels_of(recipe, image)).singles
    true = {}
    for name, denoiser in denoisers.items():
        stabilised = scene.stabilised(scene.noisy)[None, None]
        with torch.inference_mode():
            found = for_scene(denoiser, scene)(stabilised, scene.level[None, None])[0, 0]
        true[name] = -10 * np.log10(np.square(found.numpy() * sigma - clean).mean())
    rows = {}
    for judge, kind in JUDGES.items():
        scores = {
            n: (kind([scene], everywhere=True)(lambda s, d=d: for_scene(d, s)), 0.0)
            for n, d in denoisers.items()
        }
        rows[judge] = {row.name: (row, true[row.name]) for row in ranked(scores)}
    return rows


def main() -> None:
    """Print the share of agreeing pairs, by folder and level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folders", nargs="+", default=["Set12", "microscopy", "astronomy"])
    parser.add_argument("--levels", nargs="+", type=float, default=[15, 50])
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--count", type=int, default=4, help="images of each folder")
    parser.add_argument("--denoisers", nargs="+", default=list(nc.denoisers()))
    wanted = parser.parse_args()
    denoisers = {name: nc.load_denoiser(name) for name in wanted.denoisers}
    total = {judge: [0, 0, 0, 0] for judge in JUDGES}
    print(f"{'folder':12} {'sigma':>5} {'pairs':>6} " + " ".join(f"{j:>8}" for j in JUDGES))
    for folder, level in itertools.product(wanted.folders, wanted.levels):
        here = {judge: [0, 0, 0, 0] for judge in JUDGES}
        images = squares(wanted.data / FOLDERS[folder], wanted.side, wanted.count)
        for number, clean in enumerate(images):
            rng = np.random.default_rng((number, int(level)))
            noisy = clean + level / 255 * rng.standard_normal(clean.shape)
            for judge, rows in judged(noisy, clean, level / 255, denoisers).items():
                here[judge] = np.add(here[judge], agreeing(list(rows.values())))
        shares = " ".join(f"{100 * n[1] / max(n[0], 1):7.1f}%" for n in here.values())
        print(f"{folder:12} {level:5g} {here['sure'][0]:6d} {shares}", flush=True)
        total = {judge: np.add(total[judge], here[judge]) for judge in JUDGES}
    for judge, (pairs, agree, clear, right) in total.items():
        print(
            f"{judge}: {agree} of {pairs} pairs agree ({100 * agree / pairs:.1f} %); of {clear} "
            f"that it calls clear, {right} do ({100 * right / max(clear, 1):.1f} %)"
        )


def agreeing(rows: list) -> tuple[int, int, int, int]:
    """Return pairs, those that agree, those called clear against the best, and right of these."""
    pairs = [(a, b) for a, b in itertools.combinations(rows, 2) if abs(a[1] - b[1]) > APART]
    agree = sum((a[0].behind < b[0].behind) == (a[1] > b[1]) for a, b in pairs)
    best = min(rows, key=lambda row: row[0].behind)
    clear = [row for row in rows if row[0].clear]
    return len(pairs), agree, len(clear), sum(row[1] < best[1] for row in clear)


if __name__ == "__main__":
    main()
