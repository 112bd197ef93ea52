"""Value and certainty in one layer with its legend, and contours at a probability."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from magicgui.widgets import FloatSpinBox, LineEdit, PushButton
from napari.layers import Shapes
from numpy.typing import NDArray
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from napari_credible import composite as law
from napari_credible.contours import contours
from napari_credible.gui.asked import Stop
from napari_credible.gui.family import COMPOSITE, MEAN, ROLE_KEY, Family, family_of
from napari_credible.gui.form import values
from napari_credible.gui.layers import unique_name
from napari_credible.gui.layout import line, reveal
from napari_credible.gui.legend import Legend
from napari_credible.gui.placing import PLACED
from napari_credible.planes import Progress

LEGEND_KEY = "credible_legend"
# napari needs about a millisecond for each: the longest lines are what is looked at.
_MOST_LINES = 400
_LINE_COLOUR = "#00e5ff"


@dataclass(frozen=True)
class Scale:
    """What the colours of a composite mean, in image units."""

    value: tuple[float, float]
    std: tuple[float, float]
    unit: str


class Picture(QWidget):  # type: ignore[misc]
    """Buttons for a composite and for contours of the posterior that is looked at.

    Parameters
    ----------
    widget : RecipeWidget
        Whose viewer and worker are used.
    """

    def __init__(self, widget: Any) -> None:
        super().__init__()
        self._widget = widget
        self.make = PushButton(
            text="Composite", tooltip="Bright where the value is high, grey where it is uncertain"
        )
        self.draw = PushButton(
            text="Contours", tooltip="Lines around what lies above the threshold so probably"
        )
        self.probability = FloatSpinBox(
            label="probability", value=0.95, min=0.001, max=0.999, step=0.01,
            tooltip="Inside the contours the light is above the threshold with this probability",
        )  # fmt: skip
        self.grey = LineEdit(
            nullable=True,
            tooltip="Std that is shown grey, in the image's units; empty: a tenth of the contrast, "
            "or the largest there is",
        )
        self.legend = Legend()
        rows = QFormLayout()
        rows.addRow("grey from a std of", self.grey.native)
        rows.addRow("contours at probability", self.probability.native)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addLayout(rows)
        stack.addLayout(line(self.make, self.draw))
        stack.addWidget(self.legend)
        self.make.clicked.connect(self.compose)
        self.draw.clicked.connect(self.outline)

    def compose(self) -> None:
        """Add the composite of the posterior that is looked at."""
        try:
            family, mean = self._looked_at()
            grey = values({"grey": self.grey})["grey"]
        except ValueError as error:
            self._widget.say(str(error))
            return
        low, high = (float(limit) for limit in mean.contrast_limits)
        making = partial(_composed, family, (low, high), grey)
        self._widget.begin("Composite", making, partial(self._add, family, mean))

    def outline(self) -> None:
        """Add contours at the probability of exceeding the threshold."""
        try:
            family, mean = self._looked_at()
            threshold = self._threshold(family)
        except ValueError as error:
            self._widget.say(str(error))
            return
        level = float(self.probability.value)
        making = partial(_outlined, family, threshold, level)
        words = f"P(light > {threshold:g}) = {level:g}"
        self._widget.begin("Contours", making, partial(self._add_lines, mean, words))

    def _looked_at(self) -> tuple[Family, Any]:
        """Return the posterior of the active layer, else of the topmost, and a layer of it."""
        layers = self._widget.viewer.layers
        for layer in [layers.selection.active, *reversed(layers)]:
            family = family_of(layer)
            if family is None:
                continue
            if "S" in family.result.source.axes:
                raise ValueError("A composite needs one value a pixel; this image has colours.")
            return family, family.roles.get(MEAN, layer)
        raise ValueError("There is no posterior yet: press Sample first.")

    def _threshold(self, family: Family) -> float:
        asked = self._widget.recipe().threshold
        asked = family.result.recipe.threshold if asked is None else asked
        if asked is None:
            raise ValueError("Contours need a threshold; type one in, in the image's units.")
        return float(asked)

    def _add(self, family: Family, mean: Any, made: tuple[NDArray[np.uint8], Scale]) -> None:
        picture, scale = made
        viewer = self._widget.viewer
        layer = viewer.add_image(
            picture,
            rgb=True,
            name=unique_name(f"{family.result.source.name} · composite", _names(viewer)),
            metadata={ROLE_KEY: COMPOSITE, LEGEND_KEY: scale},
            **_placed(mean),
        )
        family.join(layer, COMPOSITE)
        self.legend.show_scale(scale.value, scale.std, scale.unit)
        reveal(self.legend)
        self._widget.say(f"Added {layer.name!r}: grey is uncertain.")

    def _add_lines(self, mean: Any, words: str, lines: list[NDArray[np.float64]]) -> None:
        if not lines:
            self._widget.say(f"Nowhere is {words}: no contours.")
            return
        viewer, drawn = self._widget.viewer, lines[:_MOST_LINES]
        left = len(lines) - len(drawn)
        layer = Shapes(
            drawn,
            shape_type="path",
            edge_color=_LINE_COLOUR,
            face_color="transparent",
            edge_width=0.5,
            name=unique_name(words, _names(viewer)),
            **_placed(mean),
        )
        viewer.add_layer(layer)
        tail = f"; the {left} shortest are left out" if left else ""
        self._widget.say(f"{len(drawn)} contours at {words}{tail}.")


def _composed(
    family: Family, value: tuple[float, float], grey: float | None, _: Stop
) -> Generator[Progress, None, tuple[NDArray[np.uint8], Scale]]:
    yield Progress(0, 1, "composing")
    std = family.posterior.std
    limits = law.std_limits(std, value) if grey is None else (0.0, grey)
    scale = Scale(value, limits, family.result.source.unit)
    return law.composite(family.result.estimate, std, scale.value, scale.std), scale


def _outlined(
    family: Family, threshold: float, level: float, _: Stop
) -> Generator[Progress, None, list[NDArray[np.float64]]]:
    yield Progress(0, 1, "drawing contours")
    return contours(family.posterior.exceedance(threshold), level)


def _placed(layer: Any) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in PLACED}


def _names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]
