"""The ways to adapt, each with its numbers.

References
----------
.. [1] G. Vaksman, M. Elad, P. Milanfar, "LIDIA: lightweight learned image denoising with instance
   adaptation", CVPR Workshops (2020).
.. [2] S. Soltanayev, S. Y. Chun, "Training deep learning based denoisers without ground truth
   data", NeurIPS (2018).
.. [3] A. Krull, T.-O. Buchholz, F. Jug, "Noise2Void - learning denoising from single noisy
   images", CVPR (2019).
.. [4] J. Lehtinen et al., "Noise2Noise: learning image restoration without clean data", ICML
   (2018).
.. [5] T. Pang, H. Zheng, Y. Quan, H. Ji, "Recorrupted-to-Recorrupted: unsupervised deep learning
   for image denoising", CVPR (2021).
.. [6] S. Herbreteau, M. Unser, "Noise2VST: self-supervised image denoising by learning a
   variance-stabilizing transformation", ICCV (2025).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from napari_credible.knob import Checked, Knob


@dataclass(frozen=True)
class Mode(Checked):
    """Numbers that every mode has.

    Parameters
    ----------
    steps : int
        At most.
    seconds : float
        At most; the rate falls to zero by then, so a shorter time is a shorter plan.
    rate : float
        Of learning, at its highest.
    batch, crop : int
        Crops a step, and their side in pixels.
    every : int
        Steps between two scores.
    ema : float
        Decay a step of the averaged weights, which are the ones that are scored and kept.
    turned : bool
        Turn and mirror the crops at random: for few examples of a kind without up and down.
    """

    steps: Annotated[int, Knob(1, 10**6, "", "at most")] = 600
    seconds: Annotated[float, Knob(1, 1e6, "s", "at most")] = 150.0
    rate: Annotated[float, Knob(0, 0.1, "", "of learning", above=True)] = 1e-4
    batch: Annotated[int, Knob(1, 1024, "", "crops a step")] = 2
    crop: Annotated[int, Knob(16, 4096, "pixels", "side of a crop")] = 64
    every: Annotated[int, Knob(1, 10**6, "", "steps between two scores")] = 100
    turned: bool = False
    ema: Annotated[float, Knob(0, 1, "", "decay of the averaged weights")] = 0.99

    def to_dict(self) -> dict[str, Any]:
        """Return name and numbers as plain JSON values."""
        return {"kind": name_of(self), **asdict(self)}


@dataclass(frozen=True)
class Internal(Mode):
    """Tune on the image denoised once, with fresh noise.

    Parameters
    ----------
    lower : float
        Share of the crops whose level is lower than that of the image, down to a thirtieth, so
        that a sampler, which visits all of them, may still use the result.
    """

    rate: Annotated[float, Knob(0, 0.1, "", "of learning", above=True)] = 3e-4
    lower: Annotated[float, Knob(0, 1, "", "share of crops at lower levels")] = 0.2


@dataclass(frozen=True)
class External(Mode):
    """Tune on clean examples of the same kind, with fresh noise of the image's level.

    Parameters
    ----------
    lower : float
        As for :class:`Internal`.
    """

    steps: Annotated[int, Knob(1, 10**6, "", "at most")] = 2400
    every: Annotated[int, Knob(1, 10**6, "", "steps between two scores")] = 400
    rate: Annotated[float, Knob(0, 0.1, "", "of learning", above=True)] = 1e-3
    lower: Annotated[float, Knob(0, 1, "", "share of crops at lower levels")] = 0.2


@dataclass(frozen=True)
class Sure(Mode):
    """Tune on Stein's unbiased estimate of the error, from the noisy image alone.

    Parameters
    ----------
    stride : float, noise levels
        Of the difference that measures the divergence.
    """

    stride: Annotated[float, Knob(0.001, 1, "noise levels", "of the divergence")] = 0.1


@dataclass(frozen=True)
class BlindSpot(Mode):
    """Tune to predict pixels from their neighbours, themselves hidden.

    Parameters
    ----------
    spacing : int
        One pixel in ``spacing`` squared is hidden.
    """

    spacing: Annotated[int, Knob(2, 64, "pixels", "between hidden pixels")] = 4


@dataclass(frozen=True)
class Frames(Mode):
    """Tune to predict one frame, or slice, of a stack from its neighbour."""


@dataclass(frozen=True)
class Thinning(Mode):
    """Tune to predict one part of the photons from the other: the two are independent.

    Parameters
    ----------
    share : float
        Of the photons that the denoiser sees.
    """

    share: Annotated[float, Knob(0.05, 0.95, "", "of the photons that are seen")] = 0.5


@dataclass(frozen=True)
class Recorruption(Mode):
    """Tune to predict y - sigma z / a from y + a sigma z, z fresh: their noises are independent.

    Parameters
    ----------
    strength : float
        a: little makes the target noisy, much makes the task another.
    """

    strength: Annotated[float, Knob(0.05, 2, "", "of the added noise")] = 0.5


@dataclass(frozen=True)
class Stabiliser(Mode):
    """Keep the denoiser; learn the monotone curve of intensities that makes its noise level 1.

    Parameters
    ----------
    knots : int
        Of the curve.
    spacing : int
        As for :class:`BlindSpot`.
    """

    steps: Annotated[int, Knob(1, 10**6, "", "at most")] = 400
    rate: Annotated[float, Knob(0, 0.1, "", "of learning", above=True)] = 1e-2
    knots: Annotated[int, Knob(3, 1024, "", "of the curve")] = 64
    spacing: Annotated[int, Knob(2, 64, "pixels", "between hidden pixels")] = 4


MODES: dict[str, type[Mode]] = {
    "internal": Internal,
    "external": External,
    "sure": Sure,
    "n2v": BlindSpot,
    "n2n": Frames,
    "thinning": Thinning,
    "recorruption": Recorruption,
    "stabiliser": Stabiliser,
}
ABOUT = {
    "internal": "the image, denoised once, is the example",
    "external": "one or a few clean images of the same kind are the examples",
    "sure": "Stein's unbiased estimate of the error, from the noisy image alone",
    "n2v": "hidden pixels, predicted from their neighbours (Noise2Void)",
    "n2n": "one frame, or slice, predicted from the next (Noise2Noise)",
    "thinning": "one part of the photons, predicted from the other",
    "recorruption": "two independent noisy images made from one (Recorrupted2Recorrupted)",
    "stabiliser": "the denoiser stays; a curve of intensities is learned (Noise2VST)",
}


def mode_of(asked: str | Mode | dict[str, Any]) -> Mode:
    """Return a mode by name, with its usual numbers, or from :meth:`Mode.to_dict`.

    Raises
    ------
    ValueError
        One sentence on an unknown name or number.
    """
    if isinstance(asked, Mode):
        return asked
    numbers = {"kind": asked} if isinstance(asked, str) else dict(asked)
    kind = MODES.get(str(numbers.pop("kind", "")))
    if kind is None:
        raise ValueError(f"there is no mode {asked!r}; give one of {', '.join(MODES)}")
    names = [field.name for field in fields(kind)]
    if unknown := sorted(set(numbers) - set(names)):
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(names)}")
    return kind(**numbers)


def name_of(mode: Mode) -> str:
    """Return the name under which a mode is asked for."""
    return next(name for name, kind in MODES.items() if type(mode) is kind)
