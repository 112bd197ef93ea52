"""Denoise what is in view, into a temporary layer beside the input."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image as ImageLayer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer
from superqt.utils import qdebounced

from napari_credible.channel import Channel
from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.job import Answers, Job
from napari_credible.gui.layers import attributes_of
from napari_credible.gui.placing import moved
from napari_credible.gui.region import region_in_view
from napari_credible.planes import Progress
from napari_credible.region import Region
from napari_credible.result import Result
from napari_credible.run import channels_of, steps

_SETTLED_MS, _BLINK_MS = 250, 600
WHOLE, SPLIT, BLINK = "whole", "split", "blink"
PREVIEW_KEY = "napari-credible-preview"


@dataclass(frozen=True)
class Previewed:
    """What of a result a preview shows, and how.

    Attributes
    ----------
    name : str
        Behind the input's name.
    doing, shown : str
        What is said meanwhile, and of the size that is shown.
    picture : callable
        Returns the pixels of a result.
    look : callable
        Returns the layer attributes that differ from the input's, for these pixels.
    linked : tuple of str
        Attributes that the input and the preview share while it is there.
    on_top : bool
        Above all layers, not only above the input.
    """

    name: str
    doing: str
    shown: str
    picture: Callable[[Result], NDArray[Any]]
    look: Callable[[NDArray[Any]], dict[str, Any]]
    linked: tuple[str, ...]
    on_top: bool = False


class Preview(QObject):  # type: ignore[misc]
    """A temporary layer that follows the view while it is on.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose view is followed.
    ask : callable
        Returns what the form asks, or None where it asks nothing that can be done.
    say : callable
        Is told in words what the preview shows or lacks.
    on_noise : callable
        Is told the noise models, where the preview had to measure them.
    what : Previewed
        The estimate, where not given.
    """

    def __init__(
        self,
        viewer: Any,
        ask: Callable[[], Asked | None],
        say: Callable[[str], None],
        on_noise: Callable[[tuple[Any, ...]], None],
        what: Previewed | None = None,
    ) -> None:
        super().__init__()
        self._what = what or ESTIMATE
        self._viewer, self._ask, self._say, self._on_noise = viewer, ask, say, on_noise
        self._on = False
        self._how, self._share = WHOLE, 0.5
        self._job: Job | None = None
        self._layer: ImageLayer | None = None
        self._source: Any = None
        self._shown: tuple[NDArray[Any], NDArray[Any], str] | None = None
        self._known: tuple[Any, list[Channel]] | None = None
        self._settled = qdebounced(self._refresh, timeout=_SETTLED_MS)
        self._blink = QTimer(self)
        self._blink.timeout.connect(self._toggle)
        for event in self._events():
            event.connect(self._moved)
        viewer.layers.events.removed.connect(self._removed)

    def _events(self) -> list[Any]:
        # napari 0.9 moved the camera; before, the viewer held it itself.
        camera = getattr(self._viewer, "scene", self._viewer).camera.events
        dims = self._viewer.dims.events
        return [camera.center, camera.zoom, dims.current_step, dims.order, dims.ndisplay]

    @property
    def on(self) -> bool:
        """Whether the view is followed."""
        return self._on

    def turn(self, on: bool) -> None:
        """Begin to follow the view, or stop and remove the temporary layer."""
        self._on = on
        if on:
            self._refresh()
        else:
            self._halt()
            self._remove()

    def show(self, how: str, share: float) -> None:
        """Show the whole preview, the part right of a split at ``share``, or blink."""
        self._how, self._share = how, share
        if how == BLINK:
            self._blink.start(_BLINK_MS)
        else:
            self._blink.stop()
            if self._layer is not None:
                self._layer.visible = True
        self._draw()

    def renew(self) -> None:
        """Denoise again, because the form asks something else."""
        self._moved()

    def close(self) -> None:
        """Stop, remove the layer and let go of the viewer."""
        self.turn(False)
        self._settled.cancel()
        self._blink.stop()
        for event in self._events():
            event.disconnect(self._moved)
        self._viewer.layers.events.removed.disconnect(self._removed)

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
            region = region_in_view(self._viewer, asked.layer, asked.image)
        except ValueError as error:
            self._say(str(error))
            return
        key = (id(asked.layer), id(asked.layer.data), asked.image.axes, asked.recipe.noise)
        known = self._known[1] if self._known is not None and self._known[0] == key else None
        answers = Answers(
            partial(self._found, asked=asked, region=region), lambda error: self._say(str(error))
        )
        self._job = Job(partial(_found, asked, region, known, self._what.doing), answers)

    def _found(self, found: Any, asked: Asked, region: Region) -> None:
        self._job = None
        if not self._on:
            return
        result, channels = found
        noise = result.recipe.noise
        if asked.recipe.noise is None:
            self._on_noise(tuple(channel.model for channel in channels))
        key = (id(asked.layer), id(asked.layer.data), asked.image.axes, noise)
        self._known = (key, channels)
        noisy = np.asarray(result.source.array)
        self._shown = (noisy, self._what.picture(result), asked.image.axes)
        self._place(asked.layer, asked.attributes, region)
        self._draw()
        rows, columns = (region.shape[asked.image.axes.index(axis)] for axis in "YX")
        self._say(f"{self._what.shown} of {rows} × {columns} pixels in view.")

    def _place(self, source: Any, attributes: dict[str, Any], region: Region) -> None:
        """Put the temporary layer over the region, adding it where there is none."""
        if self._layer is not None and self._source is not source:
            self._remove(keep=True)
        placed = moved(attributes_of(source), region.start)
        if self._layer is None:
            self._source = source
            data = self._picture()
            self._layer = ImageLayer(
                data,
                **{**attributes, **self._what.look(data), "translate": placed["translate"]},
                name=f"{source.name} · {self._what.name}",
                metadata={PREVIEW_KEY: True},
            )
            layers = self._viewer.layers
            chosen = set(layers.selection)
            beside = source in layers and not self._what.on_top
            layers.insert(layers.index(source) + 1 if beside else len(layers), self._layer)
            layers.selection = chosen
            if self._what.linked and not source.rgb and source in layers:
                layers.link_layers([source, self._layer], self._what.linked)
        else:
            self._layer.data = self._picture()
            self._layer.translate = placed["translate"]
            for name, value in self._what.look(self._layer.data).items():
                setattr(self._layer, name, value)

    def _draw(self) -> None:
        if self._layer is not None and self._shown is not None:
            self._layer.data = self._picture()

    def _picture(self) -> NDArray[Any]:
        assert self._shown is not None
        noisy, clean, axes = self._shown
        if self._how != SPLIT:
            return clean
        along = axes.index("X")
        columns = np.arange(clean.shape[along]) < self._share * clean.shape[along]
        shape = [1] * clean.ndim
        shape[along] = -1
        return np.where(columns.reshape(shape), noisy, clean).astype(clean.dtype)

    def _toggle(self) -> None:
        if self._layer is not None:
            self._layer.visible = not self._layer.visible

    def _removed(self, event: Any) -> None:
        if event.value is self._source:
            self._remove()
        if event.value is self._layer:
            self._layer = self._source = None
            self._on = False
            self._halt()
            self._say("The preview was removed.")

    def _remove(self, keep: bool = False) -> None:
        layer, self._layer = self._layer, None
        if not keep:
            self._shown = None
        if layer is None or layer not in self._viewer.layers:
            self._source = None
            return
        layers = self._viewer.layers
        source, self._source = self._source, None
        if self._what.linked and source in layers and not layer.rgb:
            layers.unlink_layers([source, layer], self._what.linked)
        chosen = set(layers.selection) - {layer}
        layers.remove(layer)
        layers.selection = chosen


def _found(
    asked: Asked, region: Region, known: list[Channel] | None, doing: str, stop: Stop
) -> Generator[Progress, None, tuple[Result, list[Channel]]]:
    """Return the region's result, and what was found on the whole image for it."""
    recipe = yield from asked.measured()
    yield Progress(0, 1, doing)
    channels = known if known is not None else channels_of(recipe, asked.image)
    result = yield from steps(recipe, asked.image, region=region, known=channels, stop=stop)
    return result, channels


def _shown_as(result: Result) -> NDArray[Any]:
    """Return the estimate as napari can show it: colours in the input's integers."""
    colour = "S" in result.source.axes and np.dtype(result.source.array.dtype).kind in "iu"
    return result.in_input_type() if colour else np.asarray(result.image.array, dtype=np.float32)


ESTIMATE = Previewed(
    name="preview",
    doing="denoising the view",
    shown="Preview",
    picture=_shown_as,
    look=lambda _: {},
    linked=("contrast_limits", "gamma", "colormap"),
)
