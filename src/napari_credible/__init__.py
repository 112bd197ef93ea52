"""Denoise scientific images, and say how sure each pixel is.

One MMSE denoiser D(x, sigma), and what calling it again gives. Names load on first use:
importing this package imports neither torch nor napari.
"""

from __future__ import annotations

import sys as _sys
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any

import lazy_loader as _lazy

if TYPE_CHECKING:
    from napari_credible import operators as operators
    from napari_credible.adaptation import adapt as adapt
    from napari_credible.denoise import check_denoiser as check_denoiser
    from napari_credible.denoise import denoisers as denoisers
    from napari_credible.denoise import load_denoiser as load_denoiser
    from napari_credible.io import Image as Image
    from napari_credible.io import read as read
    from napari_credible.io import write as write
    from napari_credible.noise import Gaussian as Gaussian
    from napari_credible.noise import PoissonGaussian as PoissonGaussian
    from napari_credible.noise import estimate_noise as estimate_noise
    from napari_credible.restore import restore as restore
    from napari_credible.run import denoise as denoise
    from napari_credible.run import sample as sample

__version__ = "0.1.0"

_HOMES = {
    "adaptation": ["adapt"],
    "denoise": ["check_denoiser", "denoisers", "load_denoiser"],
    "io": ["Image", "read", "write"],
    "noise": ["Gaussian", "PoissonGaussian", "estimate_noise"],
    "restore": ["restore"],
    "run": ["denoise", "sample"],
}
__getattr__, __dir__, __all__ = _lazy.attach(
    __name__, submodules=["operators"], submod_attrs=_HOMES
)


class _Package(_ModuleType):
    """A package whose front door wins where a room has the same name.

    Importing the room ``denoise`` would otherwise hide the function ``denoise``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in __all__ or not isinstance(value, _ModuleType):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Package
