"""Long work stops when asked, within a tile, and only where it was asked."""

import threading

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.recipe import Recipe
from napari_credible.run import steps
from napari_credible.stopping import Stopped, pause, stoppable


def test_nothing_stops_unasked():
    pause()
    with stoppable(None):
        pause()
    with stoppable(lambda: False):
        pause()


def test_a_request_ends_with_its_block():
    with pytest.raises(Stopped), stoppable(lambda: True):
        pause()
    pause()


def test_a_request_is_of_its_thread():
    failures = []

    def work():
        try:
            pause()
        except Stopped as stopped:
            failures.append(stopped)

    with stoppable(lambda: True):
        other = threading.Thread(target=work)
        other.start()
        other.join()
    assert not failures


@pytest.mark.parametrize("denoiser", ["unet", "wavelet"])
def test_a_run_stops_inside_its_first_tile(denoiser, scene):
    """The request comes after work has begun, and the single tile is never finished."""
    asked = []

    def stop():
        asked.append(None)
        return len(asked) > 3

    recipe = Recipe(noise=nc.Gaussian(0.1), denoiser=denoiser)
    seen = []
    with pytest.raises(Stopped):
        seen.extend(steps(recipe, nc.Image(scene), stop=stop))
    assert all(step.done == 0 for step in seen)
    assert len(asked) == 4


def test_a_run_that_nobody_stops_is_the_same(scene):
    recipe = Recipe(noise=nc.Gaussian(0.1))
    going = steps(recipe, nc.Image(scene), stop=lambda: False)
    while True:
        try:
            next(going)
        except StopIteration as end:
            found = end.value.estimate
            break
    np.testing.assert_array_equal(found, nc.denoise(scene, nc.Gaussian(0.1)).estimate)
