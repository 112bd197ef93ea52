"""The tab that tests the user's own image: a real test, and the correction that follows."""

import dataclasses

import numpy as np
import pytest

import napari_credible as nc
from napari_credible.gui.family import LOWER, MEAN, UPPER, Family, family_of
from napari_credible.gui.inspector import Inspector
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.run import run
from napari_credible.streamed import Streamed


@pytest.fixture(scope="module")
def result():
    x = np.mgrid[:48, :48][1]
    image = nc.Gaussian(4.0).draw(100 + 20 * np.sin(x / 7), 0)
    return nc.sample(
        nc.Image(image, name="waves", unit="ADU"), nc.Gaussian(4.0), denoiser="wavelet", n_draws=8
    )


@pytest.fixture
def inspected(make_napari_viewer, result):
    viewer = make_napari_viewer(show=True)
    widget = Inspector(viewer)
    viewer.window.add_dock_widget(widget)
    family = Family(result.posterior, result)
    lower, upper = result.posterior.interval(result.recipe.level)
    for role, data in ((MEAN, result.posterior.mean), (LOWER, lower), (UPPER, upper)):
        layer = viewer.add_image(data, name=role, scale=(0.5, 0.5))
        layer.metadata[METADATA_KEY] = result.record()
        family.join(layer, role)
    widget.families.refresh()
    widget.tabs.setCurrentIndex(2)
    yield viewer, widget, family
    widget.close()


def verdict_of(widget, qtbot):
    widget.believable.run.click()
    qtbot.waitUntil(lambda: not widget.believable.jobs, timeout=60_000)
    assert widget.believable.verdict is not None, widget.believable.notes.text()
    return widget.believable.verdict


def test_a_verdict_is_shown_and_its_correction_applied(inspected, qtbot, tmp_path):
    viewer, widget, family = inspected
    tab = widget.believable
    with pytest.raises(ValueError, match="Nothing was tested"):
        widget.save_numbers(str(tmp_path / "nothing.csv"))
    verdict = verdict_of(widget, qtbot)
    assert tab.sentence.text() == verdict.sentence
    for check in verdict.checks:
        assert check.name in tab.checks.text()
    qtbot.waitUntil(lambda: tab.chart._chart is not None, timeout=5_000)
    names = [type(item).__name__ for item in tab.chart._chart.box.addedItems]
    assert {"ErrorBarItem", "ScatterPlotItem"} <= set(names)
    points = next(i for i in tab.chart._chart.box.addedItems if type(i).__name__.startswith("Scat"))
    np.testing.assert_array_equal(points.getData()[1], verdict.reliability.coverage)

    path = widget.save_numbers(str(tmp_path / "verdict.csv"))
    table = np.genfromtxt(path, delimiter=",", comments="#", skip_header=len(verdict.checks) + 3)
    np.testing.assert_allclose(table[:, 1], verdict.reliability.coverage, rtol=1e-8)

    tab.residual.click()
    layer = viewer.layers[-1]
    np.testing.assert_array_equal(layer.data, verdict.residual)
    for corner in ((0, 0), (7, 9)):
        np.testing.assert_allclose(layer.data_to_world(corner), np.multiply(corner, 0.5))

    # As the test has found it, and as it would have been with another factor.
    assert tab.apply.isEnabled() == (verdict.factor != 1.0)
    tab._show(dataclasses.replace(verdict, factor=1.3))
    before = viewer.layers[UPPER].data.copy()
    tab.apply.click()
    qtbot.waitUntil(lambda: not tab.jobs, timeout=20_000)
    wider = family_of(viewer.layers[MEAN])
    assert wider is widget.families.family()
    assert wider is not family
    assert wider.result.recipe.widen == wider.posterior.widen == 1.3
    mean = family.posterior.mean
    np.testing.assert_allclose(viewer.layers[UPPER].data - mean, 1.3 * (before - mean), rtol=1e-3)
    for name in (MEAN, LOWER, UPPER):
        assert viewer.layers[name].metadata[METADATA_KEY]["recipe"]["widen"] == 1.3
        assert family_of(viewer.layers[name]) is wider
    assert tab.verdict.factor == 1.3
    assert not tab.apply.isEnabled()
    assert "1.3 times as wide" in tab.notes.text()


