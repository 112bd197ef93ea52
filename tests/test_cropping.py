"""A part of the data is H of a part of the image."""

import numpy as np
import pytest

from napari_credible.cropping import cropped
from napari_credible.operators import (
    Bayer,
    Blur,
    CompressedSensing,
    Downsample,
    Identity,
    Mask,
    Radon,
    Whitened,
)

SHAPE, WINDOW = (40, 48), (slice(12, 26), slice(14, 32))
RNG = np.random.default_rng(0)
HOLES = Mask(RNG.random(SHAPE) < 0.6)
ODD, EVEN = Blur(RNG.random((5, 3))), Blur(RNG.random((4, 6)))
OPERATORS = {
    "identity": Identity(),
    "mask": HOLES,
    "blur": ODD,
    "blur of even sides": EVEN,
    "blur, dark outside": Blur(RNG.random((5, 3)), "zero"),
    "blur of a larger image": Blur(RNG.random((4, 5)), "valid"),
    "downsample": Downsample(2),
    "bayer": Bayer("GBRG"),
    "all of it": HOLES @ Downsample(2) @ ODD,
    "whitened": Whitened(ODD, RNG.uniform(1, 2, SHAPE)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_part_of_the_data_is_what_the_part_of_h_makes(name):
    """The unit images that the part sees, one by one in a random sum, and nothing else."""
    operator = OPERATORS[name]
    part = cropped(operator, WINDOW, SHAPE)
    size = tuple(side.stop - side.start for side in WINDOW)
    image = RNG.standard_normal(operator.image_shape(SHAPE))
    wanted = operator(image)[WINDOW]
    # The part of the image is where H' of the window can be other than zero, or beside it.
    own = part.image_shape(size)
    found = [
        np.abs(part(image[..., r : r + own[-2], c : c + own[-1]]) - wanted).max()
        for r in range(image.shape[-2] - own[-2] + 1)
        for c in range(image.shape[-1] - own[-1] + 1)
    ]
    assert min(found) < 1e-5
    assert sum(error < 1e-5 for error in found) == 1


@pytest.mark.parametrize(
    ("operator", "window"),
    [
        (Radon(np.arange(40) * 4.5), WINDOW),
        (CompressedSensing(0.25, 0), WINDOW),
        (ODD, (slice(0, 10), slice(14, 32))),
        (Bayer("RGGB"), (slice(11, 25), slice(14, 32))),
        (HOLES @ Radon(np.arange(48) * 3.0), WINDOW),
    ],
    ids=repr,
)
def test_what_hangs_together_is_not_cut(operator, window):
    assert cropped(operator, window, SHAPE) is None
