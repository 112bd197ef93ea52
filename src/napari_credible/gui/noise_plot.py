"""The mean-variance plot: what was measured, and the noise model drawn through it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

import numpy as np
import qtpy
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_credible.noise import Evidence, Gaussian, PoissonGaussian

Array = NDArray[np.float64]

_HEIGHT, _NARROWEST = 180, 200
# M. Okabe, K. Ito, "Color universal design" (2008): those that stand out 2.5 to 1 and more from
# napari's dark, or from its light background; marks differ too.
_ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00")
_ON_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7")
_MARKS = ("o", "s", "t", "d", "+", "x")
_STEPS = 200
_LOOK_AGAIN_MS = 20
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


@dataclass(frozen=True)
class Colours:
    """Colours of a napari theme, as Qt takes them."""

    background: str
    text: str
    warning: str

    @classmethod
    def of(cls, viewer: Any) -> Colours:
        """Return the colours of the theme that a viewer has now."""
        theme = get_theme(viewer.theme)
        return cls(*(getattr(theme, n).as_hex() for n in ("background", "text", "warning")))

    def curve(self, number: int) -> QColor:
        """Return a colour that stands out from the background."""
        palette = _ON_DARK if QColor(self.background).lightnessF() < 0.5 else _ON_LIGHT
        return QColor(palette[number % len(palette)])


class NoisePlot(QWidget):  # type: ignore[misc]
    """Mean-variance points with their errors and the line of the noise model.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed. Nothing is plotted, and no plotting library imported, before
        the widget is visible and has curves; then it is imported in a thread, since that takes
        longer than a window may stand still.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._curves: Sequence[Curve] = ()
        self._chart: _Chart | None = None
        self._import = Thread(target=_import, daemon=True)
        self._again = QTimer(self, singleShot=True, interval=_LOOK_AGAIN_MS)
        self._again.timeout.connect(self._draw)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setFixedHeight(_HEIGHT)
        self.setMinimumWidth(_NARROWEST)
        self.setAccessibleName("mean-variance plot")
        self.setToolTip(
            "Variance of the noise against the brightness, as measured (points) and as the noise "
            "model has it (line, with its standard error)"
        )
        viewer.events.theme.connect(self._draw)

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.events.theme.disconnect(self._draw)

    def show_curves(self, curves: Sequence[Curve]) -> None:
        """Plot these in place of those before; with none, disappear."""
        self._curves = curves
        self.setVisible(bool(curves))
        self._draw()

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while hidden."""
        super().showEvent(event)
        self._draw()

    def _draw(self, _: Any = None) -> None:
        if not self.isVisible() or not self._curves:
            return
        if not self._layout.count():
            self._begin()
        if self._chart is not None:
            self._chart.draw(self._curves, Colours.of(self._viewer))

    def _begin(self) -> None:
        """Build the chart once the library is imported; until then, look again."""
        if self._import.ident is None:
            self._import.start()
        if self._import.is_alive():
            self._again.start()
            return
        try:
            self._chart = _Chart()
        except ImportError as error:
            sentence = QLabel(f"No plot: {error}.")
            sentence.setWordWrap(True)
            self._layout.addWidget(sentence)
        else:
            self._layout.addWidget(self._chart.view)


class _Chart:
    """Axes, a frame and the items in it, of pyqtgraph.

    Built of its parts: a ``PlotItem`` would bring menus without a parent.
    """

    def __init__(self) -> None:
        self.pg = _pyqtgraph()
        self.view = self.pg.GraphicsLayoutWidget()
        # The wheel scrolls the panel, and the tooltip is that of the panel.
        self.view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.ci.setContentsMargins(0, 4, 8, 5)
        self.view.ci.setSpacing(0)
        self.box = self.view.addViewBox(row=0, col=1, enableMenu=False, enableMouse=False)
        self.axes = [self._axis("left", 0, 0), self._axis("bottom", 1, 1)]
        self.legend: Any = None

    def _axis(self, side: str, row: int, column: int) -> Any:
        axis = self.pg.AxisItem(side)
        axis.linkToView(self.box)
        axis.enableAutoSIPrefix(False)
        self.view.addItem(axis, row, column)
        return axis

    def draw(self, curves: Sequence[Curve], colours: Colours) -> None:
        """Draw everything anew: there are few items."""
        self.box.clear()
        self.view.setBackground(colours.background)
        for axis, words in zip(self.axes, ("variance (ADU²)", "mean (ADU)"), strict=True):
            axis.setPen(colours.text)
            axis.setTextPen(colours.text)
            axis.setLabel(words, color=colours.text)
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
        faint = QColor(colour)
        faint.setAlphaF(0.3)
        edges = [pg.PlotCurveItem(light, edge) for edge in curve.band(light) or ()]
        if edges:
            self.box.addItem(pg.FillBetweenItem(*edges, brush=faint))
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


def _pyqtgraph() -> Any:
    """Import pyqtgraph for the Qt that napari has.

    Raises
    ------
    ImportError
        Where it is not installed, or was imported before for another Qt.
    """
    with _told_which_qt():
        # By name: it has no types, and is needed only here.
        pg = importlib.import_module("pyqtgraph")
    if qtpy.API_NAME != pg.Qt.QT_LIB:
        raise ImportError(f"pyqtgraph uses {pg.Qt.QT_LIB}, but napari {qtpy.API_NAME}")
    return pg


def _import() -> None:
    # What is wrong is told where the chart is built.
    with suppress(ImportError):
        _pyqtgraph()


@contextmanager
def _told_which_qt() -> Iterator[None]:
    name = "PYQTGRAPH_QT_LIB"
    before = os.environ.get(name)
    os.environ[name] = qtpy.API_NAME
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
