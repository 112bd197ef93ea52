"""From a mode and the planes of an image to what is minimised and who judges it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_credible.adapt.judge import ByHiddenPixels, ByNextFrame, ByStein, Judge, for_scene
from napari_credible.adapt.modes import (
    BlindSpot,
    External,
    Frames,
    Internal,
    Mode,
    Recorruption,
    Stabiliser,
    Sure,
    Thinning,
    name_of,
)
from napari_credible.adapt.objectives import (
    Clean,
    Hidden,
    Neighbours,
    Objective,
    Recorrupted,
    Stein,
    Thinned,
)
from napari_credible.adapt.scene import Crops, Scene
from napari_credible.denoise.learned import Learned
from napari_credible.noise import PoissonGaussian, anscombe
from napari_credible.pilot import rough_level

# Least photoelectrons between two values of a counter for thinning to be right.
_MOST_READ_NOISE = 0.2
# Ranges of examples and image that differ by more are in other units.
_MOST_APART = 10.0

Pairs = Sequence[tuple[Scene, Scene]]


def objective_of(
    mode: Mode,
    base: Learned,
    scenes: Sequence[Scene],
    pairs: Pairs = (),
    examples: Sequence[NDArray[Any]] = (),
) -> tuple[Objective, Judge]:
    """Return the objective of a mode, and its judge.

    Parameters
    ----------
    mode : Mode
        Which, with its numbers.
    base : Learned
        Denoises the image once for :class:`Internal`.
    scenes : sequence of Scene
        Planes of the image.
    pairs : sequence of (Scene, Scene)
        Neighbouring frames or slices, for :class:`Frames`.
    examples : sequence of ndarray, shape (Y, X), image units
        Clean, for :class:`External`.

    Raises
    ------
    ValueError
        One sentence, where the mode lacks what it needs.
    """
    if isinstance(mode, External):
        layers = _clean(scenes, examples)
        return Clean(_crops(layers, mode, base), mode.lower), ByStein(scenes, everywhere=True)
    if len(examples):
        raise ValueError(
            f"examples are given, but mode {name_of(mode)!r} uses none; give mode='external'"
        )
    if isinstance(mode, Frames):
        layers = [_pair(*pair) for pair in _some_pairs(pairs)]
        return Neighbours(_crops(layers, mode, base)), ByNextFrame(pairs)
    if isinstance(mode, Thinning):
        layers = [_counts(scene, mode.share) for scene in scenes]
        return Thinned(_crops(layers, mode, base), mode.share), ByStein(scenes)
    if isinstance(mode, Internal):
        layers = [_layers(s, _denoised(base, s)) for s in scenes]
        return Clean(_crops(layers, mode, base), mode.lower), ByStein(scenes)
    crops = _crops([_layers(s, s.noisy) for s in scenes], mode, base)
    if isinstance(mode, Sure):
        return Stein(crops, mode.stride), ByStein(scenes)
    if isinstance(mode, Recorruption):
        return Recorrupted(crops, mode.strength), ByStein(scenes)
    if isinstance(mode, BlindSpot):
        return Hidden(crops, mode.spacing), ByStein(scenes)
    assert isinstance(mode, Stabiliser)
    # A curve of some numbers cannot learn the noise of so many pixels: all of them judge.
    return Hidden(crops, mode.spacing), ByHiddenPixels(scenes, True, variance=0.0, passes=4)


def _crops(layers: Sequence[Tensor], mode: Mode, base: Learned) -> Crops:
    return Crops(layers, mode.crop, mode.batch, base.stride, mode.turned)


def _layers(scene: Scene, image: Tensor) -> Tensor:
    """Return an image of a scene with what belongs to its pixels: noise level and weight."""
    return torch.stack([image, scene.sigma, scene.weight()])


def _denoised(base: Learned, scene: Scene) -> Tensor:
    """Return a plane denoised once, in the units of the network."""
    device = next(base.net.parameters()).device
    own = for_scene(base, scene)
    with torch.no_grad():
        found: Tensor = own(
            scene.stabilised(scene.noisy)[None, None].to(device), scene.level[None, None].to(device)
        )
    return (found[0, 0].cpu() - scene.low) / scene.span


def _clean(scenes: Sequence[Scene], examples: Sequence[NDArray[Any]]) -> list[Tensor]:
    """Return clean examples in the units of the network, one layer for each plane's affine."""
    if not len(examples):
        raise ValueError("mode 'external' tunes on clean images of the same kind; give examples")
    layers = []
    for scene in _kinds(scenes):
        for example in examples:
            light = np.asarray(example, dtype=np.float64)
            if light.ndim != 2 or not np.isfinite(light).all():
                raise ValueError(
                    f"an example has shape {light.shape} or values that are not finite; give clean "
                    "planes (Y, X)"
                )
            values = (_expected(scene.model, light) - scene.low) / scene.span
            _comparable(values, scene)
            level = np.broadcast_to(scene.model.deviation(light) / scene.span, light.shape)
            rows = np.stack([values, level, np.ones_like(values)])
            layers.append(torch.from_numpy(rows.astype(np.float32)))
    return layers


