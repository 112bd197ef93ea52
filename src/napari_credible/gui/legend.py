"""The legend of a composite: what its colours mean, in the image's units."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_credible.composite import palette

_HEIGHT = 120
_GAP = 4


class Legend(QWidget):  # type: ignore[misc]
    """The palette: value from left to right, std from top to bottom; hidden to begin with."""

    def __init__(self) -> None:
        super().__init__()
        colours = palette()
        rows, columns, _ = colours.shape
        self._colours = colours.tobytes()
        self._image = QImage(self._colours, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        self._value, self._std, self._unit = (0.0, 1.0), (0.0, 1.0), ""
        self.setMinimumHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setVisible(False)

    def show_scale(self, value: tuple[float, float], std: tuple[float, float], unit: str) -> None:
        """Show what the ends of both scales mean."""
        self._value, self._std, self._unit = value, std, unit
        self.setVisible(True)
        self.updateGeometry()
        self.update()

    def words(self) -> tuple[str, str, str, str]:
        """Return what stands at the ends: lowest and highest value, least and largest std."""
        unit = f" {self._unit}" if self._unit else ""
        low, high = (f"{v:.4g}{unit}" for v in self._value)
        sure, unsure = (f"±{s:.3g}" for s in self._std)
        return low, high, sure, unsure

    def paintEvent(self, _: Any) -> None:
        """Paint the palette and the ends of its scales."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        low, high, sure, unsure = self.words()
        letters = painter.fontMetrics()
        left = max(letters.horizontalAdvance(word) for word in (sure, unsure, "std")) + _GAP
        area = QRectF(
            left, _GAP, self.width() - left - _GAP, self.height() - letters.height() - 3 * _GAP
        )
        painter.drawImage(area, self._image)
        column = QRectF(0, area.top(), left - _GAP, area.height())
        right, top = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignTop
        middle, bottom = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignBottom
        for words, place in ((sure, top), ("std", middle), (unsure, bottom)):
            painter.drawText(column, right | place, words)
        row = QRectF(left, area.bottom() + _GAP, area.width(), letters.height())
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(row, Qt.AlignmentFlag.AlignHCenter, "value")
        painter.drawText(row, right, high)
        painter.end()
