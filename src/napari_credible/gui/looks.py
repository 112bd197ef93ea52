"""How each map of a posterior is shown: colours, limits, and colour images as napari takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_credible.gui.family import DRAWS, EXCEEDANCE, LOWER, MEAN, STD, UPPER
from napari_credible.io.image import Image

# From bottom to top, above the input.
ORDER = (DRAWS, LOWER, UPPER, MEAN, EXCEEDANCE, STD)
# They show light in the input's units, and share its contrast.
LIGHT = (DRAWS, LOWER, UPPER, MEAN)
VISIBLE = (MEAN, STD)
_PLAIN = {"gamma": 1.0, "opacity": 1.0, "blending": "translucent", "rgb": False}
# Of the std map: the brightest pixels would make all others dark.
_BRIGHTEST = 0.995
_LOOKED_AT = 100_000


def look_of(role: str, data: NDArray[Any]) -> dict[str, Any]:
    """Return the layer attributes of a map that are not the input's."""
    if role == EXCEEDANCE:
        # Green above a half, pink below; both kinds of colour-blind eyes tell them apart.
        return {**_PLAIN, "colormap": "PiYG", "contrast_limits": (0.0, 1.0)}
    if role == STD:
        return {**_PLAIN, "colormap": "inferno", "contrast_limits": (0.0, brightest(data))}
    return {}


def brightest(std: NDArray[Any]) -> float:
    """Return the std that is shown brightest."""
    some = std.ravel()[:: max(1, std.size // _LOOKED_AT)]
    finite = some[np.isfinite(some)]
    return max(float(np.quantile(finite, _BRIGHTEST)) if finite.size else 1.0, 1e-30)


def shown(role: str, data: Any, image: Image) -> Any:
    """Return a map as napari can show it.

    Colours are integers of the input's type there. The std of a colour image is the root of
    the mean variance of its colours, its exceedance the largest of them.
    """
    if "S" not in image.axes:
        return data
    if role in LIGHT:
        return _as_integers(data, np.dtype(image.array.dtype))
    colours = data[..., : 3 if data.shape[-1] > 2 else 1]
    if role == STD:
        return np.sqrt(np.mean(np.square(colours), axis=-1))
    return colours.max(axis=-1)


def _as_integers(data: Any, kind: np.dtype[Any]) -> Any:
    if kind.kind not in "iu":
        return data
    limits = np.iinfo(kind)

    def rounded(part: NDArray[Any]) -> NDArray[Any]:
        whole = np.clip(np.round(np.nan_to_num(part)), limits.min, limits.max)
        return np.asarray(whole, dtype=kind.newbyteorder("="))

    if isinstance(data, np.ndarray):
        return rounded(data)
    import dask.array

    return dask.array.from_array(data).map_blocks(rounded, dtype=kind.newbyteorder("="))
