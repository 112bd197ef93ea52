"""The plot of an adaptation: its loss, and the gain that is estimated without the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_credible.gui.chart import Chart, ChartPanel, Colours

_HEIGHTS, _AXIS = (80, 100), 52
# Steps over which the shown loss is averaged: single crops differ more than learning changes.
_SMOOTHED = 0.95


class Course:
    """Losses and gains so far.

    Attributes
    ----------
    steps, losses : list
        Number of each step and its loss, averaged over about 20 steps.
    scored, gains, errors : list
        Steps at which the weights were judged, dB gained over the base, standard errors.
    """

    def __init__(self) -> None:
        self.steps, self.losses = list[int](), list[float]()
        self.scored, self.gains, self.errors = [0], [0.0], [0.0]
        self._level = 0.0

    def add(self, progress: Any) -> None:
        """Note what a step told."""
        if math.isfinite(progress.loss) and (not self.steps or progress.done > self.steps[-1]):
            number = len(self.steps) + 1
            self._level = _SMOOTHED * self._level + (1 - _SMOOTHED) * progress.loss
            self.steps.append(progress.done)
            self.losses.append(self._level / (1 - _SMOOTHED**number))
        if math.isfinite(progress.gain) and progress.gain != self.gains[-1]:
            self.scored.append(progress.done)
            self.gains.append(progress.gain)
            self.errors.append(progress.error)


class _Losses(Chart):
    """The loss over the steps; their numbers stand below the other chart."""

    def draw(self, what: Course, colours: Colours) -> None:
        """Draw the losses so far."""
        self.begin(colours, "loss", "")
        self.axes[0].setWidth(_AXIS)
        self.axes[1].setStyle(showValues=False)
        pen = self.pg.mkPen(colours.curve(0), width=2)
        self.box.addItem(self.pg.PlotCurveItem(what.steps, what.losses, pen=pen))
        _fit(self.box, what)


class _Gains(Chart):
    """The estimated gain over the steps, with its standard error."""

    def draw(self, what: Course, colours: Colours) -> None:
        """Draw the gains so far."""
        self.begin(colours, "gain / dB", "")
        self.axes[0].setWidth(_AXIS)
        pen = self.pg.mkPen(colours.curve(1), width=2)
        x, y, errors = (np.asarray(v, float) for v in (what.scored, what.gains, what.errors))
        self.box.addItem(self.pg.ErrorBarItem(x=x, y=y, height=2 * errors, pen=pen))
        self.box.addItem(self.pg.PlotCurveItem(x, y, pen=pen))
        self.box.addItem(self.pg.InfiniteLine(0, angle=0, pen=self.pg.mkPen(colours.text)))
        _fit(self.box, what)


def _fit(box: Any, course: Course) -> None:
    box.setXRange(0, max(course.steps[-1], 1), padding=0.02)
    box.enableAutoRange(axis="y")


class AdaptPlot(QWidget):  # type: ignore[misc]
    """Two curves over the steps: loss above, estimated gain below.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._panels = [
            ChartPanel(viewer, chart, height)
            for chart, height in zip((_Losses, _Gains), _HEIGHTS, strict=True)
        ]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for panel in self._panels:
            layout.addWidget(panel)
        self.setAccessibleName("loss and estimated gain")
        self.setToolTip(
            "Above, the loss of the steps; below, the gain in dB over the denoiser as it was, "
            "estimated without the truth, with its standard error"
        )

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        for panel in self._panels:
            panel.let_go()

    def show_course(self, course: Course) -> None:
        """Draw a course as it is now."""
        for panel in self._panels:
            panel.show_what(course if course.steps else None)
