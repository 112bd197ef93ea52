"""A temporary layer beside its input, made anew in a worker whenever what it shows has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import QObject
from superqt.utils import qdebounced

from napari_credible.gui.asked import Asked
from napari_credible.gui.job import Answers, Job, Work
from napari_credible.region import Region

_SETTLED_MS = 250
PREVIEW_KEY = "napari-credible-preview"


class Beside(QObject):  # type: ignore[misc]
    """Follows the form and the view while it is on; never built itself.

    Who builds on it says which part is looked at (:meth:`region`), what a worker makes of it
    (:meth:`work`), and shows that by :meth:`put` (:meth:`found`).

    Parameters
    ----------
    viewer : napari.Viewer
        Whose view is followed.
    ask : callable
        Returns what the form asks, or None where it asks nothing that can be done.
    say : callable
        Is told in words what the layer shows or lacks.
    linked : tuple of str
        Attributes that the input and the layer share while it is there.
    on_top : bool
        Above all layers, not only above the input.
    """

    def __init__(
        self,
        viewer: Any,
        ask: Callable[[], Asked | None],
        say: Callable[[str], None],
        linked: tuple[str, ...] = (),
        on_top: bool = False,
    ) -> None:
        super().__init__()
        self.viewer, self.say = viewer, say
        self._ask, self._linked, self._on_top = ask, linked, on_top
        self._on = False
        self._job: Job | None = None
        self.layer: ImageLayer | None = None
        self._source: Any = None
        self._settled = qdebounced(self._refresh, timeout=_SETTLED_MS)
        for event in self.events():
            event.connect(self._moved)
        viewer.layers.events.removed.connect(self._removed)

    # ── what differs ──

    def events(self) -> list[Any]:
        """Return the events of the viewer after which the layer is made anew."""
        raise NotImplementedError

    def region(self, asked: Asked) -> Region:
        """Return what is looked at.

        Raises
        ------
        ValueError
            One sentence, where that cannot be.
        """
        raise NotImplementedError

    def work(self, asked: Asked, region: Region) -> Work:
        """Return what a worker does."""
        raise NotImplementedError

    def found(self, found: Any, asked: Asked, region: Region) -> None:
        """Show what the worker has found."""
        raise NotImplementedError

    # ── what is the same ──

    @property
    def on(self) -> bool:
        """Whether the layer is wanted."""
        return self._on

    def turn(self, on: bool) -> None:
        """Begin to show the temporary layer, or stop and remove it."""
        self._on = on
        if on:
            self._refresh()
        else:
            self._halt()
            self.remove()

    def renew(self) -> None:
        """Make it again, because the form asks something else."""
        self._moved()

    def close(self) -> None:
        """Stop, remove the layer and let go of the viewer."""
        self.turn(False)
        self._settled.cancel()
        for event in self.events():
            event.disconnect(self._moved)
        self.viewer.layers.events.removed.disconnect(self._removed)

    def _moved(self, _: Any = None) -> None:
        if self._on:
            self._settled()

    def _halt(self) -> None:
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _refresh(self) -> None:
        self._halt()
        asked = self._ask() if self._on else None
        if asked is None:
            return
        try:
            region = self.region(asked)
        except ValueError as error:
            self.say(str(error))
            return

        def shown(found: Any) -> None:
            self._job = None
            if self._on:
                self.found(found, asked, region)

        self._job = Job(
            self.work(asked, region), Answers(shown, lambda error: self.say(str(error)))
        )

    def put(self, source: Any, data: Any, attributes: dict[str, Any], name: str) -> None:
        """Show data, in a new layer where there is none beside the source."""
        layers = self.viewer.layers
        if self.layer is not None and self._source is not source:
            self.remove()
        if self.layer is not None:
            self.layer.data = data
            return
        self._source = source
        self.layer = ImageLayer(data, **attributes, name=name, metadata={PREVIEW_KEY: True})
        chosen = set(layers.selection)
        beside = source in layers and not self._on_top
        layers.insert(layers.index(source) + 1 if beside else len(layers), self.layer)
        layers.selection = chosen
        if self._linked and not source.rgb and source in layers:
            layers.link_layers([source, self.layer], self._linked)

    def remove(self) -> None:
        """Remove the layer, if it is there."""
        layer, self.layer = self.layer, None
        source, self._source = self._source, None
        layers = self.viewer.layers
        if layer is None or layer not in layers:
            return
        if self._linked and source in layers and not layer.rgb:
            layers.unlink_layers([source, layer], self._linked)
        chosen = set(layers.selection) - {layer}
        layers.remove(layer)
        layers.selection = chosen

    def _removed(self, event: Any) -> None:
        if event.value is self._source:
            self.remove()
        if event.value is self.layer:
            self.layer = self._source = None
            self._on = False
            self._halt()
            self.say("The preview was removed.")
