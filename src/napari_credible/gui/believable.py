"""Is it believable? The uncertainty of the user's own image put to the test, and mended."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from napari_credible import believe
from napari_credible.believe import Verdict
from napari_credible.gui.asked import Stop
from napari_credible.gui.chart import ChartPanel
from napari_credible.gui.family import Family, family_of, role_of
from napari_credible.gui.job import Answers, Job, in_words
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.gui.placed import Placed
from napari_credible.gui.reliability_chart import ReliabilityChart
from napari_credible.gui.tab import Tab
from napari_credible.gui.verdict_table import table_of, verdict_csv
from napari_credible.planes import Progress
from napari_credible.result import Result

_CHART_HIGH = 170
# Standard deviations of the noise: what lies beyond is no chance.
_FARTHEST = 4.0
_ABOUT = (
    "Draws images that are like yours, puts your noise on them, and counts how often the truth "
    "lies in the intervals; and looks at what is left of your data when the draws are subtracted."
)


class Believable(Tab):
    """The tab that tests.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the residual is shown.
    """

    widened = Signal(object)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.jobs: dict[str, Job] = {}
        self.verdict: Verdict | None = None
        self._placed: Placed | None = None
        self.run, self.cancel = QPushButton("Test"), QPushButton("Cancel")
        self.apply, self.residual = QPushButton("Apply the correction"), QPushButton("Residual map")
        self.bar = QProgressBar()
        self.sentence, self.checks, self.notes = _label(), _label(), _label()
        self.chart = ChartPanel(viewer, ReliabilityChart, _CHART_HIGH)
        self.chart.setAccessibleName("reliability plot")
        self._lay_out()
        self._connect()
        self._show(None)

    def _lay_out(self) -> None:
        self.run.setToolTip("Test the uncertainty of this image; takes a few times the sampling")
        self.cancel.setToolTip("Stop; nothing is changed")
        self.apply.setToolTip("Multiply both sides of every interval by the factor of the test")
        self.residual.setToolTip("Show data less a draw, in standard deviations of the noise")
        self.bar.setVisible(False)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.addLayout(_line(self.run, self.cancel))
        for part in (self.bar, self.sentence, self.chart):
            stack.addWidget(part)
        stack.addLayout(_line(self.residual, self.apply))
        stack.addWidget(self.notes)
        stack.addWidget(self.checks)
        stack.addStretch()

    def _connect(self) -> None:
        self.run.clicked.connect(self.start)
        self.cancel.clicked.connect(self.stop)
        self.apply.clicked.connect(self.widen)
        self.residual.clicked.connect(self.show_residual)

    def let_go(self) -> None:
        """Stop everything, and let go of the viewer."""
        self._halt()
        self._placed = None
        self.verdict = None
        self.chart.let_go()

    def _halt(self) -> None:
        while self.jobs:
            self.jobs.popitem()[1].abandon()

    def set_placed(self, placed: Placed | None) -> None:
        """Look at another family, or at none; a widened one keeps its verdict."""
        before, self._placed = self._placed, placed
        same = placed is not None and before is not None and placed.family is before.family
        if not same:
            self._halt()
            self._show(None)
            self._busy(False)
        self.setEnabled(placed is not None)

    # ── the test ──

    def start(self) -> None:
        """Test the chosen family in a worker."""
        if self._placed is None:
            return
        self._show(None)
        self._busy(True)
        work = partial(_tested, self._placed.family.result)
        answers = Answers(self._show, self._fail, self._step, self._over)
        self.jobs["test"] = Job(work, answers, "Is it believable?")

    def stop(self) -> None:
        """Stop what runs; nothing has changed."""
        for job in list(self.jobs.values()):
            job.cancel()

    def _step(self, progress: Progress, _: float) -> None:
        self.bar.setMaximum(max(progress.total, 1))
        self.bar.setValue(progress.done)
        self.say(f"{progress.doing} …")

    def _over(self, cancelled: bool) -> None:
        self.jobs.clear()
        self._busy(False)
        if cancelled:
            self.say("Stopped; nothing was changed.")

    def _fail(self, error: Exception) -> None:
        self.say(in_words(error))

    def _busy(self, busy: bool) -> None:
        self.run.setEnabled(not busy)
        self.cancel.setEnabled(busy)
        self.bar.setVisible(busy)
        self.bar.setValue(0)
        self._offer(busy)

    def _offer(self, busy: bool) -> None:
        there = self.verdict is not None and not busy
        self.residual.setEnabled(there)
        self.apply.setEnabled(there and not self._applied())

    def _applied(self) -> bool:
        """Return whether the intervals have the factor of the verdict already."""
        if self._placed is None or self.verdict is None:
            return False
        return bool(np.isclose(self._placed.family.result.recipe.widen, self.verdict.factor))

    # ── what came out ──

    def say(self, text: str) -> None:
        """Show a sentence at the foot of the tab."""
        self.notes.setText(text)

    def _show(self, verdict: Verdict | None) -> None:
        self.verdict = verdict
        self.sentence.setText(_ABOUT if verdict is None else verdict.sentence)
        self.checks.setText("" if verdict is None else table_of(verdict))
        self.chart.setVisible(verdict is not None)
        self.chart.show_what(None if verdict is None else verdict.reliability)
        self.say("")
        if verdict is not None:
            self.apply.setText(f"Apply the correction × {verdict.factor:.3g}")
        self._offer(busy=bool(self.jobs))

    def table(self) -> str:
        """Return what is shown as CSV.

        Raises
        ------
        ValueError
            Where nothing was tested yet.
        """
        if self.verdict is None:
            raise ValueError("Nothing was tested yet: press Test.")
        return verdict_csv(self.verdict)

    def show_residual(self) -> None:
        """Add the residual map as a layer."""
        if self._placed is None or self.verdict is None:
            return
        axes, matrix, units = self._placed.of_data()
        self.viewer.add_image(
            self.verdict.residual,
            name=f"{self._placed.family.result.source.name or 'image'} · residual",
            affine=matrix,
            axis_labels=[axis.lower() for axis in axes],
            units=[str(unit) for unit in units],
            colormap="PiYG",
            contrast_limits=(-_FARTHEST, _FARTHEST),
        )

    # ── the correction ──

    def widen(self) -> None:
        """Give the family's intervals the factor of the verdict, in a worker."""
        if self._placed is None or self.verdict is None:
            return
        self._busy(True)
        family = self._placed.family
        answers = Answers(partial(self._have, family), self._fail, self._step, self._over)
        self.jobs["widen"] = Job(partial(_widened, family.result, self.verdict.factor), answers)

    def _have(self, family: Family, found: tuple[Result, dict[str, Any]]) -> None:
        """Let all layers of the family belong to one with other intervals; show these."""
        result, maps = found
        verdict = self.verdict
        wider = dataclasses.replace(family, posterior=result.posterior, result=result)
        mine = [layer for layer in self.viewer.layers if family_of(layer) is family]
        for layer in mine:
            role = role_of(layer)
            wider.join(layer, role)
            if METADATA_KEY in layer.metadata:
                layer.metadata[METADATA_KEY] = {**layer.metadata[METADATA_KEY], **result.record()}
            if role in maps:
                layer.data = maps[role]
        self.widened.emit(wider)
        self._show(verdict)
        self.say(
            f"All intervals of {result.source.name or 'this image'} are now "
            f"{result.recipe.widen:.3g} times as wide as drawn; lower and upper show it, the "
            "recipe records it."
        )


def _tested(result: Result, stop: Stop) -> Generator[Progress, None, Verdict]:
    """Put the uncertainty of a result to the test, with its intervals as they are now."""
    image = result.source if result.data is None else result.data
    going = believe.believable(result.recipe_of_part, image, operator=result.operator, stop=stop)
    return (yield from going)


def _widened(
    result: Result, factor: float, _: Stop
) -> Generator[Progress, None, tuple[Result, dict[str, Any]]]:
    yield Progress(0, 1, "widening the intervals")
    wider = result.widened(factor)
    assert wider.posterior is not None
    lower, upper = wider.posterior.interval(wider.recipe.level)
    return wider, {"lower": lower, "upper": upper}


def _label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def _line(*widgets: QWidget) -> QHBoxLayout:
    line = QHBoxLayout()
    for widget in widgets:
        line.addWidget(widget)
    return line
