"""What each axis is: read from labels, told in words, open to correction."""

import numpy as np
import pytest
from napari.layers import Image as ImageLayer

import napari_credible as nc
from napari_credible.gui.axes_panel import AxesPanel
from napari_credible.gui.layers import letters_of


@pytest.mark.parametrize(
    ("labels", "letters"),
    [
        (("t", "z", "y", "x"), "TZYX"),
        (("time", "Channel", "y", "x"), "TCYX"),
        (("-3", "-2", "-1"), "QYX"),
        (("y", "x", "c"), "YXC"),
        (("y", "a", "b"), "QYX"),
        (("z", "z", "y", "x"), "ZQYX"),
    ],
)
def test_labels_become_letters(labels, letters):
    assert letters_of(labels) == letters


def panel_of(qtbot, layer):
    panel = AxesPanel()
    qtbot.addWidget(panel)
    panel.set_layer(layer)
    return panel


def choose(panel, axis, role):
    box = panel._boxes[axis]
    box.setCurrentIndex(box.findData(role))


def test_the_user_corrects_an_axis(qtbot):
    panel = panel_of(qtbot, ImageLayer(np.zeros((3, 32, 32))))
    assert panel.axes() == "QYX"
    assert not panel.corrected()
    choose(panel, 0, "C")
    assert panel.axes() == "CYX"
    assert panel.corrected()
    assert panel.channels() == ["channel 0", "channel 1", "channel 2"]
    assert panel.summary() == "3 channels, planes of 32 × 32"


def test_two_axes_of_one_role_are_refused_in_words(qtbot):
    panel = panel_of(qtbot, ImageLayer(np.zeros((3, 4, 32, 32)), axis_labels=("t", "z", "y", "x")))
    choose(panel, 1, "T")
    with pytest.raises(ValueError, match="2 axes are 'time"):
        panel.axes()
    choose(panel, 1, "Y")
    with pytest.raises(ValueError, match="choose exactly one"):
        panel.axes()


def test_colours_are_no_axis(qtbot):
    panel = panel_of(qtbot, ImageLayer(np.zeros((32, 32, 3)), rgb=True))
    assert panel.axes() == "YXS"
    assert panel.channels() == ["red", "green", "blue"]


def test_a_corrected_axis_changes_the_run(opened, finish, scene):
    """Two channels of different noise: each gets its own model once the axis is said."""
    viewer, widget = opened
    quiet, loud = (nc.Gaussian(s).draw(100 * scene, 1) for s in (2.0, 12.0))
    viewer.add_image(np.stack([quiet, loud]), name="a")
    choose(widget.axes, 0, "C")
    widget.start()
    finish(widget)
    models = viewer.layers["a · denoised"].metadata["napari-credible"]["recipe"]["noise"]
    assert [m["sigma"] for m in models] == pytest.approx([2.0, 12.0], rel=0.1)
