"""Print the numbers of the tutorial "Is it real?": spots in one scan, and what four others say.

python docs/is_it_real.py
"""

from itertools import pairwise

import numpy as np
from skimage.feature import peak_local_max

from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run
from napari_credible.samples import SAMPLES

THRESHOLD = 12.0
# The lower left of the first scan of the photon counts, where the spots are.
PART = Region((0, 150, 0), (1, 256, 150))
RECIPE = Recipe(method="sample", denoiser="unet_fast", n_draws=64, threshold=THRESHOLD)
# Spots that are listed, in photons: brighter ones leave no question.
FAINTEST, BRIGHTEST = 6.0, 40.0
BINS = (0.0, 0.05, 0.35, 0.65, 0.95, 1.0)


def main() -> None:
    """Sample one scan, and compare with the others."""
    image = SAMPLES["photons"].read()
    result = run(RECIPE, image, region=PART)
    counted = np.asarray(image.array)[PART.slices][0]
    others = np.asarray(image.array)[1:, PART.slices[1], PART.slices[2]].mean(axis=0)
    probability = result.posterior.exceedance(THRESHOLD)[0]
    lower, upper = (bound[0] for bound in result.posterior.interval(0.9))
    print(result.noise[0].in_words())
    print(result.sureness)
    print("row column counted estimate 90 % interval  P(> 12)  others")
    for row, column in peak_local_max(result.estimate[0], min_distance=3, threshold_abs=FAINTEST):
        here = (row, column)
        if result.estimate[0][here] > BRIGHTEST:
            continue
        place = f"{row + PART.start[1]:3d} {column:6d} {counted[here]:7d}"
        found = f"{result.estimate[0][here]:8.1f} {lower[here]:6.1f} to {upper[here]:5.1f}"
        print(f"{place} {found} {probability[here]:8.3f} {others[here]:7.1f}")
    print("of pixels with P between, the other four scans together count more than 12:")
    for low, high in pairwise(BINS):
        inside = (probability >= low) & ((probability < high) | (high == 1.0))
        share = (others[inside] > THRESHOLD).mean()
        told = probability[inside].mean()
        print(f"{low:.2f} to {high:.2f}: {share:.2f} of {inside.sum()} pixels, mean P {told:.2f}")


if __name__ == "__main__":
    main()
