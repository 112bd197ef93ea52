"""The Restore widget, from the physics to layers that lie where they should."""

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.gui.family import family_of, role_of
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.preview import PREVIEW_KEY


def by_role(viewer):
    return {role_of(layer): layer for layer in viewer.layers if role_of(layer)}


@pytest.fixture(scope="session")
def tiny(scene):
    """A noisy plane of 24 x 32 pixels, sigma 5."""
    noise = 5 * np.random.default_rng(3).standard_normal((24, 32))
    return (100 * scene[200:224, 100:132] + noise).astype(np.float32)


def test_pixels_that_are_missing_are_restored_with_a_larger_std(restoring, finish, typed, tiny):
    viewer, widget = restoring
    data = tiny.copy()
    data[8:12, 10:16] = np.nan
    viewer.add_image(data, name="a", scale=(0.5, 0.5), translate=(3, 4))
    typed(widget, 5.0)
    widget.start()
    finish(widget)
    found = by_role(viewer)
    assert set(found) == {"mean", "std", "lower", "upper", "draws"}, widget.controls.status.text()
    wanted = nc.restore(data, "identity", nc.Gaussian(5.0), denoiser="unet_fast", n_draws=2)
    np.testing.assert_array_equal(found["mean"].data, wanted.estimate)
