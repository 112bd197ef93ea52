"""Memory of the process while many draws of a large plane are streamed into their maps.

``keep="maps"`` holds the extreme draws that the planned interval needs, allocated and touched at
the start: how many draws are run after the first few does not change the peak, which is that of
the whole process, libraries included.
"""

import argparse
import resource
import sys
import time

import numpy as np

import napari_credible as nc
from napari_credible.denoise.oracles import GaussianPrior
from napari_credible.recipe import Recipe
from napari_credible.run import steps

ORACLE = "oracle"


def peak() -> float:
    """Return the largest memory that the process has had, GiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)


def drawn(recipe: Recipe, side: int, denoiser, enough: int):
    """Return the result after ``enough`` draws of the planned ones."""
    light = np.random.default_rng(0).normal(50, 2, (side, side)).astype(np.float32)
    reached = [0]
    going = steps(recipe, nc.Image(light), denoiser=denoiser, stop=lambda: reached[0] >= enough)
    while True:
        try:
            step = next(going)
        except StopIteration as end:
            return end.value
        reached[0] = step.posterior.n_draws if step.posterior is not None else 0


def main() -> None:
    """Print the peak after the draws and after all maps were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--draws", type=int, default=1000, help="planned")
    parser.add_argument("--run", type=int, help="stop after so many; all where not given")
    parser.add_argument("--denoiser", default=ORACLE, help=f"{ORACLE}, or a shipped name")
    asked = parser.parse_args()
    recipe = Recipe.of(
        method="sample", noise=nc.Gaussian(1.0), n_draws=asked.draws, keep="maps", threshold=50.0,
        **({} if asked.denoiser == ORACLE else {"denoiser": asked.denoiser}),
    )  # fmt: skip
    denoiser = GaussianPrior(50.0, 2.0) if asked.denoiser == ORACLE else None
    started = time.perf_counter()
    result = drawn(recipe, asked.side, denoiser, asked.run or asked.draws)
    done, seconds = result.posterior.n_draws, time.perf_counter() - started
    print(f"{asked.denoiser}: {done} of {asked.draws} draws of {asked.side} x {asked.side} pixels")
    print(f"peak after drawing    {peak():.2f} GiB")
    assert list(result.maps) == ["std", "lower", "upper", "exceedance"]
    print(f"peak after all maps   {peak():.2f} GiB")
    print(f"{seconds / done:.2f} s a draw")


if __name__ == "__main__":
    main()
