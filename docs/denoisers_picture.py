"""Make the picture of docs/explanation/denoisers.md: one crop, every shipped denoiser.

python docs/denoisers_picture.py
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from skimage.data import camera

import napari_credible as nc

SIGMA = 50 / 255
# The photographer's face and camera: edges, texture and smooth sky.
CROP = np.s_[60:220, 180:340]


def estimates(clean: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each denoiser makes of one noisy image, by name."""
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    noisy = torch.from_numpy((clean + SIGMA * noise).astype(np.float32))[None, None]
    with torch.inference_mode():
        found = {n: nc.load_denoiser(n)(noisy, SIGMA)[0, 0].numpy() for n in nc.denoisers()}
    ordered = dict(sorted(found.items(), key=lambda item: psnr(item[1], clean)))
    return {"noisy": noisy[0, 0].numpy(), **ordered}


def psnr(estimate: np.ndarray, clean: np.ndarray) -> float:
    """Return the PSNR in dB, peak 1."""
    return -10 * float(np.log10(np.square(estimate - clean).mean()))


def main() -> None:
    """Draw and write the picture."""
    clean = camera() / 255
    shown = estimates(clean)
    columns = -(-(len(shown) + 1) // 2)
    figure = Figure(figsize=(2 * columns, 5), layout="constrained")
    axes = figure.subplots(2, columns).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, image) in zip(axes, {**shown, "clean": clean}.items(), strict=False):
        axis.imshow(image[CROP], cmap="gray", vmin=0, vmax=1)
        said = "" if name == "clean" else f"\n{psnr(image, clean):.2f} dB"
        axis.set_title(f"{name}{said}", fontsize=10)
    figure.savefig(Path(__file__).parent / "images" / "denoisers.png", dpi=110)


if __name__ == "__main__":
    main()
