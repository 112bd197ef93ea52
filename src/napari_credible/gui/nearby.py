"""Sections of draws that are on disk: the part around the cursor, kept in memory for a while."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from napari_credible.answers import Question
from napari_credible.gui.asked import Stop
from napari_credible.planes import Progress
from napari_credible.section import Section

# Of 100 draws a part is 26 MB.
_KEPT = 4


class Nearby:
    """The parts that were read last, by the plane that they belong to."""

    def __init__(self) -> None:
        self._parts: OrderedDict[tuple[Any, ...], Section] = OrderedDict()

    def around(self, section: Section, row: int, column: int, question: Question) -> Section | None:
        """Return the section itself where it is in memory, or its part around a pixel, if read."""
        if section.at_hand:
            return section
        key = self.key(section, row, column, question)
        if key in self._parts:
            self._parts.move_to_end(key)
        return self._parts.get(key)

    def key(self, section: Section, row: int, column: int, question: Question) -> tuple[Any, ...]:
        """Return what tells a part from others; with draws at hand, any question is answered."""
        rows, columns = section.near(row, column)
        asked = None if hasattr(section.posterior, "n_draws") else question
        return (id(section.posterior), section.place, rows.start, columns.start, asked)

    def keep(self, key: tuple[Any, ...], part: Section) -> None:
        """Keep a part, and let go of the one that was not looked at for longest."""
        self._parts[key] = part
        while len(self._parts) > _KEPT:
            self._parts.popitem(last=False)

    def forget(self) -> None:
        """Let go of everything."""
        self._parts.clear()


def read(section: Section, row: int, column: int, question: Question, _: Stop) -> Any:
    """Read the part around a pixel, in a worker."""
    yield Progress(0, 1, "reading the draws around the cursor")
    return section.loaded(row, column, question)
