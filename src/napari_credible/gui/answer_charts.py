"""Charts of an answer: the draws of one number, and the values along a line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_credible.answers import Profile, Quantity
from napari_credible.gui.chart import Chart, Colours, faint

_MOST_BINS = 40
_MARGIN = 0.05
# Which colour of the theme's palette.
DRAWS, INPUT, THRESHOLD = 0, 1, 4


def titled(name: str, unit: str) -> str:
    """Return the label of an axis."""
    return f"{name} ({unit})" if unit else name


class Histogram(Chart):
    """How many draws have which value, the interval, the estimate, the input, the threshold."""

    def draw(self, what: Any, colours: Colours) -> None:
        """Draw a quantity."""
        quantity: Quantity = what
        self.begin(colours, "draws", titled(quantity.name, quantity.unit))
        values = [quantity.estimate, quantity.measured, quantity.lower, quantity.upper]
        top = self._bars(quantity, colours)
        self._shade(quantity, colours, top)
        dash = self.pg.QtCore.Qt.PenStyle
        text = self.pg.mkColor(colours.text)
        self._mark(quantity.measured, colours.curve(INPUT), dash.DashLine)
        self._mark(quantity.estimate, text, dash.SolidLine)
        if quantity.threshold is not None:
            self._mark(quantity.threshold, colours.curve(THRESHOLD), dash.DotLine)
        if quantity.draws is not None:
            values += [quantity.draws.min(), quantity.draws.max()]
        self._fit(values, quantity.threshold, top)

    def _bars(self, quantity: Quantity, colours: Colours) -> float:
        draws = quantity.draws
        if draws is None or not np.isfinite(draws).all():
            return 1.0
        counts, edges = bins(draws)
        colour = colours.curve(DRAWS)
        self.box.addItem(
            self.pg.BarGraphItem(
                x0=edges[:-1], x1=edges[1:], height=counts, pen=colours.background, brush=colour
            )
        )
        return float(counts.max())

    def _shade(self, quantity: Quantity, colours: Colours, top: float) -> None:
        """Fill the interval up to the frame."""
        if math.isfinite(quantity.lower) and math.isfinite(quantity.upper):
            ends = {"x0": [quantity.lower], "x1": [quantity.upper], "height": [2 * top]}
            brush = faint(colours.curve(DRAWS), 0.25)
            item = self.pg.BarGraphItem(**ends, pen=None, brush=brush)
            item.setZValue(-1)
            self.box.addItem(item, ignoreBounds=True)

    def _mark(self, value: float, colour: Any, style: Any) -> None:
        if math.isfinite(value):
            pen = self.pg.mkPen(colour, width=2, style=style)
            self.box.addItem(self.pg.InfiniteLine(value, pen=pen), ignoreBounds=True)

    def _fit(self, values: list[float], threshold: float | None, top: float) -> None:
        finite = [float(value) for value in values if math.isfinite(value)]
        low, high = min(finite, default=0.0), max(finite, default=1.0)
        wide = max(high - low, 1e-6 * max(abs(low), abs(high)), 1e-30)
        # A threshold far away would press the draws into one bar.
        if threshold is not None and low - wide < threshold < high + wide:
            low, high = min(low, threshold), max(high, threshold)
        margin = _MARGIN * max(high - low, wide)
        self.box.setRange(xRange=(low - margin, high + margin), yRange=(0, 1.08 * top), padding=0)


def bins(draws: Any) -> tuple[Any, Any]:
    """Return counts and edges; equal draws are one narrow bar."""
    draws = np.asarray(draws, dtype=np.float64)
    if draws.min() == draws.max():
        half = 0.01 * max(abs(draws[0]), 1.0)
        return np.array([len(draws)]), np.array([draws[0] - half, draws[0] + half])
    edges = np.histogram_bin_edges(draws, "auto")
    if len(edges) - 1 > _MOST_BINS:
        edges = np.linspace(edges[0], edges[-1], _MOST_BINS + 1)
    return np.histogram(draws, edges)[0], edges


class ProfileChart(Chart):
    """Mean and band along a line, and what was measured."""

    def draw(self, what: Any, colours: Colours) -> None:
        """Draw a profile."""
        profile: Profile = what
        self.begin(
            colours, titled("value", profile.unit), titled("distance", profile.distance_unit)
        )
        pg, at = self.pg, np.asarray(profile.distance, dtype=float)
        colour = colours.curve(DRAWS)
        edges = [pg.PlotCurveItem(at, np.asarray(e, float)) for e in (profile.lower, profile.upper)]
        self.box.addItem(pg.FillBetweenItem(*edges, brush=faint(colour, 0.35)))
        dashed = pg.mkPen(colours.curve(INPUT), width=1, style=pg.QtCore.Qt.PenStyle.DashLine)
        line = pg.mkPen(colour, width=2)
        for values, pen in ((profile.measured, dashed), (profile.estimate, line)):
            self.box.addItem(
                pg.PlotCurveItem(at, np.asarray(values, float), pen=pen, connect="finite")
            )
        shown = np.concatenate([profile.lower, profile.upper, profile.measured])
        shown = shown[np.isfinite(shown)]
        low, high = (shown.min(), shown.max()) if len(shown) else (0.0, 1.0)
        self.box.setRange(
            xRange=(float(at[0]), float(at[-1])), yRange=(float(low), float(high)), padding=0.04
        )
