"""Denoise what is in view, into a temporary layer beside the input."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_credible.channel import Channel
from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.beside import PREVIEW_KEY as PREVIEW_KEY
from napari_credible.gui.beside import Beside
from napari_credible.gui.job import Work
from napari_credible.gui.layers import attributes_of
from napari_credible.gui.placing import moved
from napari_credible.gui.region import region_in_view
from napari_credible.planes import Progress
from napari_credible.region import Region
from napari_credible.result import Result
from napari_credible.run import channels_of, steps

_BLINK_MS = 600
WHOLE, SPLIT, BLINK = "whole", "split", "blink"


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


class Preview(Beside):
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
        self._what = what or ESTIMATE
        super().__init__(viewer, ask, say, self._what.linked, self._what.on_top)
        self._on_noise = on_noise
        self._how, self._share = WHOLE, 0.5
        self._shown: tuple[NDArray[Any], NDArray[Any], str] | None = None
        self._known: tuple[Any, list[Channel]] | None = None
        self._blink = QTimer(self)
        self._blink.timeout.connect(self._toggle)

    def events(self) -> list[Any]:
        """Return the events that move the view."""
        # napari 0.9 moved the camera; before, the viewer held it itself.
        camera = getattr(self.viewer, "scene", self.viewer).camera.events
        dims = self.viewer.dims.events
        return [camera.center, camera.zoom, dims.current_step, dims.order, dims.ndisplay]

    def show(self, how: str, share: float) -> None:
        """Show the whole preview, the part right of a split at ``share``, or blink."""
        self._how, self._share = how, share
        if how == BLINK:
            self._blink.start(_BLINK_MS)
        else:
            self._blink.stop()
            if self.layer is not None:
                self.layer.visible = True
        self._draw()

    def close(self) -> None:
        """Stop, remove the layer and let go of the viewer."""
        super().close()
        self._blink.stop()

    def region(self, asked: Asked) -> Region:
        """Return what is in view."""
        return region_in_view(self.viewer, asked.layer, asked.image)

    def work(self, asked: Asked, region: Region) -> Work:
        """Return what denoises the region."""
        key = (id(asked.layer), id(asked.layer.data), asked.image.axes, asked.recipe.noise)
        known = self._known[1] if self._known is not None and self._known[0] == key else None
        return partial(_found, asked, region, known, self._what.doing)

    def found(self, found: Any, asked: Asked, region: Region) -> None:
        """Show the region denoised."""
        result, channels = found
        noise = result.recipe.noise
        if asked.recipe.noise is None:
            self._on_noise(tuple(channel.model for channel in channels))
        key = (id(asked.layer), id(asked.layer.data), asked.image.axes, noise)
        self._known = (key, channels)
        noisy = np.asarray(result.source.array)
        self._shown = (noisy, self._what.picture(result), asked.image.axes)
        place = moved(attributes_of(asked.layer), region.start)["translate"]
        data = self._picture()
        look = {**self._what.look(data), "translate": place}
        name = f"{asked.layer.name} · {self._what.name}"
        self.put(asked.layer, data, {**asked.attributes, **look}, name)
        for attribute, value in look.items():
            setattr(self.layer, attribute, value)
        rows, columns = (region.shape[asked.image.axes.index(axis)] for axis in "YX")
        self.say(f"{self._what.shown} of {rows} × {columns} pixels in view.")

    def remove(self) -> None:
        """Remove the layer, if it is there; what it showed is forgotten, unless it comes again."""
        super().remove()
        if not self.on:
            self._shown = None

    def _draw(self) -> None:
        if self.layer is not None and self._shown is not None:
            self.layer.data = self._picture()

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
        if self.layer is not None:
            self.layer.visible = not self.layer.visible


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
