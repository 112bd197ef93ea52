"""Errors of the measured gain and read noise, on crops of 512 x 512 of several clean images."""

import argparse
from pathlib import Path

import numpy as np
from skimage.io import imread

import napari_credible as nc

IMAGES = (
    "test/set12/09.png", "test/set12/10.png", "test/kodak24/kodim05.png",
    "test/kodak24/kodim13.png",
    "test/kodak24/kodim23.png", "test/pairs/fmd/gt/Confocal_MICE.png",
    "test/pairs/fmd/gt/TwoPhoton_BPAE_G.png", "test/pairs/fmd/gt/WideField_BPAE_R.png",
    "test/astronomy/clean/stellarium_m51-vasey.png", "test/astronomy/clean/stellarium_m74.png",
)  # fmt: skip
# gain, offset, read noise (ADU), brightest pixel in photoelectrons
CAMERAS = ((2.0, 0.0, 8.0, 200), (1.0, 0.0, 1.0, 30), (2.0, 100.0, 8.0, 200))


def main() -> None:
    """Print one row an image: relative errors of gain and read noise for each camera."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    print(
        f"{'image':30}"
        + "".join(f"{f'gain {g:g} o {o:g} read {r:g}':>26}" for g, o, r, _ in CAMERAS)
    )
    errors = []
    for name in IMAGES:
        clean = imread(data / name)[:512, :512].astype(float) / 255
        row = [measured(clean, *camera) for camera in CAMERAS]
        errors.append(row)
        print(f"{Path(name).stem:30}" + "".join(f"{g:+13.1%}{r:+13.1%}" for g, r in row))
    typical = np.median(np.abs(errors), axis=0)
    print(f"{'median size':30}" + "".join(f"{g:13.1%}{r:13.1%}" for g, r in typical))


def measured(
    clean: np.ndarray, gain: float, offset: float, read: float, peak: float
) -> tuple[float, float]:
    """Return the relative errors of gain and read noise."""
    noisy = nc.PoissonGaussian(gain, offset, read).draw(offset + gain * peak * clean, 1)
    found = nc.estimate_noise(noisy)
    if isinstance(found, nc.Gaussian):
        return float("nan"), float("nan")
    return found.gain / gain - 1, found.read_noise / read - 1


if __name__ == "__main__":
    main()
