"""How the data came from the image: captured on the main thread, answered in a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.flags import Flag
from napari_credible.io.image import Image
from napari_credible.shapes import Shape

if TYPE_CHECKING:
    from napari_credible.operators import Operator, StarPsf

MASK, BLUR, RADON = "mask", "blur", "radon"
# Where a mask may come from, and what that means.
ITSELF, PAINTED = "the image itself", "a Labels or Shapes layer"
MASKS = {
    ITSELF: "Pixels that are missing (NaN) or saturated are restored, plane by plane",
    PAINTED: "Pixels that are painted in Labels, marked by flags, or lie in drawn shapes",
}
# Where a point-spread function may come from.
GAUSSIAN, BOX, STARS = "a Gaussian", "a uniform square", "the stars of the image"
LAYER, FILE = "an image layer", "a file"
PSFS = {
    GAUSSIAN: "Of a width that you know",
    BOX: "The mean of a square of pixels",
    LAYER: "The image of a point; a pixel size that differs is resampled",
    FILE: "TIFF, FITS, PNG or NPY; a pixel size that differs is resampled",
    STARS: "Measured from isolated, unsaturated stars of the chosen image",
}
# Where the angles of a sinogram may come from.
EVEN = "evenly spaced"
ANGLES = {
    EVEN: "From the first angle up to the last, which is left out",
    FILE: "A table of degrees",
}
# Of flags, those whose pixels say nothing.
_SAY_NOTHING = int(Flag.NOT_FINITE | Flag.SATURATED)


@dataclass(frozen=True, eq=False)
class Painted:
    """What a user has painted or drawn over the image.

    Attributes
    ----------
    name : str
        Of the layer.
    labels : array, shape (..., Y, X), or None
        Not 0 where something is painted.
    flags : bool
        Whether the labels are flags of a result, of which not all say that a pixel is missing.
    shapes : tuple of Shape
        In pixels of the image.
    """

    name: str
    labels: Any = None
    flags: bool = False
    shapes: tuple[Shape, ...] = ()

    def pixels(self, sides: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which pixels of an image of these sides are painted, in any plane.

        Raises
        ------
        ValueError
            Where none is, or the labels are of another size.
        """
        found = np.zeros(sides, dtype=bool)
        if self.labels is not None:
            labels = np.asarray(self.labels)
            if labels.shape[-2:] != sides:
                raise ValueError(
                    f"{self.name!r} has planes of {labels.shape[-2:]} pixels and the image of "
                    f"{sides}; paint on a Labels layer of the image's size"
                )
            marked = labels & _SAY_NOTHING if self.flags else labels
            found = (marked != 0).reshape(-1, *sides).any(0)
        for shape in self.shapes:
            if not shape.is_line:
                rows, columns = shape.box(sides)
                found[rows, columns] |= shape.mask(rows, columns)
        if not found.any():
            raise ValueError(
                f"nothing is painted or drawn in {self.name!r}; mark the pixels to restore in it"
            )
        return found


@dataclass(frozen=True, eq=False)
class Physics:
    """What was found: the operator, how a recipe spells it, and what it was made from."""

    operator: Operator
    spelling: str | dict[str, Any]
    words: str = ""
    stars: StarPsf | None = None


