"""What is said about draws: intervals that hold what they promise, maps, regions, their errors."""

import math

import numpy as np
import pytest
from scipy.stats import gamma, norm

from napari_credible import bounds
from napari_credible.posterior import Posterior
from napari_credible.streamed import Streamed

PIXELS = 40_000


@pytest.fixture(scope="module")
def draws():
    """60 draws of a 6 x 7 plane, pixels depending on each other."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(60, 1, 1))
    return (5 + rng.normal(size=(60, 6, 7)) + 2 * shared).astype(np.float32)


@pytest.mark.parametrize("n", [4, 8, 16, 24, 64, 200])
def test_an_interval_holds_a_further_draw_as_often_as_it_says(n):
    """4 standard errors, and 0.6 % for the interpolation between order statistics."""
    rng = np.random.default_rng(n)
    found, truth = rng.standard_normal((n, PIXELS)), rng.standard_normal(PIXELS)
    for level in (0.5, 0.8, 0.9, 0.95):
        held = share(Posterior(found).interval(level), truth)
        assert abs(held - level) < slack(level) + 0.006


@pytest.mark.parametrize(("n", "level"), [(19, 0.9), (39, 0.9), (39, 0.8), (99, 0.5)])
def test_it_does_whatever_the_law_where_the_rank_is_whole(n, level):
    rng = np.random.default_rng(n)
    found, truth = rng.standard_gamma(0.5, (n, PIXELS)), rng.standard_gamma(0.5, PIXELS)
    lower, upper = Posterior(found).interval(level)
    assert abs(share((lower, upper), truth) - level) < slack(level)


@pytest.mark.parametrize("n", [8, 24])
def test_plain_quantiles_are_too_sure(n):
    """The impostor: what is often taken for an interval."""
    rng = np.random.default_rng(n)
    found, truth = rng.standard_normal((n, PIXELS)), rng.standard_normal(PIXELS)
    plain = Posterior(found).quantile([0.05, 0.95])
    assert share(plain, truth) < 0.9 - 10 * slack(0.9)
    if n == 24:
        assert share(plain, truth) == pytest.approx(0.83, abs=0.01)


def share(interval, truth):
    lower, upper = interval
    return float(((truth >= lower) & (truth <= upper)).mean())


def slack(level):
    return 4 * math.sqrt(level * (1 - level) / PIXELS)


def test_intervals_of_skew_draws_are_asymmetric():
    rng = np.random.default_rng(3)
    posterior = Posterior(rng.standard_gamma(2, (400, 1000)), lowest=0.0)
    lower, upper = (bound.mean() for bound in posterior.interval(0.9))
    assert lower == pytest.approx(gamma.ppf(0.05, 2), abs=0.03)
    assert upper == pytest.approx(gamma.ppf(0.95, 2), abs=0.06)


def test_intervals_end_where_nothing_can_be():
    rng = np.random.default_rng(3)
    few = rng.standard_gamma(0.5, (4, 1000))
    assert Posterior(few).interval(0.9)[0].min() < 0
    assert Posterior(few, lowest=0.0).interval(0.9)[0].min() == 0
    assert Posterior(few, lowest=0.0, widen=10).interval(0.9)[0].min() == 0


def test_widen_moves_both_bounds_away_from_the_mean(draws):
    plain, wide = Posterior(draws), Posterior(draws, widen=1.5)
    for bound, far in zip(plain.interval(0.8), wide.interval(0.8), strict=True):
        np.testing.assert_allclose(far - wide.mean, 1.5 * (bound - plain.mean), rtol=1e-4)


@pytest.mark.parametrize("n", [2, 5, 16, 60])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_streamed_maps_equal_those_of_kept_draws(draws, n, level):
    kept = Posterior(draws[:n], lowest=3.0, widen=1.2)
    streamed = Streamed((6, 7), 60, level, threshold=5.0, lowest=3.0, widen=1.2)
    for draw in draws[:n]:
        streamed.add(draw)
    assert streamed.n_draws == n
    for name in ("mean", "std", "mean_error", "std_error"):
        np.testing.assert_allclose(getattr(streamed, name), getattr(kept, name), rtol=2e-7)
    np.testing.assert_array_equal(streamed.exceedance(5.0), kept.exceedance(5.0))
    np.testing.assert_array_equal(streamed.exceedance_error(), kept.exceedance_error(5.0))
    for own, other in zip(streamed.interval(), kept.interval(level), strict=True):
        np.testing.assert_allclose(own, other, rtol=3e-7)
    assert streamed.more_draws() == kept.more_draws()


def test_a_stream_does_not_lose_a_small_spread_on_a_large_mean():
    rng = np.random.default_rng(0)
    found = 1e5 + rng.normal(size=(50, 9)).astype(np.float32)
    streamed = Streamed((9,), 50)
    for draw in found:
        streamed.add(draw)
    np.testing.assert_allclose(streamed.std, found.std(0, ddof=1, dtype=np.float64), rtol=1e-6)


def test_a_stream_says_what_it_did_not_keep(draws):
    streamed = Streamed((6, 7), 60, 0.9, threshold=5.0)
    with pytest.raises(ValueError, match="no spread yet"):
        streamed.std  # noqa: B018
    for draw in draws:
        streamed.add(draw)
    assert streamed.interval(0.95)[0].shape == (6, 7)
    with pytest.raises(ValueError, match="ask for at least"):
        streamed.interval(0.5)
    with pytest.raises(ValueError, match="was not counted"):
        streamed.exceedance(4.0)
    for name in ("draws", "components", "mean_over", "quantile"):
        with pytest.raises(AttributeError, match="keep='draws'"):
            getattr(streamed, name)
    with pytest.raises(AttributeError):
        streamed.nonsense  # noqa: B018


def test_exceedance_and_its_error_are_those_of_a_share():
    rng = np.random.default_rng(1)
    repeats, n = 4000, 30
    found = rng.standard_normal((n, repeats))
    posterior = Posterior(found)
    truth = norm.sf(0.5)
    share = posterior.exceedance(0.5)
    assert share.mean() == pytest.approx(truth, abs=4 * float(share.std()) / math.sqrt(repeats))
    measured = share.std()
    assert posterior.exceedance_error(0.5).mean() == pytest.approx(measured, rel=0.05)
    sure = Posterior(np.ones((n, 2)))
    assert (sure.exceedance(0.5) == 1).all()
    assert (sure.exceedance_error(0.5) > 0.01).all()


def test_the_maps_own_errors_are_those_of_repeated_runs():
    rng = np.random.default_rng(2)
    n, repeats = 20, 4000
    posterior = Posterior(rng.standard_normal((n, repeats)))
    assert posterior.mean.std() == pytest.approx(posterior.mean_error.mean(), rel=0.05)
    assert posterior.std.std() == pytest.approx(posterior.std_error.mean(), rel=0.05)
    many = Posterior(rng.standard_normal((100, repeats)))
    lower, upper = many.interval(0.8)
    for bound in (lower, upper):
        assert bound.std() == pytest.approx(many.interval_error(0.8).mean(), rel=0.1)


def test_how_many_more_draws():
    assert Posterior(np.zeros((16, 2))).more_draws(0.05) == 201 - 16
    assert Posterior(np.zeros((201, 2))).more_draws(0.05) == 0
    rng = np.random.default_rng(2)
    std = Posterior(rng.standard_normal((201, 4000))).std
    assert std.std() / std.mean() == pytest.approx(0.05, rel=0.05)


def test_components_are_those_of_a_known_covariance():
    """Two images of variance 9 and 4 over white noise of variance 0.01."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(48, 2)))[0].T
    weights = rng.normal(size=(500, 2)) * (3, 2)
    found = weights @ basis + 0.1 * rng.normal(size=(500, 48))
    components = Posterior(found.reshape(500, 6, 8)).components(2)
    # The standard error of a variance is sqrt(2 / n) of it.
    np.testing.assert_allclose(components.variances, (9.01, 4.01), rtol=4 * math.sqrt(2 / 500))
    assert components.share == pytest.approx(13 / (13 + 0.01 * 48), abs=0.01)
    for image, true in zip(components.images.reshape(2, 48), basis, strict=True):
        assert abs(image @ true) > 0.98
        assert image[np.abs(image).argmax()] > 0
    assert len(Posterior(found[:3]).components(5).images) == 2


