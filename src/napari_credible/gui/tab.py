"""A page of sentences and charts that is as high as it needs at the width that it has."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget


class Tab(QWidget):  # type: ignore[misc]
    """A widget whose wrapped sentences make a scroll area neither too high nor too low."""

    def sizeHint(self) -> Any:
        """Return the height that the sentences need at the width that they have."""
        return self._high_enough(super().sizeHint())

    def minimumSizeHint(self) -> Any:
        """Return the same height: nothing may be cut."""
        return self._high_enough(super().minimumSizeHint())

    def _high_enough(self, hint: Any) -> Any:
        if self.layout() is not None:
            hint.setHeight(self.layout().totalHeightForWidth(self.width()))
        return hint

    def resizeEvent(self, event: Any) -> None:
        """Ask for another height where the width is another."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()
