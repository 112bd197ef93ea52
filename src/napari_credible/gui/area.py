"""Which part of a layer is drawn from: all of it, what is in view, or what a shape covers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import ComboBox
from napari.layers import Shapes

from napari_credible.gui.asked import Asked
from napari_credible.gui.layout import Controls
from napari_credible.gui.region import region_in_view, region_of_shape, whole_plane
from napari_credible.recipe import Recipe
from napari_credible.region import Region

WHOLE, VIEW = "the whole layer", "what is in view"
THIS_PLANE, ALL_PLANES = "this plane", "all planes"


class AreaControls(Controls):
    """Controls with the part of the layer that is worked on; never built itself.

    Parameters
    ----------
    recipe : Recipe
        To begin with.
    layers, shapes : callable
        Return the layers to choose from.
    verb : str
        On the button.
    """

    def __init__(
        self,
        recipe: Recipe,
        layers: Callable[..., Any],
        shapes: Callable[[], list[Shapes]],
        verb: str,
    ) -> None:
        super().__init__(recipe, layers, verb)
        self._shapes = shapes
        self.area = ComboBox(
            label="area",
            choices=self._areas,
            nullable=False,
            tooltip="Add a Shapes layer and draw a rectangle to choose a part",
        )
        self.planes = ComboBox(
            label="planes",
            choices=[ALL_PLANES, THIS_PLANE],
            tooltip="Of a stack, a time series or several channels",
        )

    def region(self, viewer: Any, asked: Asked) -> Region | None:
        """Return the part of the layer that is named; None is all of it.

        Raises
        ------
        ValueError
            One sentence, where a shape is named that is not there.
        """
        area, planes = self.area.value, self.planes.value == ALL_PLANES
        layer, image = asked.layer, asked.image
        if isinstance(area, Shapes):
            return region_of_shape(viewer, layer, image, area, planes=planes)
        if area == VIEW:
            return region_in_view(viewer, layer, image, largest=None, planes=planes)
        return None if planes else whole_plane(viewer, layer, image)

    def whole(self) -> None:
        """Choose all of the layer."""
        self.area.value, self.planes.value = WHOLE, ALL_PLANES

    def offer_planes(self, several: bool) -> None:
        """Let a plane be chosen where there are several."""
        self.planes.enabled = several
        if not several:
            self.planes.value = ALL_PLANES

    def _areas(self, _: Any = None) -> list[tuple[str, Any]]:
        drawn = [(f"the shape in {layer.name!r}", layer) for layer in self._shapes()]
        return [(WHOLE, WHOLE), (VIEW, VIEW), *drawn]