def test_region_questions(draws):
    posterior = Posterior(draws)
    mask = np.zeros((6, 7), bool)
    mask[1:4, 2:5] = True
    for name, function in (("mean_over", np.mean), ("sum_over", np.sum), ("max_over", np.max)):
        found = getattr(posterior, name)(mask)
        wanted = [function(draw[mask].astype(float)) for draw in draws]
        np.testing.assert_allclose(found.draws, wanted, rtol=1e-6)
    area = posterior.area_above(5.0, mask)
    np.testing.assert_array_equal(area.draws, (draws[:, mask] > 5).sum(1))
    line = posterior.profile((2, 0), (2, 6))
    np.testing.assert_allclose(line.draws, draws[:, 2], rtol=1e-6)
    spread = posterior.of(lambda draw: draw.std())
    assert spread.draws.shape == (60,)


def test_a_regions_spread_counts_what_pixels_share(draws):
    """Adding up the pixels' own variances, as if they were independent, is an impostor."""
    mask = np.ones((6, 7), bool)
    found = Posterior(draws).mean_over(mask)
    assert float(found.std) == pytest.approx(math.sqrt(4 + 1 / 42), rel=4 / math.sqrt(120))
    alone = float(np.sqrt(np.square(Posterior(draws).std.astype(float)).sum())) / 42
    assert alone < float(found.std) / 4


