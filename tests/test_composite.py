"""A composite is read by every eye, and contours enclose what they say."""

import numpy as np
import pytest

from napari_credible.composite import composite, palette, std_limits
from napari_credible.contours import contours

# Linear RGB as seen without red, green or blue cones: Machado, Oliveira, Fernandes, "A
# physiologically-based model for simulation of color vision deficiency" (2009), severity 1.
EYES = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                 [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
# About five steps that are just seen side by side.
_SEEN = 0.1


def seen(colours, eye):
    """Return OKLab of sRGB colours as an eye sees them."""
    c = np.asarray(colours) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    cones = np.cbrt(linear @ [[0.41222147, 0.21190350, 0.08830246],
                              [0.53633254, 0.68069955, 0.28171884],
                              [0.05144599, 0.10739696, 0.62997870]])  # fmt: skip
    return cones @ [[0.21045426, 1.97799850, 0.02590404],
                    [0.79361779, -2.42859221, 0.78277177],
                    [-0.00407205, 0.45059371, -0.80867577]]  # fmt: skip


def gap(colours, eye):
    """Return how far certain and uncertain are apart, for the value where that is least."""
    lab = seen(colours, eye)
    return np.linalg.norm(lab[0] - lab[-1], axis=-1).min()


@pytest.mark.parametrize("eye", list(EYES))
def test_certain_is_told_from_uncertain_at_every_value(eye):
    assert gap(palette(), eye) > _SEEN


@pytest.mark.parametrize("eye", list(EYES))
def test_the_bar_rejects_a_grey_scale(eye):
    """The impostor: value by grey alone, fading to grey."""
    doubt = np.linspace(0, 1, 64)[:, None, None]
    grey = (1 - doubt) * np.linspace(0, 255, 256)[None, :, None] + doubt * 128
    assert gap(np.tile(grey, (1, 1, 3)), eye) < _SEEN


@pytest.mark.parametrize("eye", list(EYES))
def test_brighter_is_higher_at_every_certainty(eye):
    light = seen(palette(), eye)[..., 0]
    # Eight bits round.
    assert (np.diff(light, axis=1) > -0.004).all()
    assert (light[:-8, -1] - light[:-8, 0] > 0.08).all()


def test_what_is_not_known_is_one_grey():
    last = palette()[-1].astype(int)
    assert np.ptp(last) <= 1


def test_pixels_get_their_colours():
    value = np.array([[0.0, 5.0], [10.0, np.nan]])
    std = np.array([[1.0, 1.0], [3.0, 1.0]])
    found = composite(value, std, (0.0, 10.0), (1.0, 3.0))
    colours = palette()
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0, 0], colours[0, 0])
    np.testing.assert_array_equal(found[0, 1], colours[0, 128])
    np.testing.assert_array_equal(found[1, 0], colours[-1, -1])
    np.testing.assert_array_equal(found[1, 1], colours[-1, 255])
    assert composite(np.zeros((3, 2, 4)), np.zeros((3, 2, 4)), (0, 1), (0, 1)).shape == (3, 2, 4, 3)


def test_limits_of_the_std_leave_out_what_is_no_number():
    std = np.r_[np.linspace(1, 2, 1001), np.nan]
    assert std_limits(std, (0.0, 5.0)) == (0.0, pytest.approx(1.995))
    assert std_limits(std, (0.0, 50.0)) == (0.0, 5.0)
    assert std_limits(np.array([np.nan]), (0.0, 10.0)) == (0.0, 1.0)


def test_bad_limits_and_shapes_are_refused_in_words():
    one = np.zeros((2, 2))
    with pytest.raises(ValueError, match="a lower and a higher"):
        composite(one, one, (1.0, 1.0), (0.0, 1.0))
    with pytest.raises(ValueError, match="shapes"):
        composite(one, np.zeros((2, 3)), (0.0, 1.0), (0.0, 1.0))


def disc(radius, centre=(20.0, 30.0)):
    rows, columns = np.mgrid[:50, :60]
    away = np.hypot(rows - centre[0], columns - centre[1])
    return np.clip(0.5 + (radius - away) / 4, 0, 1)


def test_a_contour_lies_where_the_probability_is():
    (line,) = contours(disc(9.0), 0.5)
    radii = np.hypot(line[:, 0] - 20, line[:, 1] - 30)
    np.testing.assert_allclose(radii, 9.0, atol=0.05)
    (narrower,) = contours(disc(9.0), 0.95)
    assert np.hypot(narrower[:, 0] - 20, narrower[:, 1] - 30).max() < 8


def test_contours_of_a_stack_say_their_plane_and_the_longest_is_first():
    stack = np.stack([disc(4.0), disc(9.0), np.zeros((50, 60))])
    lines = contours(stack, 0.5)
    assert [set(line[:, 0]) for line in lines] == [{1.0}, {0.0}]
    assert lines[0].shape[1] == 3


def test_the_edge_closes_a_contour_and_missing_pixels_are_outside():
    cut = disc(9.0, centre=(0.0, 30.0))
    cut[2, 30] = np.nan
    line = contours(cut, 0.5)[0]
    np.testing.assert_array_equal(line[0], line[-1])
    assert line.min() >= 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        contours(cut, 1.0)
