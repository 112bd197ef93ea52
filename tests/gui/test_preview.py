"""The preview: what is in view, as the run will give it, in a layer that comes and goes."""

import dask.array
import numpy as np
import pytest

import napari_credible as nc
from napari_credible.gui.layers import image_from_layer
from napari_credible.gui.preview import PREVIEW_KEY
from napari_credible.gui.region import region_in_view


def previews(viewer):
    return [layer for layer in viewer.layers if PREVIEW_KEY in layer.metadata]


@pytest.fixture
def previewed(opened, qtbot, scene, typed):
    viewer, widget = opened
    stack = np.stack([100 * scene, 200 * scene])
    layer = viewer.add_image(
        nc.Gaussian(5.0).draw(stack, 0), name="a", scale=(3, 0.5, 0.5), translate=(1, 2, 3),
        rotate=[[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]],
    )  # fmt: skip
    typed(widget, 5.0)
    viewer.dims.set_current_step(0, 1)
    widget.controls.preview.value = True
    qtbot.waitUntil(lambda: bool(previews(viewer)), timeout=60_000)
    return viewer, widget, layer


def test_it_lies_where_its_pixels_are(previewed):
    viewer, _, layer = previewed
    shown = previews(viewer)[0]
    region = region_in_view(viewer, layer, image_from_layer(layer))
    for corner in (np.zeros(3), np.array([0.0, 7.0, 11.0])):
        np.testing.assert_allclose(
            shown.data_to_world(corner), layer.data_to_world(corner + region.start), atol=1e-9
        )
    assert shown.data.shape == region.shape
    assert region.start[0] == 1


def test_it_shows_what_the_run_will_give(previewed):
    """Away from the cut the values are those of the whole run; the range is the whole image's."""
    viewer, _, layer = previewed
    shown = previews(viewer)[0]
    region = region_in_view(viewer, layer, image_from_layer(layer))
    whole = nc.denoise(layer.data, nc.Gaussian(5.0)).estimate
    rows, columns = (slice(s, s + n) for s, n in zip(region.start[1:], shown.data.shape[1:],
                                                     strict=True))  # fmt: skip
    wanted = whole[1, rows, columns]
    if wanted.shape == layer.data.shape[1:]:
        np.testing.assert_allclose(shown.data[0], wanted, rtol=1e-5, atol=1e-3)
    error = np.abs(shown.data[0] - wanted)[8:-8, 8:-8]
    assert error.max() < 0.1 * 5.0


def test_it_follows_the_slider_and_goes_when_told(previewed, qtbot):
    viewer, widget, _ = previewed
    shown = previews(viewer)[0]
    before = shown.data.copy()
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: not np.array_equal(shown.data, before), timeout=60_000)
    assert shown.translate[0] == pytest.approx(1.0)
    widget.controls.preview.value = False
    assert not previews(viewer)
    assert len(viewer.layers) == 1


def test_split_shows_the_input_on_the_left(previewed):
    viewer, widget, layer = previewed
    shown = previews(viewer)[0]
    clean = shown.data.copy()
    widget.controls.share.value = 25
    widget.controls.how.value = "split"
    columns = shown.data.shape[2]
    cut = int(np.ceil(0.25 * columns))
    np.testing.assert_array_equal(shown.data[..., cut:], clean[..., cut:])
    region = region_in_view(viewer, layer, image_from_layer(layer))
    raw = layer.data[region.slices].astype(np.float32)
    np.testing.assert_array_equal(shown.data[..., :cut], raw[..., :cut])


def test_blink_shows_both_in_turn(previewed, qtbot):
    viewer, widget, _ = previewed
    shown = previews(viewer)[0]
    widget.controls.how.value = "blink"
    qtbot.waitUntil(lambda: not shown.visible, timeout=5_000)
    qtbot.waitUntil(lambda: shown.visible, timeout=5_000)
    widget.controls.how.value = "whole"
    assert shown.visible


def test_contrast_is_linked_while_it_is_there(previewed):
    viewer, widget, layer = previewed
    layer.contrast_limits = (3, 30)
    np.testing.assert_array_equal(previews(viewer)[0].contrast_limits, (3, 30))
    widget.controls.preview.value = False
    layer.contrast_limits = (4, 40)


def test_removing_the_layer_turns_it_off(previewed, qtbot):
    viewer, widget, _ = previewed
    viewer.layers.remove(previews(viewer)[0])
    assert not widget.preview.on
    getattr(viewer, "scene", viewer).camera.zoom *= 1.5
    qtbot.wait(600)
    assert not previews(viewer)


def test_a_preview_is_no_input(previewed):
    viewer, widget, layer = previewed
    assert list(widget.controls.layer.choices) == [layer]
    viewer.layers.selection.active = previews(viewer)[0]
    assert widget.controls.layer.value is layer


def test_a_lazy_layer_is_read_where_it_is_seen(opened, qtbot, scene):
    """A stack of 200 planes: the measurement looks at eight, the preview at one."""
    viewer, widget = opened
    read = set()

    def plane(block_info=None):
        number = block_info[None]["array-location"][0][0]
        read.add(number)
        return nc.Gaussian(0.05).draw(scene, number)[None]

    lazy = dask.array.map_blocks(
        plane, chunks=((1,) * 200, (512,), (512,)), dtype=float, meta=np.empty((0, 0, 0))
    )
    viewer.add_image(lazy, name="lazy", contrast_limits=(0, 1))
    read.clear()
    widget.controls.preview.value = True
    qtbot.waitUntil(lambda: bool(previews(viewer)), timeout=90_000)
    assert len(read) <= 20


def test_the_3d_view_is_declined_in_words(opened, qtbot, scene):
    viewer, widget = opened
    viewer.add_image(np.stack([scene[:64, :64]] * 4), name="a")
    viewer.dims.ndisplay = 3
    widget.controls.preview.value = True
    assert "2D view" in widget.controls.status.text()
    assert not previews(viewer)
