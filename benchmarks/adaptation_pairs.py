"""Adapting on real noisy and clean pairs of a microscope.

One raw exposure of each field of the Fluorescence Microscopy Denoising set, its middle square;
the average of 50 exposures is the truth. PSNR has peak 255. The noise is measured on the square
itself. "curve" is told a Gaussian noise of the measured mean level and must learn the rest; "n2n"
is given a second exposure, where there is one. "CAREamics N2V" runs where careamics is installed,
with its own numbers, in batches of one crop, so that the few crops of a square make many steps.
Where ``--json`` exists, what is in it is not run again.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from skimage.metrics import structural_similarity

import napari_credible as nc

FIELDS = (
    "Confocal_BPAE_G", "TwoPhoton_MICE", "WideField_BPAE_R", "Confocal_FISH", "TwoPhoton_BPAE_B",
    "WideField_BPAE_G", "Confocal_MICE", "Confocal_BPAE_B", "Confocal_BPAE_R", "TwoPhoton_BPAE_G",
    "TwoPhoton_BPAE_R", "WideField_BPAE_B",
)  # fmt: skip
CAREAMICS = "CAREamics N2V"
MODES = {"internal": "internal", "sure": "sure", "recorrupted": "recorruption", "n2v": "n2v"}
METHODS = ["as it is", "unet", "no curve", "curve", *MODES, "n2n"]


def square(path: Path, side: int) -> np.ndarray:
    """Return the middle square of an image."""
    array = np.asarray(nc.read(path).array, dtype=np.float64)
    top, left = ((n - side) // 2 for n in array.shape)
    return array[top : top + side, left : left + side]


def careamics(noisy: np.ndarray, epochs: int) -> np.ndarray:
    """Return what CAREamics' Noise2Void, trained on the square itself, makes of it."""
    import logging
    from tempfile import TemporaryDirectory

    from careamics import CAREamist
    from careamics.config import create_n2v_config

    logging.disable(logging.INFO)
    config = create_n2v_config(
        "pairs", data_type="array", axes="YX", patch_size=[64, 64], batch_size=1,
        num_epochs=epochs, n_val_patches=2,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        model = CAREamist(config, work_dir=folder, enable_progress_bar=False)
        model.train(train_data=noisy.astype(np.float32))
        found, _ = model.predict(noisy.astype(np.float32), axes="YX", data_type="array")
    return np.asarray(found[0], dtype=np.float64).reshape(noisy.shape)


def estimated(
    method: str, noisy: np.ndarray, again: np.ndarray | None, asked: argparse.Namespace
) -> np.ndarray:
    """Return what a method makes of a noisy square, and of a second one of the same field."""
    if method == CAREAMICS:
        return careamics(noisy, asked.epochs)
    noise = nc.estimate_noise(noisy)
    if method in ("curve", "no curve"):
        noise = nc.Gaussian(float(np.sqrt(noise.variance(noisy).mean())))
    denoiser = asked.denoiser
    if method in MODES:
        denoiser = nc.adapt(noisy, noise, denoiser=denoiser, mode=MODES[method])
    elif method == "n2n":
        frames = nc.Image(np.stack([noisy, again]), "TYX")
        denoiser = nc.adapt(frames, noise, denoiser=denoiser, mode="n2n")
    elif method == "curve":
        denoiser = nc.adapt(noisy, noise, denoiser=denoiser, mode="stabiliser")
    return nc.denoise(noisy, noise, denoiser=denoiser).estimate


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--fields", type=int, default=6)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--denoiser", default="unet")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    methods = asked.methods
    known = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    for field in FIELDS[: asked.fields]:
        home = asked.data / "test/pairs/fmd"
        noisy = square(home / f"raw/{field}_1.png", asked.side)
        clean = square(home / f"gt/{field}.png", asked.side)
        second = home / f"raw/{field}_2.png"
        again = square(second, asked.side) if second.exists() else None
        for method in methods:
            name = f"{field} {method}"
            if name in known or (method == "n2n" and again is None):
                continue
            started = time.perf_counter()
            found = noisy if method == "as it is" else estimated(method, noisy, again, asked)
            known[name] = {
                "psnr": 10 * float(np.log10(255**2 / np.square(found - clean).mean())),
                "ssim": float(structural_similarity(found, clean, data_range=255)),
                "seconds": time.perf_counter() - started,
            }
            print(f"{name:30} {known[name]['psnr']:6.2f} dB  {known[name]['ssim']:.4f}", flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(known, indent=2) + "\n")
    print(f"\n{'mean of ' + str(asked.fields) + ' fields':16} {'PSNR':>6} {'SSIM':>7} {'s':>6}")
    for method in methods:
        names = [f"{field} {method}" for field in FIELDS[: asked.fields]]
        rows = [known[name] for name in names if name in known]
        psnr, ssim, seconds = (np.mean([r[n] for r in rows]) for n in ("psnr", "ssim", "seconds"))
        print(f"{method:16} {psnr:6.2f} {ssim:7.4f} {seconds:6.0f}  {len(rows)} fields")


if __name__ == "__main__":
    main()
