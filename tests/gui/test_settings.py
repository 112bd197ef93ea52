"""Defaults that the user keeps in napari's preferences."""

import logging

import napari.settings
import pytest
from npe2 import PluginManifest

from napari_credible.gui import settings as room
from napari_credible.gui.settings import default_recipe
from napari_credible.gui.widget import DenoiseWidget
from napari_credible.recipe import Recipe

kept_by_napari = pytest.mark.skipif(
    not hasattr(napari.settings, "get_plugin_settings"), reason="napari keeps none before 0.9"
)


@pytest.fixture
def stored(request):
    """The preferences of this plugin, in a folder of this test."""
    request.getfixturevalue("plugin_settings")
    # napari's test fixture keeps them elsewhere than beside its own settings.
    request.getfixturevalue("monkeypatch").setattr(room, "_untouched", lambda: False)
    manager = request.getfixturevalue("npe2pm")
    manager.register(PluginManifest.from_distribution("napari-credible"))
    return napari.settings.get_plugin_settings("napari-credible")


@kept_by_napari
def test_untouched_preferences_are_the_plain_recipe(stored):
    assert default_recipe() == Recipe()


@kept_by_napari
def test_preferences_are_kept_and_used(stored, make_napari_viewer):
    stored.defaults.denoiser = "tv"
    stored.defaults.memory = 2.5
    stored.defaults.device = "cpu"
    assert "denoiser: tv" in stored.config_path.read_text()
    assert default_recipe() == Recipe(denoiser="tv", memory=2.5, device="cpu")
    widget = DenoiseWidget(make_napari_viewer())
    assert widget.controls.fields["denoiser"].value == "tv"
    assert widget.recipe().memory == 2.5
    widget.close()


def test_preferences_are_asked_for_where_napari_wrote_some(tmp_path, monkeypatch):
    """They lie beside napari's own settings, as napari says."""
    kept = napari.settings.NapariSettings(config_path=tmp_path / "settings.yaml")
    monkeypatch.setattr(napari.settings, "get_settings", lambda: kept)
    assert room._untouched()
    (tmp_path / "napari-credible.yaml").write_text("defaults: {}")
    assert not room._untouched()


@kept_by_napari
def test_a_value_outside_is_refused_with_what_is_allowed(stored):
    with pytest.raises(ValueError, match="allowed enum values"):
        stored.defaults.precision = "half"
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        stored.defaults.memory = -1


def test_a_stored_value_that_no_longer_fits_is_said_and_left(monkeypatch, caplog):
    monkeypatch.setattr(room, "_stored", lambda: {"precision": "half", "denoiser": "tv"})
    with caplog.at_level(logging.WARNING, "napari_credible"):
        assert default_recipe() == Recipe(denoiser="tv")
    assert "precision is not used" in caplog.text
    assert "give one of auto, float32, bfloat16" in caplog.text
