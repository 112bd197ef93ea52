"""The controls of the Sample posterior widget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Shapes

from napari_credible.gui.area import AreaControls
from napari_credible.gui.layout import sentence
from napari_credible.recipe import Recipe
from napari_credible.samplers import ABOUT

# Nothing of it is shown: the maps have the numbers of the posterior.
_HIDDEN = ("dtype", "probes")
_FIRST = ("denoiser", "sampler", "n_draws", "level", "threshold")


class SampleControls(AreaControls):
    """Which part is sampled, by whom, how often; and a quick map of the view without draws.

    Parameters
    ----------
    recipe : Recipe
        To begin with.
    layers, shapes : callable
        Return the layers to choose from.
    """

    def __init__(
        self, recipe: Recipe, layers: Callable[..., Any], shapes: Callable[[], list[Shapes]]
    ) -> None:
        super().__init__(recipe, layers, shapes, "Sample")
        for name in _HIDDEN:
            self.fields.pop(name, None)
        self.fields["n_draws"].label = "draws"
        self.about = sentence()
        self.fields["sampler"].changed.connect(self._explain)
        self._explain()
        self.preview.text = "Quick map of the view"
        self.preview.tooltip = "The std of what is in view, from the denoiser alone, without draws"
        self.run.tooltip = "Draw images that may have been, and map how they differ"
        self.cancel.text = "Stop"
        self.cancel.tooltip = "Keep the draws that are done; press twice to keep nothing"
        first = [self.fields[name] for name in _FIRST]
        self.first = (self.layer, self.area, self.planes, *first[:2], self.about, *first[2:])
        self.more = tuple(f for name, f in self.fields.items() if name not in _FIRST)
        self.looks = (self.preview,)

    def _explain(self, _: Any = None) -> None:
        """Say what a sampler is good for."""
        name = str(self.fields["sampler"].value)
        self.about.setText(ABOUT.get(name.partition(":")[0], ""))