@dataclass(frozen=True, eq=False)
class PhysicsQuestion:
    """Which operator, made from what.

    Attributes
    ----------
    kind : str
        One of :data:`napari_credible.operators.ABOUT`.
    numbers : dict
        What it is made from beside arrays.
    source : str
        Of :data:`MASKS`, :data:`PSFS` or :data:`ANGLES`.
    painted : Painted or None
        Of a mask.
    seen : bool
        Whether what is painted is what is seen; else it is what is missing.
    image, path : Image or None, str
        Of a point-spread function; a path also of angles.
    width : float
        Of a Gaussian (std), a square or the PSF of stars, pixels.
    stars : StarPsf or None
        Where it was measured before.
    circle : bool
        Whether a detector is as wide as the image.
    angles : (int, float, float)
        How many, from where, up to where; 0 are as many as the data have.
    """

    kind: str
    numbers: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    painted: Painted | None = None
    seen: bool = False
    image: Image | None = None
    path: str = ""
    width: float = 1.0
    stars: StarPsf | None = None
    circle: bool = True
    angles: tuple[int, float, float] = (0, 0.0, 180.0)

    def answer(self, data: Image) -> Physics:
        """Return the operator for data; nothing of Qt is touched.

        Raises
        ------
        ValueError
            One sentence, where there is none.
        """
        from napari_credible.io import read
        from napari_credible.operators import operator_of, spelled

        makers = {MASK: self._mask, BLUR: self._blur, RADON: self._radon}
        found = makers.get(self.kind, self._simple)(data)
        spelling, words, stars = found if isinstance(found, tuple) else (found, "", None)
        spelling = spelled(spelling)
        return Physics(operator_of(spelling, read), spelling, words, stars)

    def _simple(self, _: Image) -> str:
        values = ",".join(str(value) for value in self.numbers.values())
        return f"{self.kind}:{values}" if values else self.kind

    def _mask(self, data: Image) -> Any:
        if self.source == ITSELF:
            return "identity", _doubtful(data), None
        from napari_credible.operators import Mask

        assert self.painted is not None
        sides = data.ordered().shape[-2:]
        pixels = self.painted.pixels((sides[0], sides[1]))
        seen = pixels if self.seen else ~pixels
        return Mask(seen), _restored(int((~seen).sum()), seen.size), None

    def _blur(self, data: Image) -> Any:
        boundary = self.numbers["boundary"]
        tail = "" if boundary == "circular" else f",{boundary}"
        if self.source == GAUSSIAN:
            return f"blur:gaussian,{self.width:g}{tail}"
        if self.source == BOX:
            return f"blur:uniform,{self.width:g}{tail}"
        if self.source == FILE:
            return f"blur:{_path(self.path, 'the point-spread function')}{tail}"
        from napari_credible.operators import Blur, psf_blur, psf_from_stars

        if self.source == LAYER:
            return psf_blur(self.image, boundary)
        stars = self.stars
        if stars is None:
            plane = np.asarray(data.channels()[0].ordered(), dtype=np.float64)
            stars = psf_from_stars(plane.reshape(-1, *plane.shape[-2:])[0], size=int(self.width))
        return Blur(stars.psf, boundary), f"{stars}.", stars

    def _radon(self, data: Image) -> Any:
        if self.source == FILE and self.circle:
            return f"radon:{_path(self.path, 'the angles')}"
        if self.source == FILE:
            angles: Any = {"file": _path(self.path, "the angles")}
        else:
            count, first, last = self.angles
            count = count or int(data.ordered().shape[-1])
            if self.circle and (first, last) == (0.0, 180.0):
                return f"radon:{count}"
            angles = (first + np.arange(count) * ((last - first) / count)).tolist()
        return {"kind": RADON, "angles": angles, "circle": self.circle}


def _path(path: str, what: str) -> str:
    if not path.strip():
        raise ValueError(f"no file is chosen for {what}; choose one, or another source")
    return path.strip()


def _restored(count: int, of: int) -> str:
    return f"{count} of {of} pixels are restored from those around them."


def _doubtful(data: Image) -> str:
    """Return how many pixels are missing or saturated, in words, of the first plane of each."""
    from napari_credible.operators import Identity
    from napari_credible.posed import saturated_from, usable

    def doubtful(plane: Any) -> int:
        flag = usable(Identity(), plane, saturated_from(Identity(), plane))[1]
        return int((flag > 0).sum())

    planes = [np.asarray(channel.ordered(), dtype=np.float64) for channel in data.channels()]
    firsts = [plane.reshape(-1, *plane.shape[-2:])[0] for plane in planes]
    count = sum(doubtful(first) for first in firsts)
    if not count:
        return "No pixel is missing or saturated: nothing is restored, all is denoised."
    where = " of the first plane" if planes[0].ndim > 2 else ""
    return _restored(count, sum(first.size for first in firsts)).replace(
        " pixels", f" pixels{where}"
    )
