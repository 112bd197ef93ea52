"""Make the pictures of the pages on K-SVD, Deep K-SVD, CSCNet and LIDIA.

python docs/unfolded_pictures.py
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from skimage.data import camera

import napari_credible as nc
from napari_credible.denoise.dictionary import dct_dictionary
from napari_credible.denoise.ksvd import global_dictionary
from napari_credible.denoise.patch_groups import nearest_patches

IMAGES = Path(__file__).parent / "images"
# Where LIDIA's picture is cut from "camera", and three patches in it: an edge, texture, sky.
CROP = np.s_[60:220, 180:340]
CENTRES = {"edge": (66, 62), "texture": (128, 120), "flat": (24, 130)}
COLOURS = ("C1", "C2", "C0")
SIGMA = 25 / 255


def mosaic(axis: Axes, atoms: np.ndarray, columns: int, title: str) -> None:
    """Draw atoms (count, side, side), each scaled to its own largest value."""
    count, side = len(atoms), atoms.shape[-1]
    rows = -(-count // columns)
    sheet = np.full((rows * (side + 1) + 1, columns * (side + 1) + 1), np.nan)
    for k, atom in enumerate(atoms):
        y, x = (1 + (side + 1) * n for n in divmod(k, columns))
        sheet[y : y + side, x : x + side] = atom / np.abs(atom).max()
    axis.imshow(sheet, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()


def squares(dictionary: torch.Tensor) -> np.ndarray:
    """Return atoms (count, side, side) of a dictionary (pixels, count)."""
    side = round(len(dictionary) ** 0.5)
    return dictionary.detach().T.reshape(-1, side, side).numpy()


def dictionaries(name: str, pairs: dict[str, torch.Tensor], columns: int) -> None:
    """Draw dictionaries side by side."""
    figure = Figure(figsize=(5 * len(pairs), 5.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(pairs)))
    for axis, (title, dictionary) in zip(axes, pairs.items(), strict=True):
        mosaic(axis, squares(dictionary), columns, title)
    figure.savefig(IMAGES / name, dpi=90)


def groups() -> None:
    """Draw three patches of a noisy image with those that LIDIA finds like them."""
    clean = camera()[CROP] / 255
    noisy = clean + SIGMA * np.random.default_rng(0).standard_normal(clean.shape)
    shape = nc.load_denoiser("lidia").net.shape
    margin = shape.radius + shape.patch // 2
    found = nearest_patches(torch.from_numpy(noisy)[None], shape.patch, shape.radius, shape.group)
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    axes = figure.subplots(1, 1 + len(CENTRES), width_ratios=[1, *(0.55 for _ in CENTRES)])
    axes[0].imshow(noisy, cmap="gray", vmin=0, vmax=1)
    axes[0].set_axis_off()
    for axis, (title, (y, x)), colour in zip(
        axes[1:], CENTRES.items(), ["C1", "C2", "C0"], strict=True
    ):
        place = 0, y - margin, x - margin
        patches = []
        for dy, dx in zip(found.rows[place], found.columns[place], strict=True):
            top, left = y + int(dy) - 3, x + int(dx) - 3
            patches.append(noisy[top : top + 7, left : left + 7] - 0.5)
            axes[0].add_patch(Rectangle((left - 0.5, top - 0.5), 7, 7, fill=False, color=colour))
        mosaic(axis, np.stack(patches), 3, title)
    figure.savefig(IMAGES / "lidia_groups.png", dpi=90)


def main() -> None:
    """Draw and write all pictures."""
    start = dct_dictionary(8, 256)
    dictionaries("ksvd_atoms.png", {"cosines": start, "learned": global_dictionary()}, 16)
    deep = nc.load_denoiser("deep_ksvd").net
    dictionaries("deep_ksvd_atoms.png", {"cosines": start, "learned": deep.dictionary()}, 16)
    net = nc.load_denoiser("cscnet").net
    dictionaries("cscnet_atoms.png", {"B, analysis": net.analysis(), "C, output": net.output()}, 14)
    groups()


if __name__ == "__main__":
    main()
