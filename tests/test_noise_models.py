"""Laws of the noise models, with bars in standard errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impostors import AlgebraicInverse, AsymptoticInverse, InverseGain
from napari_credible.noise import Gaussian, PoissonGaussian, anscombe
from napari_credible.noise.models import model_from_dict

N = 400_000
MEANS = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)


def worst_bias(model, means=MEANS):
    """Return how many standard errors restore(E stabilise(draw(light))) is from light."""
    worst = 0.0
    for number, mean in enumerate(means):
        light = model.offset + model.gain * mean
        stabilised = model.stabilise(model.draw(np.full(N, light), rng=number))
        error = stabilised.std() / math.sqrt(N)
        at = stabilised.mean()
        slope = (model.restore(at + 0.01) - model.restore(at - 0.01)) / 0.02
        worst = max(worst, abs(model.restore(at) - light) / (slope * error))
    return float(worst)


RIGHT = [
    (1.0, 0.0, 0.0),
    (2.2, 100.0, 0.0),
    (2.2, 100.0, 1.6),
    (0.5, -3.0, 4.0),
    (69.0, 516.0, 34.0),
]


@pytest.mark.parametrize("numbers", RIGHT, ids=str)
def test_the_inverse_is_unbiased_from_a_tenth_of_a_photoelectron_up(numbers):
    assert worst_bias(PoissonGaussian(*numbers)) < 4


@pytest.mark.parametrize("impostor", [AlgebraicInverse, AsymptoticInverse])
def test_the_bar_rejects_biased_inverses(impostor):
    assert worst_bias(impostor(2.2, 100.0, 0.5)) > 40


@pytest.mark.parametrize("read", [0.0, 0.4, 1.0, 5.0, 40.0])
def test_the_inverse_undoes_the_exact_expectation(read):
    means = np.concatenate([[0.0], np.geomspace(0.01, 1e6, 60)])
    found = anscombe.inverse(anscombe.expectation(means, read), read)
    assert np.abs(found - means).max() < 1e-4 + 1e-9 * means.max()


@pytest.mark.parametrize("read", [0.0, 0.7, 6.0])
def test_the_expectation_is_that_of_draws(read):
    rng = np.random.default_rng(1)
    for mean in (0.0, 0.2, 4.0, 60.0):
        values = anscombe.forward(rng.poisson(mean, N) + read * rng.standard_normal(N), read)
        error = max(values.std(), 1e-9) / math.sqrt(N)
        assert abs(values.mean() - anscombe.expectation(mean, read)) < 4 * error


def test_summed_and_expanded_expectations_meet():
    below, above = (anscombe.expectation(150 + d, 1.0) for d in (-1e-6, 1e-6))
    assert abs(above - below) < 1e-5


@given(read=st.floats(0, 50), mean=st.floats(0, 1e4))
@settings(max_examples=60, deadline=None)
def test_a_map_agrees_with_its_value(read, mean):
    stabilised = np.full(4, anscombe.expectation(mean, read))
    found = anscombe.inverse(stabilised, np.full(4, read))
    assert np.abs(found - mean).max() < 2e-4 + 1e-8 * mean


def test_the_inverse_rises():
    values = np.linspace(0, 40, 4001)
    for read in (0.0, 0.5, 5.0):
        assert (np.diff(anscombe.inverse(values, read)) >= 0).all()


def test_photon_counts_come_back_non_negative():
    assert (PoissonGaussian(1.0).restore(np.linspace(-1, 5, 100)) >= 0).all()


@pytest.mark.parametrize("mean", [3.0, 10.0, 300.0])
@pytest.mark.parametrize("numbers", RIGHT, ids=str)
def test_stabilised_noise_has_standard_deviation_one(numbers, mean):
    model = PoissonGaussian(*numbers)
    light = np.full(N, model.offset + model.gain * mean)
    assert model.stabilise(model.draw(light, 3)).std() == pytest.approx(1, abs=0.05)


def test_the_bar_rejects_an_inverted_gain():
    model = InverseGain(2.2, 100.0, 1.6)
    light = np.full(N, model.offset + model.gain * 10.0)
    assert abs(model.stabilise(model.draw(light, 3)).std() - 1) > 0.5


@pytest.mark.parametrize(
    "model", [Gaussian(3.0), PoissonGaussian(2.0, 100.0, 5.0), PoissonGaussian(0.3)], ids=repr
)
def test_draws_have_the_mean_and_variance_of_the_model(model):
    light = np.full(N, 160.0)
    draws = model.draw(light, np.random.default_rng(2))
    variance = model.variance(light)[0]
    assert abs(draws.mean() - 160) < 4 * math.sqrt(variance / N)
    assert abs(draws.var() / variance - 1) < 4 * math.sqrt(2.2 / N)


def test_the_same_seed_draws_the_same():
    model = PoissonGaussian(2.0, 100.0, 5.0)
    light = np.full((8, 8), 300.0)
    np.testing.assert_array_equal(model.draw(light, 7), model.draw(light, 7))
    assert (model.draw(light, 7) != model.draw(light, 8)).any()


def test_per_pixel_maps_act_pixel_by_pixel():
    gain = np.array([[1.0, 2.0], [3.0, 4.0]])
    read = np.array([[0.0, 1.0], [2.0, 9.0]])
    counts = np.array([[5.0, 110.0], [140.0, 500.0]])
    whole = PoissonGaussian(gain, 3.0, read)
    for place in np.ndindex(2, 2):
        single = PoissonGaussian(gain[place], 3.0, read[place])
        stabilised = single.stabilise(counts[place])
        assert whole.stabilise(counts)[place] == pytest.approx(float(stabilised))
        assert whole.restore(whole.stabilise(counts))[place] == pytest.approx(
            float(single.restore(stabilised)), abs=4e-4 * gain[place]
        )


def test_gaussian_round_trip_is_exact():
    model = Gaussian(np.array([[1.0, 2.0]]))
    values = np.array([[-3.0, 8.0]])
    np.testing.assert_allclose(model.restore(model.stabilise(values)), values, rtol=1e-15)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Gaussian(0), "sigma is 0.0; give a finite number|sigma is 0.0; give a number"),
        (lambda: Gaussian(float("nan")), "sigma is nan"),
        (lambda: PoissonGaussian(-1), "gain is -1.0"),
        (lambda: PoissonGaussian(1, 0, -2), "read_noise is -2.0"),
        (lambda: PoissonGaussian("one"), "gain is 'one'"),
        (lambda: PoissonGaussian(np.array([1.0, -4.0])), "gain is -4.0"),
        (lambda: model_from_dict({"kind": "Poisson"}), "kind 'Poisson'; give one of Gaussian"),
        (lambda: model_from_dict({"kind": "Gaussian", "s": 1}), "Gaussian has no s; it has sigma"),
    ],
)
def test_a_wrong_number_is_refused_in_a_sentence(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_models_compare_by_their_numbers():
    assert Gaussian(2) == Gaussian(2.0)
    assert PoissonGaussian(np.ones((2, 2))) == PoissonGaussian(np.ones((2, 2)))
    assert PoissonGaussian(1.0) != PoissonGaussian(2.0)
    assert len({Gaussian(2), Gaussian(2.0), Gaussian(3)}) == 2