def test_a_mask_of_a_plane_serves_a_stack(draws):
    stack = np.stack([draws, draws + 1], 1)
    mask = np.zeros((6, 7), bool)
    mask[0, 0] = True
    found = Posterior(stack).mean_over(mask).draws
    np.testing.assert_allclose(found, draws[:, 0, 0] + 0.5, rtol=1e-6)


def test_pixels_without_a_number_stay_without(draws):
    holed = draws.copy()
    holed[:, 2, 3] = np.nan
    kept, streamed = Posterior(holed), Streamed((6, 7), 60, 0.9, threshold=5.0)
    for draw in holed:
        streamed.add(draw)
    for posterior in (kept, streamed):
        maps = [posterior.mean, posterior.std, *posterior.interval(0.9), posterior.exceedance(5.0)]
        for found in maps:
            assert np.isnan(found[2, 3])
            assert np.isfinite(np.delete(found.ravel(), 2 * 7 + 3)).all()
    whole = Posterior(draws).components(2)
    holed_components = kept.components(2)
    assert np.isfinite(holed_components.variances).all()
    np.testing.assert_allclose(holed_components.variances[0], whole.variances[0], rtol=0.1)
    assert np.isnan(holed_components.images[:, 2, 3]).all()


def test_regions_leave_out_pixels_that_were_not_drawn(draws):
    holed = draws.copy()
    holed[:, 2, 3] = np.nan
    mask = np.zeros((6, 7), bool)
    mask[2, 3:5] = True
    np.testing.assert_allclose(Posterior(holed).mean_over(mask).draws, draws[:, 2, 4], rtol=1e-6)
    mask[2, 4] = False
    with pytest.raises(ValueError, match="no pixel of the mask was drawn"):
        Posterior(holed).mean_over(mask)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: Posterior(np.zeros((1, 4, 4))), "at least two draws"),
        (lambda p: Posterior(3.0), "at least two draws"),
        (lambda p: p.interval(1.0), "between 0 and 1"),
        (lambda p: p.interval(90), "such as 0.9"),
        (lambda p: p.components(0), "at least one component"),
        (lambda p: p.mean_over(np.ones((3, 3), bool)), "shape"),
        (lambda p: p.mean_over(np.ones((6, 7))), "booleans"),
        (lambda p: p.mean_over(np.zeros((6, 7), bool)), "at least one True"),
        (lambda p: p.more_draws(5), "share between 0 and 1"),
        (lambda p: Posterior(p.draws[:, None]).profile((0, 0), (1, 1)), "choose"),
        (lambda p: bounds.rank(float("nan"), 5), "between 0 and 1"),
    ],
)
def test_bad_questions_get_a_sentence(draws, call, sentence):
    with pytest.raises(ValueError, match=sentence) as found:
        call(Posterior(draws))
    assert "\n" not in str(found.value)
