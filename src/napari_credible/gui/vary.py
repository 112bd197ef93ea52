"""See how the draws differ: along their principal components, or one after another."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_credible.gui.asked import Stop
from napari_credible.gui.job import Answers, Job, in_words
from napari_credible.gui.placed import Placed
from napari_credible.gui.tab import Tab
from napari_credible.gui.temporary import Temporary
from napari_credible.gui.vary_layout import COMPONENTS, VaryControls
from napari_credible.planes import Progress
from napari_credible.posterior import Components, Posterior
from napari_credible.section import Section

_SETTLED_MS = 250
# Each takes some thirty calls of the denoiser, where there are no draws.
_FEWER = 2
_NOT_FLAT = "This needs the 2D view of the axes Y and X."
_NO_DRAWS = "Only the maps were kept, not the draws: sample again with keep='draws' to see them."


class Vary(Tab):
    """The tab that shows what is uncertain as images, in a temporary layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the temporary layer is shown.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.jobs: dict[str, Job] = {}
        self._placed: Placed | None = None
        self._found: tuple[NDArray[np.float32], Components] | None = None
        self._plane: tuple[int, ...] | None = None
        self._number = 0
        self.layer = Temporary(viewer, self._gone)
        self.controls = VaryControls(self)
        self._blink = QTimer(self)
        self._blink.timeout.connect(self.next_draw)
        self._settled = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._settled.timeout.connect(self._refresh)
        self._connect()

    def _connect(self) -> None:
        controls = self.controls
        controls.components.toggled.connect(self._components_turned)
        controls.blink.toggled.connect(self._blink_turned)
        controls.component.currentIndexChanged.connect(self.draw)
        controls.slider.valueChanged.connect(self.draw)
        controls.speed.valueChanged.connect(self._faster)
        self.viewer.dims.events.current_step.connect(self._slid)

    def let_go(self) -> None:
        """Stop everything, remove the temporary layer, and let go of the viewer."""
        self.turn_off()
        self._settled.stop()
        self._placed = None
        self.layer.let_go()
        self.viewer.dims.events.current_step.disconnect(self._slid)

    def turn_off(self) -> None:
        """Stop what runs and remove the temporary layer."""
        self.controls.components.setChecked(False)
        self.controls.blink.setChecked(False)
        self._end()

    def set_placed(self, placed: Placed | None) -> None:
        """Look at another family, or at none."""
        before, self._placed = self._placed, placed
        if placed is None or before is None or placed.family is not before.family:
            self.turn_off()
        self.setEnabled(placed is not None)
        kept = placed is None or isinstance(placed.family.posterior, Posterior)
        self.controls.allow_draws(kept, has_components(placed))
        self.say("" if kept else _NO_DRAWS)

    def say(self, text: str) -> None:
        """Show a sentence at the foot of the tab."""
        self.controls.notes.setText(text)

    def _end(self) -> None:
        self._blink.stop()
        while self.jobs:
            self.jobs.popitem()[1].abandon()
        self._found = self._plane = None
        self.layer.remove()

    def _gone(self) -> None:
        """Turn off: the user removed the temporary layer."""
        self.turn_off()

    def _section(self) -> tuple[Section, tuple[int, ...]] | None:
        if self._placed is None:
            return None
        if not self._placed.upright(self.viewer):
            self.say(_NOT_FLAT)
            return None
        index = self._placed.in_view(self.viewer.dims.point)
        plane = tuple(-1 if a in "YX" else k for a, k in zip(self._placed.axes, index, strict=True))
        return self._placed.section(index), plane

    # ── components ──

    def _components_turned(self, on: bool) -> None:
        if on:
            self.controls.blink.setChecked(False)
            self._refresh()
        elif not self.controls.blink.isChecked():
            self._end()

    def _slid(self, _: Any = None) -> None:
        if self.controls.components.isChecked() or self.controls.blink.isChecked():
            self._settled.start()

    def _refresh(self) -> None:
        """Find the components of the plane in view, where it is another one."""
        here = self._section()
        if here is None or here[1] == self._plane:
            return
        section, self._plane = here
        if self.controls.blink.isChecked():
            self.next_draw()
        if not self.controls.components.isChecked():
            return
        self.say("Finding what the draws do not agree on …")
        answers = Answers(self._have, self._fail, end=partial(self._over, "components"))
        self.jobs["components"] = Job(partial(components_of, section), answers)

    def _have(self, found: tuple[NDArray[np.float32], Components] | None) -> None:
        if found is None or not self.controls.components.isChecked():
            return
        self._found = found
        self.controls.offer(found[1])
        share = 100 * found[1].share
        count = len(found[1].variances)
        self.say(
            f"{count} component{'s' if count > 1 else ''} carry {share:.0f} % of all variance of "
            "this plane. The slider is in standard deviations."
        )
        self.draw()

    def draw(self, _: Any = None) -> None:
        """Show the mean, moved along the chosen component."""
        if self._found is None or self._placed is None or self._plane is None:
            return
        mean, components = self._found
        k = max(self.controls.component.currentIndex(), 0)
        picture = moved(mean, components, k, self.controls.steps())
        self.layer.show(picture, self._placed, self._plane, "component")

    # ── draws ──

    def _blink_turned(self, on: bool) -> None:
        if on:
            self.controls.components.setChecked(False)
            self._number = 0
            self._faster()
            self.next_draw()
        elif not self.controls.components.isChecked():
            self._end()

    def _faster(self, _: Any = None) -> None:
        if self.controls.blink.isChecked():
            self._blink.start(round(1000 / self.controls.speed.value()))

    def next_draw(self) -> None:
        """Show one more draw, as soon as it is read; the first follows the last."""
        here = self._section()
        if here is None or self._placed is None or "draw" in self.jobs:
            return
        section, self._plane = here
        if not section.has_draws:
            self.say(_NO_DRAWS)
            return
        number = self._number % section.posterior.n_draws
        self._number = number + 1
        if section.at_hand:
            self._show_draw(number, one_draw(section, number))
            return
        answers = Answers(partial(self._show_draw, number), self._fail,
                          end=partial(self._over, "draw"))  # fmt: skip
        self.jobs["draw"] = Job(partial(_read_draw, section, number), answers)

    def _show_draw(self, number: int, picture: NDArray[np.float32] | None) -> None:
        if picture is None or self._placed is None or not self.controls.blink.isChecked():
            return
        assert self._plane is not None
        self.layer.show(picture, self._placed, self._plane, "draws in turn")
        self.say(f"Draw {number + 1} of {self._placed.family.posterior.n_draws}.")

    def _fail(self, error: Exception) -> None:
        self.turn_off()
        self.say(in_words(error))

    def _over(self, name: str, _: bool) -> None:
        self.jobs.pop(name, None)


