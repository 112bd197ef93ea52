"""A chart of pyqtgraph in napari's colours, imported when it is first seen."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

import qtpy
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

_NARROWEST = 200
# M. Okabe, K. Ito, "Color universal design" (2008): those that stand out 2.5 to 1 and more from
# napari's dark, or from its light background; marks differ too.
_ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00")
_ON_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7")
_LOOK_AGAIN_MS = 20


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


class Chart:
    """Axes, a frame and the items in it.

    Built of its parts: a ``PlotItem`` would bring menus without a parent.
    """

    def __init__(self) -> None:
        self.pg = pyqtgraph()
        self.view = self.pg.GraphicsLayoutWidget()
        # The wheel scrolls the panel, and the tooltip is that of the panel.
        self.view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.ci.setContentsMargins(0, 4, 8, 5)
        self.view.ci.setSpacing(0)
        self.box = self.view.addViewBox(row=0, col=1, enableMenu=False, enableMouse=False)
        self.axes = [self._axis("left", 0, 0), self._axis("bottom", 1, 1)]
        self._begun: tuple[Colours, str, str] | None = None

    def _axis(self, side: str, row: int, column: int) -> Any:
        axis = self.pg.AxisItem(side)
        axis.linkToView(self.box)
        axis.enableAutoSIPrefix(False)
        self.view.addItem(axis, row, column)
        return axis

    def begin(self, colours: Colours, upright: str, along: str) -> None:
        """Empty the frame, and name its axes in the theme's colours."""
        self.box.clear()
        # Axes are slow to build anew, and mostly stay the same under a moving mouse.
        if self._begun == (colours, upright, along):
            return
        self._begun = (colours, upright, along)
        self.view.setBackground(colours.background)
        for axis, words in zip(self.axes, (upright, along), strict=True):
            axis.setPen(colours.text)
            axis.setTextPen(colours.text)
            axis.setLabel(words, color=colours.text)

    def draw(self, what: Any, colours: Colours) -> None:
        """Draw everything anew: there are few items."""
        raise NotImplementedError


class ChartPanel(QWidget):  # type: ignore[misc]
    """A chart that follows the theme of a viewer.

    Nothing is drawn, and no plotting library imported, before the widget is visible and has
    something to show; then it is imported in a thread, since that takes longer than a window may
    stand still.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed.
    chart : callable
        Makes the chart.
    height : int, pixels
        Of the panel.
    """

    def __init__(self, viewer: Any, chart: Callable[[], Chart], height: int) -> None:
        super().__init__()
        self._viewer = viewer
        self._make = chart
        self._what: Any = None
        self._chart: Any = None
        self._import = Thread(target=_import, daemon=True)
        self._again = QTimer(self, singleShot=True, interval=_LOOK_AGAIN_MS)
        self._again.timeout.connect(self._draw)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setFixedHeight(height)
        self.setMinimumWidth(_NARROWEST)
        viewer.events.theme.connect(self._draw)

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.events.theme.disconnect(self._draw)

    def show_what(self, what: Any) -> None:
        """Show this in place of what was shown before; nothing where it is None."""
        self._what = what
        self._draw()

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while hidden."""
        super().showEvent(event)
        self._draw()

    def _draw(self, _: Any = None) -> None:
        if not self.isVisible() or self._what is None:
            return
        if not self._layout.count():
            self._begin()
        if self._chart is not None:
            self._chart.draw(self._what, Colours.of(self._viewer))

    def _begin(self) -> None:
        """Build the chart once the library is imported; until then, look again."""
        if self._import.ident is None:
            self._import.start()
        if self._import.is_alive():
            self._again.start()
            return
        try:
            self._chart = self._make()
        except ImportError as error:
            sentence = QLabel(f"No plot: {error}.")
            sentence.setWordWrap(True)
            self._layout.addWidget(sentence)
        else:
            self._layout.addWidget(self._chart.view)


def faint(colour: QColor, alpha: float = 0.3) -> QColor:
    """Return a colour that lets through what lies behind."""
    through = QColor(colour)
    through.setAlphaF(alpha)
    return through


def pyqtgraph() -> Any:
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
        pyqtgraph()


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
