"""Pack training images into a folder of at most so many megabytes, for a machine far away.

python scripts/pack_images.py DATA/train training/DATA/train --megabytes 48

Single planes become 8-bit PNG files of their own, so that decoding is quick; while the whole is
too large, the largest is halved.
"""

import argparse
from io import BytesIO
from pathlib import Path

import numpy as np
from imageio.v3 import imwrite
from skimage.transform import downscale_local_mean

from napari_credible.training.folders import LEAST_SIDE, Folder, unit


def encoded(plane: np.ndarray) -> bytes:
    """Return a plane in [0, 1] as the bytes of a PNG file."""
    file = BytesIO()
    imwrite(file, np.round(255 * plane).astype(np.uint8), extension=".png", compress_level=9)
    return file.getvalue()


def main() -> None:
    """Read every folder below DATA, shrink what is too large, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="holds one folder for each kind of image")
    parser.add_argument("out", type=Path)
    parser.add_argument("--megabytes", type=float, default=48)
    asked = parser.parse_args()
    planes, files = {}, {}
    for place in sorted(p for p in asked.data.iterdir() if p.is_dir()):
        folder = Folder(place)
        for number in range(len(folder)):
            name = asked.out / place.name / f"{number:05d}.png"
            planes[name] = unit(folder[number])
            files[name] = encoded(planes[name])
    while sum(map(len, files.values())) > 1e6 * asked.megabytes:
        large = [name for name in files if min(planes[name].shape) >= 2 * LEAST_SIDE]
        if not large:
            raise SystemExit("no image can be halved any more; allow more megabytes")
        largest = max(large, key=lambda name: len(files[name]))
        planes[largest] = downscale_local_mean(planes[largest], (2, 2))
        files[largest] = encoded(planes[largest])
    for name, content in files.items():
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(content)
    print(f"{len(files)} images, {sum(map(len, files.values())) / 1e6:.1f} MB in {asked.out}")


if __name__ == "__main__":
    main()
