"""Restore two real images, and draw what is known of them: ``restoring_pictures.py DATA OUT``.

One scan of photon counts of a section of hazelnut, with a Gaussian of standard deviation 1 pixel
for the PSF of its objective (assumed, not measured); and a frame of a telescope, with the PSF that
its own stars show. Nothing is simulated: the noise is measured in the images.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

import napari_credible as nc
from napari_credible.operators import Blur

matplotlib.use("agg")
from matplotlib import pyplot

MARGIN = 0.003


def cells(data: Path, side: int) -> tuple[np.ndarray, Blur]:
    """Return a square of one scan of photon counts, and about the PSF of its objective."""
    frame = nc.read(next((data / "test/pairs/photon_counts").glob("hazelnut_5frames*")))
    counts = np.asarray(frame.ordered(), dtype=np.float64)
    image, place = brightest(counts.reshape(-1, *counts.shape[-2:])[0], side)
    print(f"cells: rows {place[0]}, columns {place[1]}")
    return image, Blur.gaussian(1.0, "valid")


def stars(data: Path, side: int) -> tuple[np.ndarray, Blur]:
    """Return a square of a telescope's frame, and the PSF that its stars show."""
    frame = nc.read(data / "test/astronomy/ntt_emmi_field.fits")
    whole = np.asarray(frame.array, dtype=np.float64)
    found = nc.operators.psf_from_stars(whole, size=15)
    image, place = brightest(whole, side)
    print(f"stars: rows {place[0]}, columns {place[1]}, {found}")
    return image, Blur(np.clip(found.psf, 0, None), "valid")


def brightest(plane: np.ndarray, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the square with the most structure, and where it is."""
    rows, columns = (range(0, n - side + 1, side // 2) for n in plane.shape)
    # A saturated star, or one whose wings reach beyond the PSF, would be all that is seen.
    limit = np.quantile(plane, 0.999)
    squares = {(r, c): plane[r : r + side, c : c + side] for r in rows for c in columns}
    fitting = [p for p in squares if squares[p].max() < 3 * limit] or [*squares]
    place = max(fitting, key=lambda p: np.quantile(squares[p], 0.98) - np.median(squares[p]))
    return squares[place], place


def drawn(name: str, image: np.ndarray, operator: Blur, asked: argparse.Namespace) -> None:
    """Restore, and write one picture."""
    result = nc.restore(image, operator, denoiser=asked.denoiser, n_draws=asked.draws)
    posterior = result.posterior
    edge = [(n - m) // 2 for n, m in zip(result.estimate.shape, image.shape, strict=True)]
    inside = tuple(slice(e, e + n) for e, n in zip(edge, image.shape, strict=True))
    again = np.asarray(operator(posterior.mean.astype(np.float64)))
    residual = (image - again) / np.sqrt(result.noise[0].variance(again))
    print(f"{name}: {result.noise[0].in_words()}")
    print(f"{name}: residual std {residual.std():.2f} of the noise; doubts {result.doubts}")
    low, high = np.quantile(image, [MARGIN, 1 - MARGIN])
    top = max(high, float(np.quantile(posterior.mean, 1 - MARGIN)))
    panels = {
        "data": (image, {"cmap": "gray", "vmin": low, "vmax": high}),
        "mean of the draws": (posterior.mean[inside], {"cmap": "gray", "vmin": low, "vmax": top}),
        "one draw": (posterior.draws[0][inside], {"cmap": "gray", "vmin": low, "vmax": top}),
        "standard deviation": (posterior.std[inside], {"cmap": "magma", "vmin": 0}),
        "residual / noise": (residual, {"cmap": "gray", "vmin": -4, "vmax": 4}),
    }
    figure, axes = pyplot.subplots(1, 5, figsize=(12.5, 2.9), layout="constrained")
    for place, (title, (picture, look)) in zip(axes, panels.items(), strict=True):
        shown = place.imshow(picture, **look)
        place.set_title(title, fontsize=9)
        place.set_xticks([])
        place.set_yticks([])
        figure.colorbar(shown, ax=place, shrink=0.75).ax.tick_params(labelsize=6)
    figure.savefig(asked.out / f"restored-{name}.png", dpi=100)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--denoiser", default="unet_fast")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--side", type=int, default=160)
    asked = parser.parse_args()
    for name, found in (("cells", cells), ("stars", stars)):
        drawn(name, *found(asked.data, asked.side), asked)


if __name__ == "__main__":
    main()
