"""The reliability plot: of the truth, which share lay in the intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_credible.calibration import Reliability
from napari_credible.gui.chart import Chart, Colours

_MEASURED = 0


class ReliabilityChart(Chart):
    """Measured coverage with its error against the stated one; on the diagonal all is right."""

    def draw(self, what: Any, colours: Colours) -> None:
        """Draw a reliability."""
        reliability: Reliability = what
        self.begin(colours, "share of the truth inside", "stated probability")
        pg, colour = self.pg, colours.curve(_MEASURED)
        dashed = pg.mkPen(colours.text, width=1, style=pg.QtCore.Qt.PenStyle.DashLine)
        self.box.addItem(pg.PlotCurveItem([0, 1], [0, 1], pen=dashed))
        levels, coverage, errors = (
            np.asarray(each, dtype=float)
            for each in (reliability.levels, reliability.coverage, reliability.errors)
        )
        pen = pg.mkPen(colour, width=2)
        self.box.addItem(
            pg.ErrorBarItem(x=levels, y=coverage, height=2 * errors, beam=0.015, pen=pen)
        )
        self.box.addItem(pg.PlotCurveItem(levels, coverage, pen=pg.mkPen(colour)))
        self.box.addItem(
            pg.ScatterPlotItem(levels, coverage, symbol="o", size=8, pen=colour, brush=colour)
        )
        low = float(min(levels.min(initial=1), (coverage - errors).min(initial=1)))
        low = max(np.floor(10 * low - 0.5) / 10, 0.0)
        self.box.setRange(xRange=(low, 1.0), yRange=(low, 1.0), padding=0.03)
