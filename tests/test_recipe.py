"""A recipe is data: there and back, and nothing unknown slips in."""

import dataclasses

import numpy as np
import pytest

from napari_credible.noise import Gaussian, PoissonGaussian
from napari_credible.recipe import Recipe

RECIPES = [
    Recipe(),
    Recipe(noise=Gaussian(3.5), seed=7, denoiser="nlm", device="cpu", precision="float32"),
    Recipe(noise=PoissonGaussian(2.2, 100, np.arange(6.0).reshape(2, 3))),
    Recipe(noise=(Gaussian(1), PoissonGaussian(2))),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_json_there_and_back(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_replace_checks():
    assert Recipe().replace(seed=3) == dataclasses.replace(Recipe(), seed=3)
    with pytest.raises(ValueError, match="seed"):
        Recipe().replace(seed=-3)


def test_a_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"ndraws": 1}', "Recipe has no field ndraws; its fields are method, noise"),
        ('{"seed": -1}', "recipe field seed is -1"),
        ('{"seed": 1.5}', "recipe field seed is 1.5"),
        ('{"method": "guess"}', "recipe field method is 'guess'"),
        ('{"noise": {"kind": "Gaussian", "sigma": 0}}', "sigma is 0.0"),
        ('{"noise": 3}', "give Gaussian, PoissonGaussian"),
        ('{"noise": [null]}', "one noise model for each channel"),
        ("[]", "the recipe is a list"),
        ("{", "not JSON"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        Recipe.from_json(text)
    assert "\n" not in str(caught.value)
