"""A parameter is declared once, and everything that shows it is drawn from there."""

import dataclasses
import json
from pathlib import Path

import pytest
import typer
import yaml

import napari_credible
from napari_credible.__main__ import app
from napari_credible.knob import Choice, Knob, knobs
from napari_credible.recipe import Recipe

DECLARED = knobs(Recipe)
MANIFEST = Path(napari_credible.__file__).parent / "napari.yaml"


# What is asked of whom, and what a factor rests on: no parameters.
UNDECLARED = {"method", "noise", "guarantee"}


def test_every_parameter_is_declared():
    assert {f.name for f in dataclasses.fields(Recipe)} - set(DECLARED) == UNDECLARED


@pytest.mark.parametrize("method", ["denoise", "sample", "spread"])
def test_the_command_line_has_an_option_for_each_that_the_method_reads(method):
    command = typer.main.get_command(app).commands[method]
    options = {o for parameter in command.params for o in parameter.opts}
    wanted = {f"--{name.replace('_', '-')}" for name in [*knobs(Recipe, method), "noise"]}
    assert wanted <= options
    others = set(DECLARED) - set(knobs(Recipe, method))
    assert not options & {f"--{name.replace('_', '-')}" for name in others}


def test_json_has_each():
    assert set(json.loads(Recipe().to_json())) == {*DECLARED, *UNDECLARED}


def test_the_preferences_offer_the_declared_words():
    """The manifest is YAML and cannot be drawn from Python: it is held to it here."""
    kept = yaml.safe_load(MANIFEST.read_text())["contributions"]["configurations"]["defaults"]
    drawn = {"sampler", "n_draws", "level"}
    wanted = set(knobs(Recipe, "denoise")) - {"seed"} | drawn
    assert set(kept["properties"]) == wanted | {"scratch"}
    for name, shown in kept["properties"].items():
        if name in drawn:
            assert shown["default"] == getattr(Recipe(), name)
        if isinstance(DECLARED.get(name), Choice):
            words = [*DECLARED[name].options()]
            assert set(shown["enum"]) - {"fastest"} == set(words)
            assert shown["default"] in (getattr(Recipe(), name), "fastest")


OUTSIDE = {"seed": -1, "memory": 0.0, "precision": "half", "dtype": "int3"}


@pytest.mark.parametrize("name", list(OUTSIDE))
def test_what_is_outside_is_refused_with_what_is_wanted(name):
    with pytest.raises(ValueError) as refusal:
        Recipe.of(**{name: OUTSIDE[name]})
    assert DECLARED[name].wanted() in str(refusal.value)


def test_a_knob_speaks_in_words():
    assert Knob(0, 1e30, "ADU", above=True).wanted() == "a number above 0, at most 1e+30 (ADU)"
    assert Knob(0, float("inf"), above=True).wanted() == "a finite number above 0"
    choice = Choice(lambda: {"a": "", "b": ""}, empty="the best")
    assert choice.wanted() == "one of a, b, or nothing for the best"
