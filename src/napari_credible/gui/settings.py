"""Defaults that the user keeps in napari's preferences."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from napari_credible.recipe import Recipe

_LOG = logging.getLogger("napari_credible")
# What the preferences show for a field that is left to the program.
FASTEST, AUTOMATIC = "fastest", 0.0


def default_recipe() -> Recipe:
    """Return a recipe with the defaults of Preferences > Plugins > Credible.

    A stored value that no longer fits is reported in the log and left at its default; napari
    before 0.9 keeps no settings for plugins, and everything is at its default there.
    """
    recipe = Recipe()
    for name, value in _stored().items():
        try:
            recipe = recipe.replace(**{name: value})
        except ValueError as error:
            _LOG.warning("the setting %s is not used: %s", name, error)
    return recipe


def scratch_folder() -> str | None:
    """Return where draws that are too large for memory go; None is the system's folder."""
    return _kept("scratch") or None


def _kept(name: str) -> Any:
    """Return one stored value; None where napari keeps none."""
    kept = _group()
    return None if kept is None else getattr(kept, name, None)


def _stored() -> dict[str, Any]:
    kept = _group()
    if kept is None:
        return {}
    return {
        "denoiser": kept.denoiser,
        "device": None if kept.device == FASTEST else kept.device,
        "precision": kept.precision,
        "memory": None if kept.memory == AUTOMATIC else kept.memory,
        "dtype": kept.dtype,
        "sampler": kept.sampler,
        "n_draws": kept.n_draws,
        "level": kept.level,
    }


def _group() -> Any:
    """Return the stored preferences, or None where napari keeps none."""
    if _untouched():
        return None
    try:
        from napari.settings import get_plugin_settings

        return get_plugin_settings("napari-credible").defaults
    except (ImportError, KeyError):
        return None


def _untouched() -> bool:
    """Return whether napari has never written a preference of this plugin.

    Asking napari for them reads the manifests of all plugins once more, a tenth of a second.
    """
    from napari.settings import get_settings

    kept = get_settings().config_path
    return bool(kept) and not (Path(kept).parent / "napari-credible.yaml").exists()
