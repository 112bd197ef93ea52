"""The mean-variance plot: what was measured, and the noise model drawn through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QColor

from napari_credible.gui.chart import Chart, ChartPanel, Colours, faint
from napari_credible.noise import Evidence, Gaussian, PoissonGaussian

Array = NDArray[np.float64]

_HEIGHT = 180
_MARKS = ("o", "s", "t", "d", "+", "x")
_STEPS = 200
# Points lifted by texture further than this above the line are not let flatten it.
_HIGHEST = 2.0
# The level without light is shown where it widens the plot by no more than this share.
_REACH = 0.5


@dataclass(frozen=True, eq=False)
class Curve:
    """One channel: its name, the model that holds, and the evidence with the points."""

    name: str
    model: Gaussian | PoissonGaussian
    evidence: Evidence

    def light(self) -> Array:
        """Return where the line is drawn, ADU: over the points, and without light if near."""
        low, high = float(self.evidence.means.min()), float(self.evidence.means.max())
        dark = float(np.mean(getattr(self.model, "offset", low)))
        if 0 < low - dark <= _REACH * (high - low):
            low = dark
        return np.linspace(low, high, _STEPS)

    def line(self, light: Array) -> Array:
        """Return the model's variance, ADU squared; per-pixel maps by their mean."""
        if isinstance(self.model, Gaussian):
            return np.full(light.shape, float(np.mean(np.square(self.model.sigma))))
        above = np.maximum(light - np.mean(self.model.offset), 0)
        return np.asarray(
            np.mean(self.model.gain) * above + np.mean(np.square(self.model.read_noise))
        )

    def band(self, light: Array) -> tuple[Array, Array] | None:
        """Return line - error and line + error, or None where the line was not fitted."""
        if self.evidence is not self.model.evidence or self.evidence.covariance is None:
            return None
        line, error = self.line(light), self.evidence.line_error(light)
        return np.maximum(line - error, 0), line + error

    def highest(self) -> float:
        """Return up to which variance the plot reaches."""
        line = float(self.line(self.light()).max())
        tops = self.evidence.variances + self.evidence.variance_errors
        return max(line, min(float(tops.max()), _HIGHEST * line))


class NoisePlot(ChartPanel):
    """Mean-variance points with their errors and the line of the noise model.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer, _NoiseChart, _HEIGHT)
        self.setAccessibleName("mean-variance plot")
        self.setToolTip(
            "Variance of the noise against the brightness, as measured (points) and as the noise "
            "model has it (line, with its standard error)"
        )

    def show_curves(self, curves: Sequence[Curve]) -> None:
        """Plot these in place of those before; with none, disappear."""
        self.setVisible(bool(curves))
        self.show_what(curves or None)


class _NoiseChart(Chart):
    """Points, lines and bands of all channels, and their names where there are several."""

    def __init__(self) -> None:
        super().__init__()
        self.legend: Any = None

    def draw(self, what: Any, colours: Colours) -> None:
        """Draw all curves."""
        curves: Sequence[Curve] = what
        self.begin(colours, "variance (ADU²)", "mean (ADU)")
        self._name(colours, wanted=len(curves) > 1)
        for number, curve in enumerate(curves):
            self._add(curve, colours.curve(number), _MARKS[number % len(_MARKS)])
        light = np.concatenate([curve.light() for curve in curves])
        self.box.setRange(
            xRange=(float(light.min()), float(light.max())),
            yRange=(0.0, max(curve.highest() for curve in curves)),
            padding=0.04,
        )

    def _name(self, colours: Colours, *, wanted: bool) -> None:
        if self.legend is not None:
            self.legend.scene().removeItem(self.legend)
            self.legend = None
        if wanted:
            self.legend = self.pg.LegendItem(
                offset=(8, 4), verSpacing=-6, labelTextColor=colours.text
            )
            self.legend.setParentItem(self.box)

    def _add(self, curve: Curve, colour: QColor, mark: str) -> None:
        pg, evidence, light = self.pg, curve.evidence, curve.light()
        edges = [pg.PlotCurveItem(light, edge) for edge in curve.band(light) or ()]
        if edges:
            self.box.addItem(pg.FillBetweenItem(*edges, brush=faint(colour)))
        bars = pg.ErrorBarItem(
            x=evidence.means, y=evidence.variances, height=2 * evidence.variance_errors, pen=colour
        )
        points = pg.ScatterPlotItem(
            evidence.means, evidence.variances, symbol=mark, size=6, pen=colour, brush=None
        )
        line = pg.PlotCurveItem(
            light, curve.line(light), pen=pg.mkPen(colour, width=2), antialias=True
        )
        for item in (bars, points, line):
            self.box.addItem(item)
        if self.legend is not None:
            self.legend.addItem(points, curve.name)
