"""The plot of an adaptation: its loss, and the gain that is estimated without the truth."""

from __future__ import annotations

import math
from threading import Thread
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_credible.gui.noise_plot import Colours, _import, _pyqtgraph

_HEIGHT, _LOOK_AGAIN_MS = 180, 20
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


class AdaptPlot(QWidget):  # type: ignore[misc]
    """Two curves over the steps: loss above, estimated gain below.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed. The plotting library is imported in a thread when there is
        something to draw.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer, self._course = viewer, Course()
        self._charts: list[Any] = []
        self._import = Thread(target=_import, daemon=True)
        self._again = QTimer(self, singleShot=True, interval=_LOOK_AGAIN_MS)
        self._again.timeout.connect(self.draw)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("loss and estimated gain")
        self.setToolTip(
            "Above, the loss of the steps; below, the gain in dB over the denoiser as it was, "
            "estimated without the truth, with its standard error"
        )
        viewer.events.theme.connect(self.draw)

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.events.theme.disconnect(self.draw)

    def show_course(self, course: Course) -> None:
        """Draw this course, and again whenever :meth:`draw` is called."""
        self._course = course
        self.draw()

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while hidden."""
        super().showEvent(event)
        self.draw()

    def draw(self, _: Any = None) -> None:
        """Draw the course as it is now."""
        if not self.isVisible() or not self._course.steps:
            return
        if not self._layout.count() and not self._begun():
            return
        colours, course = Colours.of(self._viewer), self._course
        for (box, axes, view), words in zip(self._charts, ("loss", "gain / dB"), strict=True):
            view.setBackground(colours.background)
            box.clear()
            for axis in axes:
                axis.setPen(colours.text)
                axis.setTextPen(colours.text)
            axes[0].setLabel(words, color=colours.text)
        if self._charts:
            self._fill(course, colours)

    def _fill(self, course: Course, colours: Colours) -> None:
        pg = _pyqtgraph()
        pens = [pg.mkPen(colours.curve(n), width=2) for n in range(2)]
        (above, *_), (below, *_) = self._charts
        above.addItem(pg.PlotCurveItem(course.steps, course.losses, pen=pens[0]))
        spots = {"x": course.scored, "y": course.gains}
        bars = pg.ErrorBarItem(
            **{n: _floats(v) for n, v in spots.items()},
            height=2 * _floats(course.errors),
            pen=pens[1],
        )
        below.addItem(bars)
        below.addItem(pg.PlotCurveItem(course.scored, course.gains, pen=pens[1]))
        below.addItem(pg.InfiniteLine(0, angle=0, pen=pg.mkPen(colours.text, width=1)))
        for box in (above, below):
            box.setXRange(0, max(course.steps[-1], 1), padding=0.02)
            box.enableAutoRange(axis="y")

    def _begun(self) -> bool:
        """Build the charts once the library is imported; until then, look again."""
        if self._import.ident is None:
            self._import.start()
        if self._import.is_alive():
            self._again.start()
            return False
        try:
            self._build(_pyqtgraph())
        except ImportError as error:
            self._layout.addWidget(QLabel(f"No plot: {error}."))
        return True

    def _build(self, pg: Any) -> None:
        view = pg.GraphicsLayoutWidget()
        view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        view.ci.setContentsMargins(0, 4, 8, 5)
        view.ci.setSpacing(2)
        for row in range(2):
            box = view.addViewBox(row=row, col=1, enableMenu=False, enableMouse=False)
            axes = [pg.AxisItem("left"), *([pg.AxisItem("bottom")] if row else [])]
            for axis, place in zip(axes, ((row, 0), (2, 1)), strict=False):
                axis.linkToView(box)
                axis.enableAutoSIPrefix(False)
                view.addItem(axis, *place)
            axes[0].setWidth(52)
            self._charts.append((box, axes, view))
        self._layout.addWidget(view)


def _floats(values: Any) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)