def test_a_test_can_be_cancelled(inspected, qtbot):
    _, widget, _ = inspected
    tab = widget.believable
    tab.run.click()
    assert not tab.run.isEnabled()
    qtbot.waitUntil(lambda: bool(tab.notes.text()), timeout=20_000)
    tab.cancel.click()
    assert not tab.jobs
    assert tab.run.isEnabled()
    assert tab.verdict is None
    assert "Stopped" in tab.notes.text()


def test_deleting_the_layers_ends_the_test(inspected, qtbot):
    viewer, widget, _ = inspected
    tab = widget.believable
    tab.run.click()
    qtbot.waitUntil(lambda: bool(tab.notes.text()), timeout=20_000)
    viewer.layers.clear()
    assert not tab.jobs
    assert not tab.isEnabled()
    qtbot.wait(300)
    assert tab.verdict is None


def test_a_denoiser_that_is_no_file_is_said(inspected, qtbot):
    """The caller's own denoiser is not in the recipe."""
    viewer, widget, family = inspected
    recipe = family.result.recipe.replace(denoiser="custom:mine")
    other = Family(family.posterior, dataclasses.replace(family.result, recipe=recipe))
    for name in (MEAN, LOWER, UPPER):
        other.join(viewer.layers[name], name)
    widget.families.refresh()
    widget.believable.run.click()
    qtbot.waitUntil(lambda: not widget.believable.jobs, timeout=20_000)
    assert "names the denoiser 'mine'" in widget.believable.notes.text()


def test_results_widen_with_and_without_draws(result):
    wider = result.widened(1.5)
    lower, upper = result.posterior.interval(0.9)
    low, high = wider.posterior.interval(0.9)
    np.testing.assert_allclose(high - low, 1.5 * (upper - lower), rtol=1e-3)
    assert result.posterior.widen == result.recipe.widen == 1.0
    maps = Streamed(result.posterior.draws.shape[1:], 8)
    for draw in result.posterior.draws:
        maps.add(draw)
    also = dataclasses.replace(result, posterior=maps).widened(1.5)
    np.testing.assert_allclose(also.posterior.interval(0.9), (low, high), rtol=1e-6)
    assert maps.widen == 1.0
    with pytest.raises(ValueError, match="nothing was drawn"):
        dataclasses.replace(result, posterior=None).widened(1.5)


@pytest.mark.parametrize("region", [None, Region((60, 50), (90, 90))])
def test_a_restored_image_is_tested_on_its_data(region, make_napari_viewer, qtbot):
    """The data have other pixels than the draws: theirs is the residual, where they lie."""
    x = np.mgrid[:192, :192][1]
    operator = nc.operators.Downsample(2)
    data = nc.Gaussian(4.0).draw(operator(100 + 20 * np.sin(x / 14)), 0)
    recipe = Recipe.of(
        method="restore", operator=operator, noise=nc.Gaussian(4.0),
        solver="ddrm:4", denoiser="unet_fast", n_draws=3,
    )  # fmt: skip
    image = nc.Image(data, name="waves")
    result = run(recipe, image, operator=operator, region=region)
    begun = (0, 0) if region is None else result.read.start
    assert region is None or max(begun) > 0
    viewer = make_napari_viewer(show=True)
    widget = Inspector(viewer)
    viewer.window.add_dock_widget(widget)
    family = Family(result.posterior, result)
    given = viewer.add_image(data, name="data", scale=(2, 2), translate=(3, 4))
    family.roles["input"] = given
    layer = viewer.add_image(result.posterior.mean, name=MEAN, translate=(2.5, 3.5))
    family.join(layer, MEAN)
    widget.families.refresh()
    widget.tabs.setCurrentIndex(2)
    viewer.layers.selection.active = layer
    verdict = verdict_of(widget, qtbot)
    checks = {check.name: check.value for check in verdict.checks}
    assert abs(checks["mean of the residual"]) < 0.5
    widget.believable.residual.click()
    shown = viewer.layers[-1]
    assert shown.data.shape == result.data.shape
    np.testing.assert_array_equal(shown.data, verdict.residual)
    for corner in ((0, 0), (7, 9)):
        same = given.data_to_world(np.add(corner, begun))
        np.testing.assert_allclose(shown.data_to_world(corner), same)
    del family.roles["input"]
    axes, matrix, units = widget.believable._placed.of_data()
    assert (axes, len(units)) == ("YX", 2)
    np.testing.assert_allclose(np.diag(matrix), [1, 1, 1])
    np.testing.assert_allclose(matrix[:2, 2], begun)
    widget.close()
