"""The layers of one sampling run, from its first two draws to its last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import QTimer

from napari_credible.gui.asked import Asked
from napari_credible.gui.family import DRAWS, MEAN, ROLE_KEY, STD, Family
from napari_credible.gui.layers import METADATA_KEY, unique_name
from napari_credible.gui.looks import LIGHT, ORDER, VISIBLE, look_of, shown
from napari_credible.gui.older import label_slider, link
from napari_credible.gui.placing import moved, with_samples
from napari_credible.gui.sampling import Drawn, Maps, Seen
from napari_credible.posterior import Posterior
from napari_credible.region import Region

_LINKED = ("contrast_limits",)
# So that clicks and key strokes come between two layers.
_BETWEEN_MS = 5


class Live:
    """Adds and renews layers one at a time, so that the window never waits for all of them.

    A layer that the user removes does not come back.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are put, above their input.
    asked : Asked
        What is sampled.
    region : Region or None
        Which part of it.
    on_removed : callable
        Is told when the user has removed all of the layers while it samples.
    """

    def __init__(
        self, viewer: Any, asked: Asked, region: Region | None, on_removed: Callable[[], None]
    ) -> None:
        self._viewer, self._asked, self._on_removed = viewer, asked, on_removed
        start = region.start if region is not None else [0] * len(asked.image.axes)
        self._seen = Seen(asked.image, moved(asked.attributes, start))
        self._layers: dict[str, Any] = {}
        self._unwanted: set[str] = set()
        self._waiting: deque[Callable[[], None]] = deque()
        self._last: Maps | None = None
        self._over = False
        self._timer = QTimer()
        self._timer.setInterval(_BETWEEN_MS)
        self._timer.timeout.connect(self._turn)
        viewer.layers.events.removed.connect(self._removed)

    def show(self, maps: Maps | None) -> None:
        """Show newer maps; older ones that wait are forgotten."""
        if maps is None or maps is self._last:
            return
        self._last, self._seen = maps, maps.seen or self._seen
        self._waiting.clear()
        # The mean first: where the input's contrast does not fit, the others take the mean's.
        for role in sorted(ORDER, key=lambda each: each != MEAN):
            if role in maps.by_role:
                data = shown(role, maps.by_role[role], self._seen.image)
                self._waiting.append(partial(self._put, role, data))
        self._timer.start()

    def end(self, drawn: Drawn, done: Callable[[Any], None]) -> None:
        """Show the last maps and the draws; then tell ``done`` the mean's layer, or None."""
        self.show(drawn.maps)
        posterior = drawn.result.posterior
        if isinstance(posterior, Posterior):
            draws = shown(DRAWS, posterior.draws, self._seen.image)
            self._waiting.appendleft(partial(self._put, DRAWS, draws))
        self._waiting.append(partial(self._finish, drawn, done))
        self._timer.start()

    def flush(self) -> None:
        """Do at once all that waits."""
        while self._waiting:
            self._turn()

    def abandon(self) -> None:
        """Do no more; the layers that are there stay."""
        self._waiting.clear()
        self._let_go()

    def clear(self) -> None:
        """Remove the layers again: the run has failed."""
        self.abandon()
        for layer in self._layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()

    def _turn(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._timer.stop()

    def _put(self, role: str, data: Any) -> None:
        if role in self._unwanted:
            return
        layer = self._layers.get(role)
        if layer is None:
            self._add(role, data)
        else:
            layer.data = data
            if role == STD:
                layer.contrast_limits = look_of(role, data)["contrast_limits"]

    def _add(self, role: str, data: Any) -> None:
        layers, source, seen = self._viewer.layers, self._asked.layer, self._seen
        attributes = with_samples(seen.attributes) if role == DRAWS else seen.attributes
        anchor = source if source in layers and seen.alike else self._layers.get(MEAN)
        look = look_of(role, data)
        if role in LIGHT and anchor is not None:
            look["contrast_limits"] = list(anchor.contrast_limits)
        names = [layer.name for layer in layers]
        layer = ImageLayer(
            data,
            **{**attributes, **look},
            name=unique_name(f"{self._asked.image.name} · {role}", names),
            visible=role in VISIBLE,
            metadata={ROLE_KEY: role},
        )
        self._layers[role] = layer
        chosen = set(layers.selection)
        layers.insert(self._place(role), layer)
        layers.selection = chosen
        if role in LIGHT and anchor is not None and not layer.rgb:
            link(layers, [anchor, layer], _LINKED)
        if role == DRAWS:
            label_slider(self._viewer, layer)

    def _place(self, role: str) -> int:
        """Return where a layer belongs: above the input and the maps that lie below it."""
        layers = self._viewer.layers
        lower = [self._layers.get(each) for each in ORDER[: ORDER.index(role)]]
        below = [each for each in (self._asked.layer, *lower) if each is not None]
        places = [layers.index(each) for each in below if each in layers]
        return max(places) + 1 if places else len(layers)

    def _finish(self, drawn: Drawn, done: Callable[[Any], None]) -> None:
        result = drawn.result
        family = Family(result.posterior, result)
        if self._asked.layer in self._viewer.layers:
            family.roles["input"] = self._asked.layer
        for role, layer in self._layers.items():
            if role in self._unwanted:
                continue
            family.join(layer, role)
            layer.metadata[METADATA_KEY] = result.record()
            layer.metadata["header"] = dict(result.source.header)
            layer.metadata["unit"] = result.source.unit
        mean = None if MEAN in self._unwanted else self._layers.get(MEAN)
        if mean is not None:
            self._viewer.layers.selection.active = mean
        self._let_go()
        done(mean)

    def _removed(self, event: Any) -> None:
        for role, layer in self._layers.items():
            if layer is event.value:
                self._unwanted.add(role)
        if self._layers and self._unwanted >= set(self._layers):
            self._on_removed()

    def _let_go(self) -> None:
        self._timer.stop()
        if not self._over:
            self._viewer.layers.events.removed.disconnect(self._removed)
        self._over = True