def _expected(model: Any, light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the stabilised counts of ``light``."""
    if isinstance(model, PoissonGaussian) and np.ndim(model.gain) == np.ndim(model.read_noise) == 0:
        return anscombe.expectation(
            np.maximum(model.photoelectrons(light), 0), float(model.read_noise / model.gain)
        )
    found: NDArray[np.float64] = model.stabilise(light)
    return found


def _kinds(scenes: Sequence[Scene]) -> list[Scene]:
    """Return one scene for each affine: the planes of a channel share theirs."""
    return list({(scene.low, scene.span): scene for scene in scenes}.values())


def _comparable(values: NDArray[np.float64], scene: Scene) -> None:
    """Refuse an example in other units than the image's."""
    low, high = np.quantile(values, [0.01, 0.99])
    own_low, own_high = np.quantile(scene.noisy.numpy(), [0.01, 0.99])
    most = max(abs(low), abs(high), high - low)
    if (
        most > _MOST_APART * max(abs(own_low), abs(own_high))
        or high - low < (own_high - own_low) / _MOST_APART**2
    ):
        raise ValueError(
            f"an example spans {low:.3g} to {high:.3g} where the image spans {own_low:.3g} to "
            f"{own_high:.3g} (shares of its range); give examples in the units of the image"
        )


def _pair(here: Scene, there: Scene) -> Tensor:
    return torch.stack([here.noisy, there.noisy, here.sigma, here.weight() * there.known])


def _some_pairs(pairs: Pairs) -> Pairs:
    if not pairs:
        raise ValueError(
            "mode 'n2n' predicts a frame from its neighbour; give a stack of at least two frames "
            "or slices"
        )
    return pairs


def pairs_of(stacks: Sequence[Sequence[Scene]]) -> list[tuple[Scene, Scene]]:
    """Return neighbouring planes of each stack."""
    return [pair for planes in stacks for pair in pairwise(planes)]


def _counts(scene: Scene, share: float) -> Tensor:
    """Return photon counts, affine, noise level of a share of them, and weight of a plane."""
    model = scene.model
    read = np.max(model.read_noise / model.gain) if isinstance(model, PoissonGaussian) else np.inf
    if read > _MOST_READ_NOISE:
        found = f"a read noise of {read:.2g} electrons" if np.isfinite(read) else "Gaussian noise"
        raise ValueError(
            f"mode 'thinning' deals photons, and {found} is none; give mode='recorruption'"
        )
    stabilised = scene.stabilised(scene.noisy).double().clamp_min(0)
    # The transform backwards: exact without read noise.
    counts = ((stabilised / 2).square() - 3 / 8 - read**2).round().clamp_min(0)
    # The rough light of the plane decides the level of its share.
    level = rough_level(share * counts.numpy(), PoissonGaussian(1.0))
    ones = torch.ones_like(counts)
    rows = [counts, scene.low * ones, scene.span * ones, torch.from_numpy(level), scene.weight()]
    return torch.stack([row.float() for row in rows])
