"""Shared pictures: made here or embedded in the package, never fetched."""

import numpy as np
import pytest

from napari_credible.samples import SAMPLES


@pytest.fixture(scope="session")
def scene():
    """A noise-free scene in [0, 1] with smooth parts, edges, texture and points, 512 x 512."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:512, :512] / 512
    picture = 0.25 + 0.2 * np.sin(5 * x + 3 * y) * np.cos(4 * y)
    for _ in range(40):
        cy, cx, radius, height = rng.uniform(0, 1, 4) * (1, 1, 0.09, 0.7)
        disc = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        picture[disc] = 0.5 * picture[disc] + height
    picture[350:, :150] += 0.1 * np.sign(np.sin(130 * x[350:, :150]))
    return np.clip(picture, 0, 1)


@pytest.fixture(scope="session")
def noisy(scene):
    """The scene with a little noise, so that there is some to measure."""
    return scene + 0.02 * np.random.default_rng(0).standard_normal(scene.shape)


@pytest.fixture(scope="session")
def cells():
    return SAMPLES["cells"].read()


@pytest.fixture(scope="session")
def photons():
    return SAMPLES["photons"].read()


@pytest.fixture(scope="session")
def stars():
    return SAMPLES["stars"].read()
