"""The lecture's experiment: what adapting to an image brings, at noise of 50/255.

Star cluster M36, a page of English and a brick house, from the pictures of LIDIA (Vaksman, Elad,
Milanfar, CVPR Workshops 2020), adapted on a clean sibling (external), on the image's own estimate
(internal), and on the wrong sibling; and Set12, where adapting must never harm. The noise comes
from a fixed seed and is neither clipped nor rounded; "clipped" is the PSNR after with the estimate
cut to [0, 1], as the published figures are, the others are not. With ``--json``, cases that are in
the file are not run again. ``--picture`` draws what changed.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage.data
from matplotlib.figure import Figure

import napari_credible as nc
from napari_credible.adapt.modes import mode_of

SIGMA = 50 / 255
PLACES = {
    "m36": "astronomy/m36.png", "m38": "astronomy/m38.png", "english": "text/english.png",
    "russian": "text/russian.png", "brick": "brick/brick_house.png",
}  # fmt: skip
# Crops of the picture, and which cases it shows.
CROPS = {
    "m36": np.s_[200:360, 300:500], "english": np.s_[60:220, 60:260],
    "brick": np.s_[300:460, 300:500],
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An image, how it is adapted to, and what was published (dB, before and after)."""

    image: str
    mode: str
    example: str = ""
    published: tuple[float, float] | None = None

    def __str__(self) -> str:
        return f"{self.image} {self.mode}" + (f" {self.example}" if self.example else "")


CASES = [
    Case("m36", "external", "m38", (26.44, 28.04)),
    Case("english", "external", "russian", (22.52, 26.78)),
    Case("brick", "internal", "", (28.77, 29.28)),
    Case("skimage/brick", "internal"),
    Case("m36", "internal"),
    Case("english", "internal"),
    Case("english", "external", "m38"),
    Case("m36", "external", "russian"),
    *(Case(f"set12/{n:02}", "internal") for n in range(1, 13)),
]


def clean_image(data: Path, name: str) -> np.ndarray:
    """Return a gray image in [0, 1]; those of scikit-image by their names there."""
    if name.startswith("skimage/"):
        return getattr(skimage.data, name.removeprefix("skimage/"))().astype(np.float32) / 255
    place = f"lecture/{PLACES[name]}" if name in PLACES else f"test/{name}.png"
    array = np.asarray(nc.read(data / place).array, dtype=np.float32)
    if array.ndim == 3:  # gray stored as colours
        array = array[..., :3].mean(-1)
    return array / 255


def noisy_image(clean: np.ndarray) -> np.ndarray:
    """Return an image with noise of 50/255."""
    noise = np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
    return clean + np.float32(SIGMA) * noise


def psnr(estimate: np.ndarray, clean: np.ndarray) -> float:
    """Return the PSNR in dB, peak 1."""
    return -10 * float(np.log10(np.square(estimate - clean).mean()))


def measured(case: Case, data: Path, asked: argparse.Namespace) -> tuple[dict, np.ndarray]:
    """Return the figures of a case, and noisy, before, after and clean crop."""
    clean = clean_image(data, case.image)
    noisy, noise = noisy_image(clean), nc.Gaussian(SIGMA)
    examples = [clean_image(data, case.example)] if case.example else None
    before = nc.denoise(noisy, noise, denoiser=asked.denoiser).estimate
    given = dict(each.split("=") for each in asked.set)
    usual = mode_of(case.mode)
    mode = replace(usual, **{n: type(getattr(usual, n))(float(v)) for n, v in given.items()})
    started, worked = time.perf_counter(), time.process_time()
    adapted = nc.adapt(noisy, noise, denoiser=asked.denoiser, mode=mode, examples=examples)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    after = nc.denoise(noisy, noise, denoiser=adapted).estimate
    outcome = adapted.card.adaptation["outcome"]
    crop = CROPS.get(case.image, np.s_[:160, :200])
    row = {
        "before": round(psnr(before, clean), 2),
        "after": round(psnr(after, clean), 2),
        "clipped": round(psnr(np.clip(after, 0, 1), clean), 2),
        "estimated": round(outcome["gain"], 2),
        "error": round(outcome["error"], 2),
        "kept": outcome["kept"],
        "steps": outcome["steps"],
        "seconds": round(seconds),
        "core_seconds": round(worked),
        "pixels": clean.size,
    }
    return row, np.stack([image[crop] for image in (clean, noisy, before, after)])


def line(name: str, row: dict, published: tuple[float, float] | None) -> str:
    """Return one row of the table."""
    told = f"{published[0]:.2f} -> {published[1]:.2f}" if published else ""
    return (
        f"{name:24} {row['before']:7.2f} {row['after']:7.2f} {row['after'] - row['before']:+6.2f} "
        f"{row['clipped']:7.2f} "
        f"{row['estimated']:+6.2f} ± {row['error']:.2f} {'yes' if row['kept'] else 'no':>5} "
        f"{row['steps']:6d} {row['seconds']:6d} {row['core_seconds']:7d}  {told}"
    )


def draw(shown: dict[str, np.ndarray], rows: dict[str, dict], path: Path) -> None:
    """Draw clean, noisy, before and after of each case."""
    figure = Figure(figsize=(10, 2.2 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 4, squeeze=False)
    for line_of_axes, (name, images) in zip(axes, shown.items(), strict=True):
        titles = ["clean", "noisy", f"unet {rows[name]['before']:.2f} dB",
                  f"adapted {rows[name]['after']:.2f} dB"]  # fmt: skip
        for axis, image, title in zip(line_of_axes, images, titles, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1)
            axis.set_axis_off()
            axis.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", default=[""], help="cases that begin so")
    parser.add_argument("--denoiser", default="unet")
    parser.add_argument("--set", nargs="+", default=[], metavar="NUMBER=VALUE",
                        help="other numbers of the modes than usual: steps=200")  # fmt: skip
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    known = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    shown = {}
    print(
        f"{'':24}  before   after   gain clipped   estimated   kept  steps      s  core s  "
        "published"
    )
    for case in CASES:
        if not any(str(case).startswith(start) for start in asked.only):
            continue
        if str(case) not in known:
            known[str(case)], images = measured(case, asked.data, asked)
            if case.published:
                shown[str(case)] = images
        print(line(str(case), known[str(case)], case.published), flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(known, indent=2) + "\n")
    own = [row["after"] - row["before"] for name, row in known.items() if name.startswith("set12")]
    if own:
        print(f"Set12, {len(own)} images: worst {min(own):+.2f} dB, mean {np.mean(own):+.2f} dB")
    if asked.picture and shown:
        draw(shown, known, asked.picture)


if __name__ == "__main__":
    main()