def has_components(placed: Placed | None) -> bool:
    """Return whether a family's posterior answers for its components."""
    return placed is not None and hasattr(placed.family.posterior, "components")


def components_of(
    section: Section, _: Stop
) -> Generator[Progress, None, tuple[NDArray[np.float32], Components]]:
    """Return the mean of a plane and its leading components; what was not drawn is their zero."""
    yield Progress(0, 1, "finding the components")
    here = section.everything()
    if not section.has_draws:
        return section.estimate(*here), _of_plane(section)
    whole = section.part(*here)
    mean = whole.mean
    if np.isnan(mean).any():
        whole = Posterior(np.nan_to_num(whole.draws))
    return mean, whole.components(COMPONENTS)


def _of_plane(section: Section) -> Components:
    """Return the components of a plane of a posterior that knows its covariance."""
    key = section.key(*section.everything())
    mask = np.zeros(section.measured.shape, dtype=bool)
    mask[key] = True
    found: Components = section.posterior.components(_FEWER, mask)
    images = np.stack([section.upright(image[key]) for image in found.images])
    return found._replace(images=images)


def moved(
    mean: NDArray[np.float32], components: Components, k: int, steps: float
) -> NDArray[np.float32]:
    """Return the mean moved by a number of standard deviations along a component."""
    along = steps * math.sqrt(float(components.variances[k]))
    return np.asarray(mean + np.float32(along) * components.images[k], dtype=np.float32)


def one_draw(section: Section, number: int) -> NDArray[np.float32]:
    """Return one draw of a plane."""
    key = (number, *section.key(*section.everything()))
    return section.upright(np.asarray(section.posterior.draws[key]))


def _read_draw(
    section: Section, number: int, _: Stop
) -> Generator[Progress, None, NDArray[np.float32]]:
    yield Progress(0, 1, "reading a draw")
    return one_draw(section, number)
