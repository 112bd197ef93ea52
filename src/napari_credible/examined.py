"""The part of an image whose uncertainty is put to the test, and what its draws say of the data.

Where a clean image is sampled the light of the data is the draw itself; where what an instrument
did is undone, it is H of the draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible import geometry
from napari_credible.channel import Channel
from napari_credible.checks import Halves, Model, halved
from napari_credible.cropping import cropped
from napari_credible.io.image import Image
from napari_credible.noise import Gaussian
from napari_credible.operators import Operator
from napari_credible.posed import as_measured, saturated_from, usable
from napari_credible.region import cut

Floats = NDArray[np.floating[Any]]
Window = tuple[slice, slice]

# Pixels over which an image is smoothed to find where something is to be seen, and the share of
# its data that must be seen there.
_SEEN, _SEEN_SHARE = 2.0, 0.5
# Photoelectrons below which counts have no spread of their own.
_LEAST = 0.25


@dataclass(frozen=True, eq=False)
class Examined:
    """One plane of data, or a part of it.

    Attributes
    ----------
    plane : ndarray, shape (Y, X)
        The data.
    place : tuple
        Where they lie in the ordered array of the image, channels first.
    model : NoiseModel
        Of the data.
    known : tuple of Channel
        What was found of the whole channel; empty where the method finds it anew.
    operator : Operator, optional
        H, where the draws are of another image than the data.
    unseen : ndarray of bool, shape (Y, X), optional
        Data that nothing was learned from.
    """

    plane: Floats
    place: tuple[Any, ...]
    model: Model
    known: tuple[Channel, ...] = ()
    operator: Operator | None = None
    unseen: NDArray[np.bool_] | None = None

    def light(self, draws: Floats) -> Floats:
        """Return what the data of draws would be without noise, shape (..., Y, X), finite."""
        if self.operator is None:
            # Where nothing was drawn, the data stand in, so that the bootstrap has a whole image.
            return np.where(np.isnan(draws), np.nan_to_num(self.plane), draws)
        return geometry.light_behind(self.operator, getattr(self.model, "offset", 0.0), draws)

    def judged(self, draws: Floats) -> Floats:
        """Return the same, NaN where the data said nothing of the draws."""
        light = self.light(draws)
        unknown = np.isnan(draws) if self.unseen is None else self.unseen
        return np.asarray(np.where(unknown, np.nan, light))

    def split(self, draws: Floats, rng: np.random.Generator) -> Halves:
        """Return the data split into two halves of independent noise.

        The stabilised image of counts is no longer H of anything, so behind an operator counts
        that are not whole photons are taken for Gaussian, of the variance of the draws' light.
        """
        plane = np.nan_to_num(self.plane)
        found = halved(self.model, plane, rng)
        dealt = found.model == self.model
        if self.operator is None or dealt or isinstance(self.model, Gaussian):
            return found
        light = np.maximum(self.light(draws).mean(0), self.model.least(_LEAST))
        gaussian = Gaussian(np.sqrt(self.model.variance(light)))
        return halved(gaussian, plane - self.model.offset, rng)


def of_channels(image: Image, channels: Sequence[Channel], side: int) -> Iterator[Examined]:
    """Yield the part of each channel that is tested: of a stack, of its middle plane."""
    for number, channel in enumerate(channels):
        plane, place = _middle(image, number)
        window = _region(channel.model.stabilise(np.nan_to_num(plane)), side, lambda _: True)
        known = replace(channel, model=cut(channel.model, window))
        yield Examined(plane[window], (*place, *window), known.model, (known,))


def of_data(
    image: Image, models: Sequence[Model], operator: Operator, side: int, spectral: bool = False
) -> Iterator[Examined]:
    """Yield the part of each channel of data behind H; all data where H allows no part.

    Parameters
    ----------
    image : Image
        The data.
    models : sequence of NoiseModel
        Of each channel.
    operator : Operator
        H, for the data's pixels.
    side : int, pixels
        Of the part.
    spectral : bool
        Whether the method needs singular values, which a part may lack.

    Raises
    ------
    ValueError
        Where no datum counts.
    """
    for number, stated in enumerate(models):
        plane, place = _middle(image, number)
        own, model = operator, stated
        if not spectral:
            own, plane, found = as_measured(operator, plane, stated)
            model = found or stated
        own, flag = usable(own, plane, saturated_from(own, plane))
        unseen = ~own.observed(plane.shape) | (flag > 0)
        window, part = _part(own, np.where(unseen, np.nan, plane), model, side, spectral)
        unseen, model = unseen[window], cut(model, window)
        data = np.where(unseen, getattr(model, "offset", 0.0), plane[window])
        yield Examined(data, (*place, *window), model, (), part, unseen)


def _part(
    operator: Operator, plane: NDArray[np.float64], model: Model, side: int, spectral: bool
) -> tuple[Window, Operator]:
    """Return the window of a plane, NaN where unseen, that is tested, and its H."""
    whole = (slice(0, plane.shape[0]), slice(0, plane.shape[1])), operator
    if max(plane.shape) <= side:
        return whole

    def possible(window: Window) -> bool:
        seen = float(np.isfinite(plane[window]).mean()) >= _SEEN_SHARE
        return seen and _usable(operator, window, plane.shape, spectral) is not None

    seen = np.isfinite(plane)
    window = _region(model.stabilise(np.where(seen, plane, np.median(plane[seen]))), side, possible)
    part = _usable(operator, window, plane.shape, spectral) if possible(window) else None
    return whole if part is None else (window, part)


def _usable(
    operator: Operator, window: Window, shape: tuple[int, ...], spectral: bool
) -> Operator | None:
    """Return H of a window of the data, if the method can work with that."""
    import torch

    part = cropped(operator, window, shape)
    if part is None or not spectral:
        return part
    sides = tuple(side.stop - side.start for side in window)
    return part if part.factors(part.image_shape(sides), torch.zeros(())) is not None else None


def _middle(image: Image, number: int) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Return the middle plane of a channel, and its place in the ordered array."""
    image = image.opaque()
    ordered = image.ordered() if image.channel_axis else image.ordered()[None]
    place = (number, *(n // 2 for n in ordered.shape[1:-2]))
    return np.asarray(ordered[place], dtype=np.float64), place


def _region(stabilised: Floats, side: int, possible: Callable[[Window], bool]) -> Window:
    """Return the square in which most is to be seen, of those that are possible."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(stabilised, _SEEN)
    places = _squares(smooth.shape, side, lambda room: range(0, room + 1, max(side // 2, 1)))
    allowed = [place for place in places if possible(place)]
    if not allowed:  # small images have nothing but edges there
        places = _squares(smooth.shape, side, lambda room: (room // 4 * 2,))
        allowed = [place for place in places if possible(place)] or places
    return max(allowed, key=lambda place: float(smooth[place].std()))


def _squares(
    shape: tuple[int, ...], side: int, starts: Callable[[int], Iterable[int]]
) -> list[Window]:
    rows, columns = ([slice(s, min(s + side, n)) for s in starts(max(n - side, 0))] for n in shape)
    return [(row, column) for row in rows for column in columns]
