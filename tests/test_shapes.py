"""Which pixels a shape holds: those whose centre lies in it."""

import numpy as np
import pytest

from napari_credible.shapes import Shape, pixel_square

SIDES = (50, 70)


def held(shape, sides=SIDES):
    mask = np.zeros(sides, dtype=bool)
    box = shape.box(sides)
    mask[box] = shape.mask(*box)
    return mask


def centres(sides=SIDES):
    return np.stack(np.mgrid[: sides[0], : sides[1]], -1).astype(float)


def test_a_rectangle_holds_the_centres_within():
    mask = held(Shape("A", "rectangle", [(3.6, 10.2), (3.6, 20.4), (8.4, 20.4), (8.4, 10.2)]))
    wanted = np.zeros(SIDES, dtype=bool)
    wanted[4:9, 11:21] = True
    np.testing.assert_array_equal(mask, wanted)


def test_a_square_around_a_pixel_holds_it_alone():
    mask = held(pixel_square("A", 7, 9))
    assert list(zip(*np.nonzero(mask), strict=True)) == [(7, 9)]


def test_a_rotated_rectangle_holds_what_its_own_axes_say():
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    corners = np.array([(-6.3, -9.1), (-6.3, 9.1), (6.3, 9.1), (6.3, -9.1)]) @ turn.T + (25, 35)
    own = (centres() - (25, 35)) @ turn
    np.testing.assert_array_equal(
        held(Shape("A", "rectangle", corners)),
        (np.abs(own[..., 0]) <= 6.3) & (np.abs(own[..., 1]) <= 9.1),
    )


def test_an_ellipse_holds_what_its_equation_says():
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    corners = np.array([(-6.3, -9.1), (-6.3, 9.1), (6.3, 9.1), (6.3, -9.1)]) @ turn.T + (25, 35)
    own = (centres() - (25, 35)) @ turn
    np.testing.assert_array_equal(
        held(Shape("A", "ellipse", corners)),
        np.square(own / (6.3, 9.1)).sum(-1) <= 1,
    )


def test_a_polygon_counts_crossings():
    corners = [(4.6, 5.3), (4.6, 45.3), (39.6, 45.3), (20.1, 25.3), (39.6, 5.3)]
    mask = held(Shape("A", "polygon", corners))
    assert mask[10, 25]
    assert not mask[35, 25]
    assert mask[30, 10]
    assert mask.sum() == pytest.approx(35 * 40 - 20 * 19.5, rel=0.02)


def test_a_shape_over_the_edge_holds_what_is_in_the_image():
    mask = held(Shape("A", "rectangle", [(-9, -9), (-9, 4.5), (3.5, 4.5), (3.5, -9)]))
    wanted = np.zeros(SIDES, dtype=bool)
    wanted[:4, :5] = True
    np.testing.assert_array_equal(mask, wanted)


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "line"])
def test_outside_is_said(kind):
    corners = [(60.0, 3), (60, 9), (66, 9), (66, 3)][: 2 if kind == "line" else 4]
    with pytest.raises(ValueError, match="A lies outside the image"):
        Shape("A", kind, corners).box(SIDES)


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "polygon"])
def test_too_small_is_said(kind):
    shape = Shape("A", kind, [(3.2, 3.2), (3.2, 3.4), (3.4, 3.4), (3.4, 3.2)])
    with pytest.raises(ValueError, match="the centre of no pixel"):
        shape.mask(*shape.box(SIDES))


def test_a_flat_ellipse_is_no_crash():
    shape = Shape("A", "ellipse", [(3, 3), (3, 9), (3, 9), (3, 3)])
    with pytest.raises(ValueError, match="the centre of no pixel"):
        shape.mask(*shape.box(SIDES))


@pytest.mark.parametrize(
    ("kind", "corners"), [("star", [(0, 0)] * 5), ("polygon", [(0, 0), (1, 1)]), ("line", [3, 4])]
)
def test_nonsense_is_refused(kind, corners):
    with pytest.raises(ValueError, match="corners of shape"):
        Shape("A", kind, corners)
