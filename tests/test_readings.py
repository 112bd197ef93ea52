"""What the inspector shows is what Posterior answers, to the last digit."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from napari_credible import comparing, readings, readout
from napari_credible.answers import NO_DRAWS, Question
from napari_credible.flags import Flag
from napari_credible.posterior import Posterior
from napari_credible.section import Section
from napari_credible.shapes import Shape, pixel_square
from napari_credible.streamed import Streamed

ASKED = Question(0.9, 5.0)
SIDES = (40, 60)


def ended(going):
    """Exhaust a generator and return what it returns."""
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def in_place(axes, sizes, n_draws=20):
    """Return a section of an image with these axes, and the draws of its plane (n, Y, X)."""
    rng = np.random.default_rng(4)
    shape = tuple(sizes[a] for a in axes)
    draws = rng.normal(5, 1, (n_draws, *shape)).astype(np.float32)
    place = tuple(1 if a not in "YX" else 0 for a in axes)
    measured = rng.normal(5, 2, shape).astype(np.float32)
    section = Section(
        Posterior(draws, 3.5, 1.2), measured, np.zeros(shape, np.uint8), axes, place, "ADU",
        (0.5, 0.5), "µm",
    )  # fmt: skip
    here = tuple(slice(None) if a in "YX" else 1 for a in axes)
    plane, seen = draws[(slice(None), *here)], measured[here]
    if axes.index("X") < axes.index("Y"):
        plane, seen = plane.swapaxes(1, 2), seen.T
    return section, Posterior(plane, 3.5, 1.2), seen


SIZES = {"T": 3, "C": 2, "S": 3, "Y": SIDES[0], "X": SIDES[1]}
AXES = ("YX", "TYX", "TCYX", "YXS", "XY", "XTY")
TRIANGLE = Shape("A", "polygon", [(3.2, 4.1), (30.7, 10.2), (12.1, 50.9)])
DISC = Shape("B", "ellipse", [(5, 20), (5, 40), (35, 40), (35, 20)])


@pytest.mark.parametrize("axes", AXES)
def test_a_pixel_reads_as_the_posterior_says(axes):
    section, plane, seen = in_place(axes, SIZES)
    mean, std = plane.mean, plane.std
    lower, upper = plane.interval(0.9)
    above, error = plane.exceedance(5.0), plane.exceedance_error(5.0)
    for row, column in [(0, 0), (17, 33), (39, 59), (0, 59)]:
        (q,) = readings.pixel(section, row, column, ASKED).quantities
        at = (row, column)
        found = (q.estimate, q.std, q.lower, q.upper, q.above, q.above_error, q.measured)
        wanted = [m[at] for m in (mean, std, lower, upper, above, error, seen)]
        assert found == tuple(map(float, wanted))
        np.testing.assert_array_equal(q.draws, plane.draws[:, row, column])


def test_every_pixel_reads_as_the_posterior_says():
    section, plane, _ = in_place("YX", {"Y": 9, "X": 7}, n_draws=33)
    found = [
        readings.pixel(section, row, column, ASKED).quantities[0]
        for row, column in np.ndindex(9, 7)
    ]
    np.testing.assert_array_equal([q.estimate for q in found], plane.mean.ravel())
    np.testing.assert_array_equal([q.std for q in found], plane.std.ravel())


def test_a_pixel_of_a_column_that_is_alone_can_be_read():
    section, plane, _ = in_place("YX", {"Y": 5, "X": 1})
    (q,) = readings.pixel(section, 3, 0, ASKED).quantities
    assert q.estimate == pytest.approx(float(plane.mean[3, 0]), rel=1e-7)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("drawn", [TRIANGLE, DISC, pixel_square("A", 4, 9)], ids=lambda s: s.kind)
def test_a_shape_reads_as_the_posterior_says(axes, drawn):
    section, plane, seen = in_place(axes, SIZES)
    mask = np.zeros(SIDES, dtype=bool)
    box = drawn.box(SIDES)
    mask[box] = drawn.mask(*box)
    reading = ended(readings.shape(section, drawn, ASKED))
    wanted = [
        plane.mean_over(mask), plane.sum_over(mask), plane.max_over(mask),
        plane.area_above(5.0, mask),
    ]  # fmt: skip
    assert [q.name for q in reading.quantities] == ["mean", "sum", "maximum", "area above 5"]
    for q, posterior in zip(reading.quantities, wanted, strict=True):
        lower, upper = posterior.interval(0.9)
        np.testing.assert_array_equal(q.draws, posterior.draws)
        assert (q.estimate, q.std) == (float(posterior.mean), float(posterior.std))
        assert (q.lower, q.upper) == (float(lower), float(upper))
        if q.threshold is not None:
            assert q.above == float(posterior.exceedance(5.0))
            assert q.above_error == float(posterior.exceedance_error(5.0))
    assert reading.quantities[1].measured == pytest.approx(seen[mask].sum(dtype=float), rel=1e-6)
    assert f"of {mask.sum()} pixel" in reading.title


def test_without_a_threshold_there_is_no_area():
    section, _, _ = in_place("YX", SIZES)
    reading = ended(readings.shape(section, DISC, Question(0.8)))
    assert [q.name for q in reading.quantities] == ["mean", "sum", "maximum"]
    assert all(math.isnan(q.above) for q in reading.quantities)


@pytest.mark.parametrize("axes", AXES)
def test_a_line_reads_as_the_posterior_says(axes):
    section, plane, _ = in_place(axes, SIZES)
    line = Shape("A", "line", [(3.5, 4.25), (30.0, 51.0)])
    found = ended(readings.shape(section, line, ASKED, width=3)).profile
    wanted = plane.profile((3.5, 4.25), (30.0, 51.0), 3)
    np.testing.assert_array_equal(found.posterior.draws, wanted.draws)
    np.testing.assert_array_equal(found.estimate, wanted.mean)
    np.testing.assert_array_equal((found.lower, found.upper), wanted.interval(0.9))
    assert found.distance[-1] == pytest.approx(0.5 * math.hypot(26.5, 46.75))
    assert found.distance_unit == "µm"


def test_a_path_joins_its_pieces():
    section, plane, _ = in_place("YX", SIZES)
    path = Shape("A", "path", [(3, 4), (3, 14), (13, 14)])
    found = ended(readings.profile(section, path, ASKED)).profile
    np.testing.assert_allclose(found.distance, np.arange(21) * 0.5)
    wanted = [plane.draws[:, 3, 4:15], plane.draws[:, 4:14, 14]]
    np.testing.assert_allclose(found.posterior.draws, np.concatenate(wanted, 1), rtol=1e-6)


def test_a_profile_of_draws_that_are_elsewhere_reads_what_it_touches():
    """Interpolation at shifted coordinates differs in the last bits of float64 alone."""
    dask = pytest.importorskip("dask.array")
    section, plane, _ = in_place("YX", SIZES)
    lazy = replace(section, measured=dask.from_array(section.measured, chunks=16))
    line = Shape("A", "line", [(3.5, 44.25), (30.0, 51.0)])
    found = ended(readings.profile(lazy, line, ASKED, width=3)).profile
    wanted = plane.profile((3.5, 44.25), (30.0, 51.0), 3)
    np.testing.assert_allclose(found.posterior.draws, wanted.draws, rtol=1e-11)


def test_a_comparison_counts_the_draws():
    section, plane, seen = in_place("YX", SIZES)
    other = Shape("B", "rectangle", [(20, 2), (20, 12), (36, 12), (36, 2)])
    reading = ended(comparing.comparison(section, TRIANGLE, other, Question(0.9)))
    masks = []
    for drawn in (TRIANGLE, other):
        mask = np.zeros(SIDES, dtype=bool)
        mask[drawn.box(SIDES)] = drawn.mask(*drawn.box(SIDES))
        masks.append(mask)
    a, b = (plane.mean_over(mask).draws for mask in masks)
    ratio, difference, *means = reading.quantities
    assert difference.above == np.float32(np.mean(a > b))
    assert difference.above_error == float(Posterior(a - b).exceedance_error(0.0))
    np.testing.assert_allclose(ratio.draws, (a - 3.5) / (b - 3.5), rtol=1e-12)
    assert [m.estimate for m in means] == [float(np.float32(a.mean())), float(np.float32(b.mean()))]
    assert ratio.measured == pytest.approx((seen[masks[0]].mean() - 3.5)
                                           / (seen[masks[1]].mean() - 3.5), rel=1e-5)  # fmt: skip
    assert "offset of 3.5" in reading.notes[-1]
    assert f"{difference.above:.2f}" in reading.headline


def test_a_ratio_to_nothing_is_declined():
    section, _, _ = in_place("YX", SIZES)
    posterior = replace(section.posterior, draws=section.posterior.draws - 5, lowest=-math.inf)
    reading = ended(comparing.comparison(replace(section, posterior=posterior), TRIANGLE,
                                        pixel_square("B", 0, 0), ASKED))  # fmt: skip
    assert reading.quantities[0].name == "A − B"
    assert "No ratio" in reading.notes[-1]


def test_pixels_without_draws_are_left_out_and_said():
    section, plane, _ = in_place("YX", SIZES)
    section.posterior.draws[:, 10, 25] = np.nan
    section.flags[10, 25] = Flag.SATURATED
    box = DISC.box(SIDES)
    mask = np.zeros(SIDES, dtype=bool)
    mask[box] = DISC.mask(*box)
    assert mask[10, 25]
    mask[10, 25] = False
    reading = ended(readings.region(section, DISC, ASKED))
    np.testing.assert_array_equal(reading.quantities[0].draws, plane.mean_over(mask).draws)
    assert reading.notes[0].startswith("1 of its pixels")
    with pytest.raises(ValueError, match="only pixels that are saturated"):
        ended(readings.region(section, pixel_square("A", 10, 25), ASKED))
    assert "SATURATED" in readings.pixel(section, 10, 25, ASKED).notes[0]


def streamed(section, level=0.9, threshold=5.0):
    draws = section.posterior.draws
    kept = Streamed(draws.shape[1:], len(draws), level, threshold, 3.5, 1.2)
    for draw in draws:
        kept.add(draw)
    return replace(section, posterior=kept)


@pytest.mark.parametrize("axes", AXES)
def test_maps_answer_what_they_can(axes):
    section, _, _ = in_place(axes, SIZES)
    maps = streamed(section)
    key = section.key(slice(17, 18), slice(33, 34))
    (q,) = (reading := readings.pixel(maps, 17, 33, ASKED)).quantities
    wanted = [
        maps.posterior.mean, maps.posterior.std, *maps.posterior.interval(0.9),
        maps.posterior.exceedance(5.0), maps.posterior.exceedance_error(5.0),
    ]  # fmt: skip
    found = (q.estimate, q.std, q.lower, q.upper, q.above, q.above_error)
    assert found == tuple(float(w[key].item()) for w in wanted)
    assert q.draws is None
    assert "keep='draws'" in reading.notes[-1]


def test_maps_say_what_they_cannot_answer():
    maps = streamed(in_place("YX", SIZES)[0])
    reading = readings.pixel(maps, 17, 33, Question(0.5, 7.0))
    (q,) = reading.quantities
    assert math.isnan(q.lower)
    assert math.isnan(q.above)
    assert not math.isnan(q.estimate)
    assert any("0.5 needs more draws" in note for note in reading.notes)
    assert any("7.0 was not counted" in note for note in reading.notes)
    region = ended(readings.region(maps, DISC, ASKED))
    assert [q.name for q in region.quantities] == ["mean", "sum"]
    assert math.isnan(region.quantities[0].std)
    assert region.notes[-1] == NO_DRAWS
    for asked in (
        readings.profile(maps, Shape("A", "line", [(3, 4), (9, 9)]), ASKED),
        comparing.comparison(maps, DISC, TRIANGLE, ASKED),
    ):
        with pytest.raises(ValueError, match="Only the maps were kept"):
            ended(asked)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kept", ["draws", "maps"])
def test_a_part_that_was_loaded_reads_the_same(axes, kept):
    section, _, _ = in_place(axes, {**SIZES, "Y": 300, "X": 280}, n_draws=8)
    if kept == "maps":
        section = streamed(section)
    loaded = section.loaded(270, 130, ASKED)
    assert loaded.at_hand
    assert loaded.holds(270, 130)
    assert not loaded.holds(255, 130)
    for row, column in [(270, 130), (299, 0), (256, 255)]:
        one, two = (readings.pixel(s, row, column, ASKED) for s in (section, loaded))
        assert one.title == two.title
        a, b = one.quantities[0], two.quantities[0]
        assert asdict(replace(a, draws=None)) == asdict(replace(b, draws=None))


def test_a_table_keeps_every_digit(tmp_path):
    section, _, _ = in_place("YX", SIZES)
    reading = ended(readings.region(section, DISC, ASKED))
    path = tmp_path / "shown.csv"
    path.write_text(readout.csv(reading, {"image": "cells"}), encoding="utf-8")
    table = np.genfromtxt(path, delimiter=",", comments="#", skip_header=7)
    for column, q in enumerate(reading.quantities, start=1):
        np.testing.assert_array_equal(table[:, column].astype(q.draws.dtype), q.draws)
    assert "# image: cells" in path.read_text(encoding="utf-8")
    mean = reading.quantities[0]
    assert f"lower 0.9 {mean.lower:.9g}" in path.read_text(encoding="utf-8")


def test_a_profile_is_a_table_too():
    section, _, _ = in_place("YX", SIZES)
    reading = ended(readings.profile(section, Shape("A", "line", [(3, 4), (3, 9)]), ASKED))
    lines = readout.csv(reading, {}).splitlines()
    assert lines[1] == "distance (µm),input (ADU),mean (ADU),lower 0.9 (ADU),upper 0.9 (ADU)"
    assert np.float32(lines[3].split(",")[2]) == reading.profile.estimate[1]


@pytest.mark.parametrize(
    ("value", "spread", "wanted"),
    [(1234.5678, 0.32, "1234.57"), (1234.5678, 45, "1235"), (0.00123456, 2e-5, "0.001235"),
     (3.0, 0.0, "3"), (math.nan, 1.0, "–"), (2.5, math.nan, "2.5"), (3e12, 1e10, "3e+12")],
)  # fmt: skip
def test_digits_end_where_the_spread_begins(value, spread, wanted):
    assert readout.shown(value, spread) == wanted
