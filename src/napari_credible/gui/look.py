"""Look at a pixel under the cursor, a shape, a line, or two shapes side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QTimer, Signal

from napari_credible import comparing, readings
from napari_credible.answers import Question, Reading
from napari_credible.gui import nearby
from napari_credible.gui.chart import Colours
from napari_credible.gui.drawn import Drawn
from napari_credible.gui.job import Answers, Job, in_words
from napari_credible.gui.look_layout import LookControls
from napari_credible.gui.mouse import follow
from napari_credible.gui.placed import Placed
from napari_credible.gui.tab import Tab
from napari_credible.section import Section
from napari_credible.shapes import Shape

# 30 readings a second: more than an eye follows.
_PAUSE_MS = 33
_HINT = "Move the mouse over the image, or draw a shape."
_NOT_FLAT = "Inspecting needs the 2D view of the axes Y and X."


class Look(Tab):
    """The tab that answers.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose mouse and sliders are followed.
    ask : callable
        Returns the level and the threshold that are asked for.
    """

    wanted = Signal()

    def __init__(self, viewer: Any, ask: Callable[[], Question]) -> None:
        super().__init__()
        self.viewer, self._ask = viewer, ask
        self.jobs: dict[str, Job] = {}
        self.reading: Reading | None = None
        self._placed: Placed | None = None
        self._world: Any = None
        self._read_at = 0.0
        self._nearby = nearby.Nearby()
        self._pinning = False
        self.drawn = Drawn(viewer)
        self.controls = LookControls(self, viewer)
        self._soon = QTimer(self, singleShot=True)
        self._soon.timeout.connect(self.hover)
        self._connect()

    def _connect(self) -> None:
        controls = self.controls
        for kind, button in controls.tools.items():
            button.clicked.connect(partial(self._tool, kind))
        controls.subject.currentIndexChanged.connect(self.renew)
        controls.other.currentIndexChanged.connect(self.renew)
        controls.quantity.currentIndexChanged.connect(self._show_quantity)
        controls.colour.currentIndexChanged.connect(self.renew)
        controls.width.valueChanged.connect(self.renew)
        self.drawn.changed.connect(self._shapes_changed)
        self.drawn.selected.connect(self._choose)
        self._mouse = [
            follow(self.viewer.mouse_move_callbacks, self._moved),
            follow(self.viewer.mouse_drag_callbacks, self._pressed),
        ]
        self.viewer.dims.events.current_step.connect(self._slid)
        self.viewer.events.theme.connect(self._show_table)

    def let_go(self) -> None:
        """Stop everything, and let go of the viewer."""
        self.halt()
        self._placed = None
        self._nearby.forget()
        for leave in self._mouse:
            leave()
        self.viewer.dims.events.current_step.disconnect(self._slid)
        self.viewer.events.theme.disconnect(self._show_table)
        self.drawn.let_go()
        self.controls.let_go()

    def halt(self) -> None:
        """Stop what runs."""
        self._soon.stop()
        while self.jobs:
            self.jobs.popitem()[1].abandon()

    # ── what is asked ──

    def set_placed(self, placed: Placed | None) -> None:
        """Look at another family, or at none."""
        before, self._placed = self._placed, placed
        if placed is None or before is None or placed.family is not before.family:
            self.halt()
            self._nearby.forget()
            self._world = None
            self.controls.show_colours(placed)
            self._show(None)
        self.setEnabled(placed is not None)
        self._shapes_changed()

    def renew(self, _: Any = None) -> None:
        """Answer again: something else is asked."""
        self.controls.fit()
        names = self.controls.chosen()
        if not names:
            self.hover()
        else:
            self._soon.stop()
            self._look(names)

    def _tool(self, kind: str, _: bool = False) -> None:
        if self._placed is None:
            return
        self._pinning = kind == "pixel"
        if self._pinning:
            self.say("Click a pixel to keep it.")
        else:
            self.drawn.begin(kind, self._placed)
            self.say(f"Draw a {kind} on the image.")

    def _shapes_changed(self) -> None:
        """Offer the shapes of now; a new one is looked at at once."""
        shapes = self._shapes()
        self.controls.offer(shapes)
        self.renew()

    def _shapes(self) -> dict[str, Shape]:
        if self._placed is None:
            return {}
        return {shape.name: shape for shape in self.drawn.shapes(self._placed)}

    def _choose(self, letter: str) -> None:
        self.controls.choose(letter)

    def _slid(self, _: Any = None) -> None:
        if self.controls.chosen():
            self.renew()
        else:
            self._soon.start(_PAUSE_MS)

    # ── the pixel under the cursor ──

    def _moved(self, _: Any, event: Any) -> None:
        self._world = event.position
        if self._placed is None:
            self.wanted.emit()
        if self._placed is not None and not self._soon.isActive() and not self.controls.chosen():
            since = round(1000 * (time.monotonic() - self._read_at))
            self._soon.start(max(_PAUSE_MS - since, 0))

    def _pressed(self, _: Any, event: Any) -> None:
        if self._pinning and self._placed is not None:
            self._pinning = False
            index = self._placed.index(event.position)
            if index is not None:
                self.drawn.add_pixel(self._placed, index)

    def hover(self) -> None:
        """Read the pixel under the cursor, at once where its draws are in memory."""
        placed = self._placed
        self._read_at = time.monotonic()
        if placed is None or self._world is None or self.controls.chosen() or not self.isVisible():
            return
        if self.viewer.dims.ndisplay != 2:
            self.say(_NOT_FLAT)
            return
        index = placed.index(self._point())
        if index is None:
            return
        section = placed.section(index, self.controls.colour.currentIndex())
        row, column = placed.row_and_column(index)
        part = self._nearby.around(section, row, column, self._ask())
        if part is None:
            self._read(section, row, column)
        else:
            self._show(readings.pixel(part, row, column, self._ask()))

    def _point(self) -> Any:
        """Return the cursor's place in the planes that the sliders show now."""
        point = list(self.viewer.dims.point)
        for axis in self.viewer.dims.displayed:
            point[axis] = self._world[axis - len(point)]
        return point

    def _read(self, section: Section, row: int, column: int) -> None:
        """Read what lies around the pixel in a worker, unless that is under way."""
        asked = self._ask()
        key = self._nearby.key(section, row, column, asked)
        name = str(key)
        if name in self.jobs:
            return
        self.halt()
        answers = Answers(partial(self._arrived, key), self._fail, end=partial(self._over, name))
        self.jobs[name] = Job(partial(nearby.read, section, row, column, asked), answers)

    def _arrived(self, key: Any, part: Section | None) -> None:
        if part is not None:
            self._nearby.keep(key, part)
            self._soon.start(0)

    # ── shapes ──

    def _look(self, names: list[str]) -> None:
        placed, shapes = self._placed, self._shapes()
        if placed is None or not all(name in shapes for name in names):
            return
        if not placed.upright(self.viewer):
            self.say(_NOT_FLAT)
            return
        self.halt()
        index = placed.in_view(self.viewer.dims.point)
        section = placed.section(index, self.controls.colour.currentIndex())
        asked, width = self._ask(), self.controls.width.value()
        drawn = [shapes[name] for name in names]
        if len(drawn) == 2 and not any(shape.is_line for shape in drawn):
            work = partial(_stopping, comparing.comparison, section, *drawn, asked)
        else:
            work = partial(_stopping, readings.shape, section, drawn[0], asked, width)
        answers = Answers(self._show, self._fail, self._step, partial(self._over, "look"))
        self.jobs["look"] = Job(work, answers)

    def _step(self, progress: Any, _: float) -> None:
        if progress.done:
            self.say(f"{progress.doing}: {progress.done} of {progress.total} draws")

    def _fail(self, error: Exception) -> None:
        self._show(None)
        self.say(in_words(error))

    def _over(self, name: str, _: bool) -> None:
        self.jobs.pop(name, None)

    # ── what is shown ──

    def say(self, text: str) -> None:
        """Show a sentence under the numbers."""
        self.controls.notes.setText(text)

    def _show(self, reading: Reading | None) -> None:
        self.reading = reading
        self.controls.title(reading, _HINT)
        self.controls.offer_quantities(reading)
        self._show_table()
        self._show_quantity()
        self.say("" if reading is None else "\n".join(reading.notes))

    def _show_table(self, _: Any = None) -> None:
        self.controls.table(self.reading, Colours.of(self.viewer))

    def _show_quantity(self, _: Any = None) -> None:
        self.controls.charts(self.reading)


def _stopping(making: Callable[..., Any], *about: Any) -> Any:
    """Return the generator; the job itself stops between two steps."""
    *given, _ = about
    return making(*given)
