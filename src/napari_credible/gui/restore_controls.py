"""The controls of the Restore widget, beside its physics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Shapes

from napari_credible.gui.area import AreaControls
from napari_credible.gui.layout import SCROLL_BAR, holding, rows, sentence
from napari_credible.recipe import Recipe
from napari_credible.restorers import ABOUT, CAUTION, draws_by_name

# Nothing of it is shown: the maps have the numbers of the posterior.
_HIDDEN = ("dtype",)
_FIRST = ("solver", "denoiser", "n_draws", "level", "threshold")
_OF_DRAWS = ("n_draws", "level", "threshold", "keep", "widen")


class RestoreControls(AreaControls):
    """By whom it is restored, and how often; the operator is handed to the physics' panel.

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
        super().__init__(recipe, layers, shapes, "Restore")
        self.layer.label = "data"
        for name in _HIDDEN:
            self.fields.pop(name, None)
        self.operator: Any = self.fields.pop("operator")
        solver: Any = self.fields["solver"]
        solver.label = "method"
        # As many as before, so that each keeps its tooltip.
        for place, name in enumerate(ABOUT):
            if name in CAUTION:
                solver.native.setItemText(place, f"{name} ({CAUTION[name]})")
        self.about = sentence()
        solver.changed.connect(self._explain)
        self._explain()
        self.preview.text = "Simulate from this layer"
        self.preview.tooltip = "Show what the instrument would see if the layer were the truth"
        self.run.tooltip = "Find the image behind the data, and how sure it is"
        self.cancel.text = "Stop"
        self.cancel.tooltip = "Keep the draws that are done; press twice to keep nothing"
        method = [self.fields[name] for name in _FIRST]
        self.first = (self.layer, self.area, self.planes)
        self.method = holding(rows(method[0], self.about, *method[1:]))
        self.method.layout().setContentsMargins(0, 0, SCROLL_BAR, 0)
        self.more = tuple(f for name, f in self.fields.items() if name not in _FIRST)
        self.looks = (self.preview,)

    def draws(self) -> bool:
        """Return whether the chosen method draws."""
        return draws_by_name(self.fields["solver"].value)

    def _explain(self, _: Any = None) -> None:
        """Say what a method is good for."""
        self.about.setText(ABOUT.get(str(self.fields["solver"].value), ""))
        for name in _OF_DRAWS:
            self.fields[name].enabled = self.draws()
