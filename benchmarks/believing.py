"""How often "Is it believable?" is right: of right models, and of wrong ones.

Of some images of each folder a square is cut and made noisy with a known model. The recipe is
then told the right model; a gain that is wrong by 2; or noise that is correlated between
neighbours comes to it as white. A sampler with half the spread is the last impostor. Printed are
the share of verdicts "believable", and what the checks measured, averaged over the images.
With ``--exact N`` instead: how often, of N images of a prior that the denoiser knows exactly, the
right model was called wrong.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from denoising import FOLDERS
from scipy.ndimage import gaussian_filter

import napari_credible as nc
from napari_credible.believe import believable
from napari_credible.denoise.oracles import PowerLawPrior
from napari_credible.recipe import Recipe
from napari_credible.samplers import Corrected
from napari_credible.training.folders import Folder, unit

PARTS = ("mean of", "variance of", "tails", "bright", "columns", "rows", "held-out", "4 x 4",
         "bootstrap")  # fmt: skip


class HalfTheSpread:
    """Draws whose distance from the denoised image is halved."""

    steps, evaluations = Corrected().steps, Corrected().evaluations

    def start(self, denoise, y, sigma):
        """Remember the denoised image."""
        state = Corrected().start(denoise, y, sigma)
        self._mean = state.clean
        return state

    def step(self, state, number, denoise, noise):
        """Step as usual, and halve the distance at the end."""
        state = Corrected().step(state, number, denoise, noise)
        if number < self.steps - 1:
            return state
        return replace(state, clean=(self._mean + state.clean) / 2)


def squares(folder: Path, side: int, count: int):
    """Yield one square, from the middle, of each of ``count`` images evenly chosen."""
    images = Folder(folder)
    for number in np.unique(np.linspace(0, len(images) - 1, count).astype(int)):
        clean = unit(images[number]).astype(np.float64)
        top, left = (max(n - side, 0) // 2 for n in clean.shape)
        yield clean[top : top + side, left : left + side]


def cases(clean, seed: int):
    """Yield name, noisy image, what the recipe is told, and the sampler."""
    rng = np.random.default_rng((11, seed))
    gaussian, photons = nc.Gaussian(25 / 255), nc.PoissonGaussian(1.0)
    noisy, counts = gaussian.draw(clean, rng), photons.draw(30 * clean, rng)
    smooth = gaussian_filter(rng.standard_normal(clean.shape), 0.6)
    yield "right, 25/255", noisy, gaussian, None
    yield "right, peak 30", counts, photons, None
    yield "gain 2 for 1", counts, nc.PoissonGaussian(2.0), None
    yield "gain 1/2 for 1", counts, nc.PoissonGaussian(0.5), None
    yield "correlated noise", clean + gaussian.sigma * smooth / smooth.std(), gaussian, None
    yield "half the spread", noisy, gaussian, HalfTheSpread()


def verdict(noisy, model, sampler, asked):
    """Return the verdict on one square."""
    recipe = Recipe.of(
        method=asked.method, noise=model, denoiser=asked.denoiser, n_draws=asked.draws
    )
    return ended(believable(recipe, nc.Image(noisy), sampler=sampler, side=asked.side))


def exact(count: int) -> int:
    """Return of how many images of an exact prior the right model was called wrong."""
    prior, wrong = PowerLawPrior(std=2.0), 0
    for seed in range(count):
        clean = prior.draw((80, 80), torch.Generator().manual_seed(seed)).numpy()[0, 0]
        noisy = nc.Image(nc.Gaussian(1.0).draw(clean, seed))
        recipe = Recipe.of(method="sample", noise=nc.Gaussian(1.0), n_draws=12, seed=seed)
        wrong += not ended(believable(recipe, noisy, denoiser=prior)).passed
    return wrong


def ended(going):
    """Return what a generator returns."""
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def measured(found) -> list[float]:
    """Return what each check measured, NaN where it was left out, and the factor."""
    values = [[c.value for c in found.checks if part in c.name] for part in PARTS]
    return [*(v[0] if v else np.nan for v in values), found.factor]


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--exact", type=int, metavar="N")
    parser.add_argument("--folders", nargs="+", default=["BSD68", "microscopy"], choices=FOLDERS)
    parser.add_argument("--denoiser", default="unet")
    parser.add_argument("--method", default="sample", choices=["sample", "spread"])
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--cases", nargs="+", type=int, default=range(6), help="0 to 5")
    asked = parser.parse_args()
    if asked.exact is not None:
        print(f"{exact(asked.exact)} of {asked.exact} right models were called wrong")
        return
    if asked.data is None:
        parser.error("DATA is needed: the folder of the test images")
    rows: dict[str, list] = {}
    for folder in asked.folders:
        for seed, clean in enumerate(
            squares(asked.data / FOLDERS[folder], asked.side, asked.images)
        ):
            for number, (name, noisy, model, sampler) in enumerate(cases(clean, seed)):
                if number in asked.cases:
                    rows.setdefault(name, []).append(verdict(noisy, model, sampler, asked))
    head = ["mean", "variance", "tails", "parts", "columns", "rows", "split", "4 x 4", "pixels"]
    head.append("factor")
    print(f"{asked.denoiser}, {asked.draws} draws, squares of {asked.side} of {asked.folders}\n")
    print(f"{'case':18}{'believed':>10}{''.join(f'{h:>9}' for h in head)}")
    for name, found in rows.items():
        believed = f"{sum(v.passed for v in found)} of {len(found)}"
        values = np.nanmean([measured(v) for v in found], axis=0)
        print(f"{name:18}{believed:>10}{''.join(f'{v:9.3f}' for v in values)}", flush=True)
        for v in found:
            failed = [f"{c.name} {c.value:.3f}" for c in v.checks if not c.passed]
            print(f"    {'; '.join(failed) or 'all passed'}")


if __name__ == "__main__":
    main()
