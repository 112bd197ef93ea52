"""A part of an image that is looked at, read with what its edge depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_credible.io.image import Image
from napari_credible.noise.models import Gaussian, PoissonGaussian

Model = Gaussian | PoissonGaussian

# Read around the region and cut away, so that its edge looks as it will in the whole image.
_MARGIN = 32


@dataclass(frozen=True)
class Region:
    """A rectangle along every axis of an image.

    Attributes
    ----------
    start, stop : tuple of int, pixels
        First index, and the one behind the last, along each axis of ``Image.array``.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """What is shown of the array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def read(self, image: Image) -> Image:
        """Return what is read of an image: a margin more along Y and X; sky coordinates fit.

        Raises
        ------
        ValueError
            One sentence, where the region does not lie inside the image.
        """
        self.check(image)
        found = part_of(image, self._read(image))
        return found.with_array(np.asarray(found.array))

    def outline(self, image: Image) -> Image:
        """Return an image of the size that is read, of which nothing is read."""
        self.check(image)
        shape = [part.stop - part.start for part in self._read(image)]
        return image.with_array(np.broadcast_to(np.zeros((), np.float32), shape))

    def _read(self, image: Image) -> tuple[slice, ...]:
        return tuple(
            slice(max(0, a - _MARGIN), min(length, b + _MARGIN)) if axis in "YX" else slice(a, b)
            for a, b, axis, length in zip(
                self.start, self.stop, image.axes, image.array.shape, strict=True
            )
        )

    def inner(self, image: Image) -> tuple[slice, ...]:
        """Return which part of what is read is shown."""
        return tuple(
            slice(a - read.start, b - read.start)
            for a, b, read in zip(self.start, self.stop, self._read(image), strict=True)
        )

    def channels(self, image: Image) -> slice:
        """Return which channels are inside; all, where no axis counts them."""
        return self.slices[image.axes.index("C")] if "C" in image.axes else slice(None)

    def model(self, model: Model, image: Image) -> Model:
        """Return a noise model whose maps are cut to what is read."""
        return cut(model, _plane(self._read(image), image))

    def plane(self, image: Image) -> tuple[slice, slice]:
        """Return its rows and columns."""
        return _plane(self.slices, image)

    def models(self, models: Sequence[Model], image: Image) -> list[Model]:
        """Return the noise models of the channels inside, their maps cut to rows and columns."""
        return [cut(model, self.plane(image)) for model in models[self.channels(image)]]

    def check(self, image: Image) -> None:
        """Raise a ``ValueError`` of one sentence where the region is not inside the image."""
        shape = tuple(image.array.shape)
        fits = len(self.start) == len(self.stop) == len(shape) and all(
            0 <= a < b <= n for a, b, n in zip(self.start, self.stop, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"the region from {self.start} to {self.stop} does not lie in an image of shape "
                f"{shape}; give one start and stop for each axis, inside it"
            )


def _plane(slices: tuple[slice, ...], image: Image) -> tuple[slice, slice]:
    rows, columns = (slices[image.axes.index(axis)] for axis in "YX")
    return rows, columns


def part_of(image: Image, slices: tuple[slice, ...]) -> Image:
    """Return a part of an image, whose header places it in the sky where it was.

    Parameters
    ----------
    image : Image
        Its header may have FITS cards.
    slices : tuple of slice
        One for each axis.
    """
    found, header = image.with_array(image.array[slices]), image.header
    first = [part.start or 0 for part in slices]
    if "_cards" not in header or not any(first):
        return found
    from napari_credible.io.fits import shifted

    return replace(found, header={**header, "_cards": shifted(header["_cards"], first)})


def cut(model: Model, window: tuple[slice, ...]) -> Model:
    """Return a noise model whose maps are cut to rows and columns of the plane."""
    maps = {name: value[window] for name, value in vars(model).items() if np.ndim(value) == 2}
    return replace(model, **maps) if maps else model
