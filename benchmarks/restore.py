"""Restore what an instrument did: the lecture's experiments, beside the obvious baselines.

From images of each folder one square is cut, H is applied, noise is drawn from a fixed seed, and
each method is given the data, H and the noise. One row for each experiment and method:

    PSNR, SSIM  of the mean of the draws (of the image, where a method finds one), and of one draw
    90 %        share of pixels in their 90 % interval, and spread / error (1 is right)
    D           evaluations of the denoiser for one draw, and passes back through it
    seconds     for the whole of a method's row, one image; meaningful on an idle machine only

Baselines: Wiener's filter and Richardson-Lucy (blur), biharmonic inpainting (holes), bicubic
(super-resolution), total variation as prior of the same splitting (compressed sensing), bilinear
(Bayer), filtered back-projection (Radon).
deepinv's DPIR, DDRM and DiffPIR run with this project's denoiser where deepinv is installed:
``--deepinv``. ``--learn FILE`` judges nothing: on training images it learns by which factor the
90 % intervals of each experiment must be widened to hold; ``--widened FILE`` adds a column with
these factors in effect.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from denoising import FOLDERS
from sampling import squares
from skimage.metrics import structural_similarity

import napari_credible as nc
from napari_credible.calibration import needed_factors
from napari_credible.operators import (
    Bayer,
    Blur,
    CompressedSensing,
    Downsample,
    Mask,
    Radon,
)
from napari_credible.posterior import Posterior

METHODS = ("mmps", "ddrm", "pnp", "red")
# Where images of the same kind lie that no test looks at. The shipped networks have not seen the
# photographs, but they were trained on these micrographs and this sky: factors learned there are
# too small rather than too large.
ELSEWHERE = {
    "BSD68": "train/natural_research", "Set12": "train/natural_research",
    "microscopy": "train/microscopy_open", "astronomy": "train/astronomy_open",
}  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """What is done to which images."""

    operator: object
    sigma: float
    folder: str
    baselines: tuple[str, ...]


def hole(side: int) -> Mask:
    """Return a mask without the lower sixth and a square in the middle."""
    seen = np.ones((side, side), dtype=bool)
    seen[side - side // 6 :] = False
    middle = slice(2 * side // 5, 2 * side // 5 + side // 8)
    seen[middle, middle] = False
    return Mask(seen)


def experiments(side: int) -> dict[str, Experiment]:
    """Return the experiments by name."""
    box, soft = Blur.uniform(5), Blur.gaussian(1.6)
    return {
        "deblur 5x5, 25": Experiment(box, 25 / 255, "BSD68", ("Wiener", "Richardson-Lucy")),
        "inpaint, 25": Experiment(hole(side), 25 / 255, "BSD68", ("biharmonic",)),
        "x4, 12": Experiment(Downsample(4), 12 / 255, "Set12", ("bicubic",)),
        "x4, 25": Experiment(Downsample(4), 25 / 255, "Set12", ("bicubic",)),
        "x2, 2": Experiment(Downsample(2), 2 / 255, "Set12", ("bicubic",)),
        "sense 12.5 %, 25": Experiment(CompressedSensing(0.125, 0), 25 / 255, "BSD68", ("TV",)),
        "deblur 1.6, 2": Experiment(soft, 2 / 255, "Set12", ("Wiener", "Richardson-Lucy")),
        "cells 1.6, 5": Experiment(soft, 5 / 255, "microscopy", ("Wiener", "Richardson-Lucy")),
        "stars 1.6, 5": Experiment(soft, 5 / 255, "astronomy", ("Wiener", "Richardson-Lucy")),
        "Bayer, 5": Experiment(Bayer("RGGB"), 5 / 255, "gray as colour", ("bilinear",)),
        "Radon 60, 2 %": Experiment(Radon(np.arange(60) * 3.0), 0.02, "Set12", ("FBP",)),
    }


def baseline(name: str, operator, y, sigma: float, shape):
    """Return what a well-known method makes of the data."""
    from scipy.ndimage import convolve, map_coordinates
    from skimage import restoration
    from skimage.transform import iradon

    if name == "Wiener":
        balance = (sigma / 0.25) ** 2 * 20  # of the Laplacian's norm, by eye on other images
        return restoration.wiener(y, operator.psf, balance, clip=False)
    if name == "Richardson-Lucy":
        light = np.pad(np.clip(y, 1e-3, None), 16, mode="wrap")  # the blur is circular
        found = restoration.richardson_lucy(light, operator.psf, num_iter=15, clip=False)
        return found[16:-16, 16:-16]
    if name == "biharmonic":
        return restoration.inpaint_biharmonic(np.where(operator.mask, y, 0), ~operator.mask)
    if name == "bicubic":
        factor, side = operator.factor, shape[-1]
        place = (np.arange(side) - (factor - 1) / 2) / factor

        return map_coordinates(y, np.meshgrid(place, place, indexing="ij"), order=3, mode="nearest")
    if name == "bilinear":
        own = operator.adjoint(y)
        seen = operator.adjoint(np.ones_like(y))
        kernel = np.outer([1, 2, 1], [1, 2, 1]) / 4
        spread = [np.stack([convolve(c, kernel) for c in stack]) for stack in (own, seen)]
        return spread[0] / spread[1]
    if name == "FBP":
        return iradon(y, theta=np.asarray(operator.angles), circle=True, output_size=shape[-1])
    if name == "TV":
        return nc.restore(y, operator, nc.Gaussian(sigma), method="pnp", denoiser="tv").estimate
    raise ValueError(name)


def figures(clean, estimate) -> dict[str, float]:
    """Return PSNR and SSIM of an image in [0, 1]."""
    error = float(np.square(estimate - clean).mean())
    axis = 0 if clean.ndim == 3 else None
    alike = structural_similarity(
        clean, np.asarray(estimate, dtype=clean.dtype), data_range=1.0, channel_axis=axis
    )
    return {"psnr": -10 * np.log10(error), "ssim": float(alike)}


class Counted:
    """A denoiser whose calls are counted."""

    def __init__(self, denoiser) -> None:
        self.denoiser, self.calls, self.card = denoiser, 0, denoiser.card
        for name in ("reach", "stride", "bytes_per_pixel"):
            setattr(self, name, getattr(denoiser, name))

    def __call__(self, x, sigma):
        """Denoise, counting."""
        self.calls += len(x)
        return self.denoiser(x, sigma)

    def fitted(self, low: float, high: float):
        """Return the same for a range, counting here."""
        inner = self.denoiser.fitted(low, high)

        def called(x, sigma):
            self.calls += len(x)
            return inner(x, sigma)

        return called


def restored(method: str, operator, y, sigma: float, denoiser, draws: int):
    """Return the result of a method, calls for one draw, and seconds."""
    counted = Counted(denoiser)
    start = time.perf_counter()
    result = nc.restore(
        y, operator, nc.Gaussian(sigma), method=method, denoiser=counted, n_draws=draws
    )
    count = draws if result.posterior else 1
    return result, counted.calls / count, time.perf_counter() - start


def drawn_row(clean, posterior: Posterior, factor: float | None) -> dict[str, float]:
    """Return what is asked of draws, also with intervals widened by a factor."""
    one = figures(clean, posterior.draws[0])
    lower, upper = posterior.interval(0.9)
    n = posterior.n_draws
    error = np.sqrt(np.square(posterior.mean - clean).mean())
    spread = np.sqrt(np.square(posterior.std.astype(float)).mean() * (1 + 1 / n))
    row = {
        "psnr draw": one["psnr"],
        "ssim draw": one["ssim"],
        "90 %": 100 * float(((clean >= lower) & (clean <= upper)).mean()),
        "spread": float(spread / error),
    }
    if factor is not None:
        lower, upper = replace(posterior, widen=factor).interval(0.9)
        row["widened"] = 100 * float(((clean >= lower) & (clean <= upper)).mean())
    return row


def deepinv_images(operator, y, sigma: float, denoiser, shape):
    """Yield deepinv's restorers with this project's denoiser and operator, by name."""
    import deepinv

    factors = operator.factors(shape, torch.zeros(()))

    class Physics(deepinv.physics.DecomposablePhysics):
        def __init__(self) -> None:
            super().__init__(noise_model=deepinv.physics.GaussianNoise(sigma))
            self.mask = factors.singular_values[None, None]

        def U_adjoint(self, y):
            return factors.data_to_spectral(y)

        def U(self, c):
            return factors.data_from_spectral(c)

        def V_adjoint(self, x):
            return factors.to_spectral(x)

        def V(self, c):
            return factors.from_spectral(c)

    data = torch.as_tensor(y, dtype=torch.float32)[None, None]
    torch.manual_seed(0)
    model = lambda x, level, **_: denoiser(x, level)  # noqa: E731
    ddrm = deepinv.sampling.DDRM(denoiser=model, sigmas=np.geomspace(1, 0.01, 20))
    yield "deepinv DDRM", ddrm(data, Physics())[0, 0].numpy()
    torch.manual_seed(0)
    fidelity = deepinv.optim.data_fidelity.L2()
    diffpir = deepinv.sampling.DiffPIR(model, fidelity, sigma=sigma)
    yield "deepinv DiffPIR", diffpir(data, Physics())[0, 0].numpy()
    dpir = deepinv.optim.DPIR(sigma=sigma, denoiser=model, device="cpu")
    yield "deepinv DPIR", dpir(data, Physics())[0, 0].numpy()


def observed(what: Experiment, plane, number: int) -> tuple:
    """Return an image, its data and the level of their noise."""
    clean = plane
    if what.operator.image_ndim == 3:  # three tints of one picture: strongly alike, as colours
        clean = np.stack([plane, 0.8 * plane + 0.1, 0.6 * plane**1.5 + 0.2])
    y = what.operator(clean)
    sigma = what.sigma * (np.ptp(y) if isinstance(what.operator, Radon) else 1)
    rng = np.random.default_rng((11, number))
    return clean, y + sigma * rng.standard_normal(y.shape), sigma


def learned(what: Experiment, asked) -> float:
    """Return the factor on the intervals of mmps with which they hold 90 % of training images."""
    denoiser = nc.load_denoiser(asked.denoiser)
    folder = "BSD68" if what.folder == "gray as colour" else what.folder
    needed = []
    for number, plane in enumerate(
        squares(asked.data / ELSEWHERE[folder], asked.side, asked.images)
    ):
        clean, y, sigma = observed(what, plane, number)
        result, *_ = restored("mmps", what.operator, y, sigma, denoiser, asked.draws)
        needed.append(needed_factors(result.posterior, clean, 0.9))
    return float(np.quantile(np.concatenate(needed), 0.9))


def rows_of(name: str, what: Experiment, asked, gallery: dict) -> list[dict]:
    """Return the rows of an experiment, averaged over its images."""
    denoiser = nc.load_denoiser(asked.denoiser)
    folder = "BSD68" if what.folder == "gray as colour" else what.folder
    found: dict[str, list[dict]] = {}
    factors = json.loads(asked.widened.read_text()) if asked.widened else {}
    for number, plane in enumerate(squares(asked.data / FOLDERS[folder], asked.side, asked.images)):
        clean, y, sigma = observed(what, plane, number)
        shown = gallery.setdefault(name, {"truth": clean, "data": y}) if not number else {}
        for other in what.baselines:
            start = time.perf_counter()
            image = baseline(other, what.operator, y, sigma, clean.shape)
            row = {**figures(clean, image), "seconds": time.perf_counter() - start}
            found.setdefault(other, []).append(row)
            shown.setdefault(other, image)
        for method in asked.methods:
            if method == "ddrm" and isinstance(what.operator, Radon):
                continue
            result, calls, seconds = restored(
                method, what.operator, y, sigma, denoiser, asked.draws
            )
            row = {**figures(clean, result.estimate), "D": calls, "seconds": seconds}
            if result.posterior:
                row |= drawn_row(
                    clean, result.posterior, factors.get(name) if method == "mmps" else None
                )
            if method == "mmps":
                shown |= {"mean": result.estimate, "draw": result.posterior.draws[0],
                          "std": result.posterior.std}  # fmt: skip
            found.setdefault(method, []).append(row)
        if asked.deepinv and clean.ndim == 2 and not isinstance(what.operator, Radon):
            fitted = denoiser.fitted(0.0, 1.0)
            for other, image in deepinv_images(what.operator, y, sigma, fitted, clean.shape):
                found.setdefault(other, []).append(figures(clean, image))
    return [
        {"experiment": name, "method": method,
         **{key: float(np.mean([row[key] for row in rows])) for key in rows[0]}}
        for method, rows in found.items()
    ]  # fmt: skip


COLUMNS = ("psnr", "ssim", "psnr draw", "ssim draw", "90 %", "spread", "widened", "D", "seconds")


def line(row: dict) -> str:
    """Return one row of the table."""
    places = {"ssim": 3, "ssim draw": 3, "D": 0, "90 %": 1, "widened": 1, "seconds": 1}
    cells = [f"{row[c]:.{places.get(c, 2)}f}" if c in row else "" for c in COLUMNS]
    return f"| {row['experiment']} | {row['method']} | " + " | ".join(cells) + " |"


def draw_gallery(gallery: dict, path: Path) -> None:
    """Write one picture: a row for each experiment."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    titles = ("truth", "data", "baseline", "mean of the draws", "one draw", "std (0 to 0.15)")
    figure, axes = pyplot.subplots(
        len(gallery), 6, figsize=(9, 1.55 * len(gallery)), layout="constrained"
    )
    for place, title in zip(axes[0], titles, strict=True):
        place.set_title(title, fontsize=7)
    for row, (name, images) in zip(axes, gallery.items(), strict=True):
        other = next(k for k in images if k not in ("truth", "data", "mean", "draw", "std"))
        keys = ("truth", "data", other, "mean", "draw", "std")
        for place, key in zip(row, keys, strict=True):
            picture = np.asarray(images[key])
            if picture.ndim == 3:
                picture = picture.transpose(1, 2, 0)
            limits = {"vmin": 0, "vmax": 1} if key != "data" else {}
            if key == "std":
                picture = picture.mean(-1) if picture.ndim == 3 else picture
                place.imshow(picture, cmap="magma", vmin=0, vmax=0.15)
            else:
                place.imshow(np.clip(picture, 0, 1) if key != "data" else picture,
                             cmap="gray", **limits)  # fmt: skip
            place.set_xticks([])
            place.set_yticks([])
            if key == other:
                place.set_xlabel(other, fontsize=6)
        row[0].set_ylabel(name, fontsize=7)
    figure.savefig(path, dpi=80)


def learn(chosen: dict[str, Experiment], asked) -> None:
    """Write the factors; those of other experiments that are in the file stay."""
    found = json.loads(asked.learn.read_text()) if asked.learn.exists() else {}
    for name in asked.only or chosen:
        found[name] = round(learned(chosen[name], asked), 3)
        print(f"{name:20} {found[name]:.2f}", flush=True)
        asked.learn.write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    """Print the table; write the gallery."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=experiments(128))
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=(*METHODS, "snips"))
    parser.add_argument("--denoiser", default="unet_fast")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--deepinv", action="store_true")
    parser.add_argument("--learn", type=Path)
    parser.add_argument("--widened", type=Path)
    parser.add_argument("--gallery", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    chosen = experiments(asked.side)
    if asked.learn:
        learn(chosen, asked)
        return
    gallery: dict = {}
    rows = []
    print("| experiment | method | " + " | ".join(COLUMNS) + " |")
    print("| --- | --- |" + " ---: |" * len(COLUMNS))
    for name in asked.only or chosen:
        for row in rows_of(name, chosen[name], asked, gallery):
            rows.append(row)
            print(line(row), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")
    if asked.gallery:
        draw_gallery(gallery, asked.gallery)


if __name__ == "__main__":
    main()
