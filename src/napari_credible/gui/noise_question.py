"""What is asked about the noise, captured on the main thread and answered in a worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from napari_credible.io.image import Image
from napari_credible.noise import Evidence, Gaussian, PoissonGaussian, from_header
from napari_credible.noise.header import states_offset

Model = Gaussian | PoissonGaussian

MEASURE = "measure it"
GAUSSIAN = "typed in: Gaussian"
POISSON = "typed in: Poisson-Gaussian"
HEADER = "from the file's header"
DARK = "with a dark frame"
REPEATS = "the first axis counts repeats"

# Where the noise may come from, and what that means.
SOURCES = {
    MEASURE: "Measured in the image, each channel by itself; a FITS header that fits is used",
    GAUSSIAN: "You know the standard deviation, the same at every brightness",
    POISSON: "You know gain, offset and read noise of the camera",
    HEADER: "Gain and read noise that the camera wrote into a FITS header; an offset that it left "
    "out is found in the image",
    DARK: "Frames without light, taken with the same settings, give offset and read noise, and "
    "the image the gain",
    REPEATS: "Several exposures of one unchanging scene: texture cannot be taken for noise",
}
TYPED: dict[str, type[Gaussian] | type[PoissonGaussian]] = {
    GAUSSIAN: Gaussian,
    POISSON: PoissonGaussian,
}
# Gains this share and this many errors apart contradict each other.
_AGREES_WITHIN, _ERRORS = 0.3, 3.0


@dataclass(frozen=True, eq=False)
class NoiseQuestion:
    """Where the noise of an image is to come from.

    Attributes
    ----------
    kind : str
        One of :data:`SOURCES`.
    typed : tuple of NoiseModel
        One for each channel where they were typed in, else empty.
    dark : Image or None
        Frames without light.
    layer : int
        Counts the layers that the panel was told to forget: an answer about one is no news.
    """

    kind: str
    typed: tuple[Model, ...] = ()
    dark: Image | None = None
    layer: int = 0

    @property
    def repeats(self) -> bool:
        """Whether the first axis counts exposures of one scene."""
        return self.kind == REPEATS

    def answer(self, image: Image, seed: int = 0) -> tuple[Model, ...]:
        """Return the noise model of each channel of ``image``; nothing of Qt is touched.

        Raises
        ------
        ValueError
            One sentence, where the noise cannot be told so.
        """
        if self.typed:
            return self.typed
        channels = image.channels()
        return tuple(self._one(planes, n, len(channels), seed) for n, planes in enumerate(channels))

    def _one(self, planes: Image, number: int, count: int, seed: int) -> Model:
        from napari_credible.noise import estimate_noise

        if self.kind == HEADER:
            return _stated(planes, seed)
        dark = None if self.dark is None else _channel_of(self.dark, number, count)
        return estimate_noise(planes, repeats=self.repeats, dark=dark, seed=seed)


def _channel_of(dark: Image, number: int, count: int) -> Image:
    """Return the dark frames of a channel: its own, or those that serve all."""
    channels = dark.channels()
    if len(channels) not in (1, count):
        raise ValueError(
            f"the dark frame has {len(channels)} channels and the image {count}; take one of as "
            "many, or one without channels for all"
        )
    return channels[number if len(channels) > 1 else 0]


def _stated(image: Image, seed: int) -> Model:
    """Return what the header states, with the points of the image to compare."""
    from napari_credible.noise import estimate_noise

    stated = from_header(image.header)
    if stated is None:
        raise ValueError("the header states no gain; choose another source of the noise")
    if not states_offset(image.header):
        return estimate_noise(image, seed=seed)
    offset: Any = stated.offset
    try:
        seen = estimate_noise(replace(image, header={}), offset=offset, seed=seed)
    except ValueError:
        return stated
    known = stated.evidence or Evidence("header")
    points = seen.evidence or known
    doubts = (*known.doubts, *points.doubts, *_contradiction(stated, seen))
    return replace(
        stated, evidence=replace(points, source="header", errors={}, doubts=doubts, covariance=None)
    )


def _contradiction(stated: PoissonGaussian, seen: Model) -> list[str]:
    if isinstance(seen, Gaussian) or seen.evidence is None:
        return []
    slack = max(_AGREES_WITHIN * float(stated.gain), _ERRORS * seen.evidence.errors["gain"])
    if abs(float(seen.gain) - float(stated.gain)) < slack:
        return []
    return [
        f"the header states a gain of {stated.gain:.3g} ADU per photoelectron, but the image shows "
        f"{seen.gain:.3g}"
    ]
