"""How the data came from the image: y = H x + noise, H a real linear map with its adjoint.

Names load on first use: the words alone bring no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader as _lazy

from napari_credible.operators.words import ABOUT as ABOUT
from napari_credible.operators.words import WRITTEN as WRITTEN

if TYPE_CHECKING:
    from napari_credible.operators.bayer import Bayer as Bayer
    from napari_credible.operators.blur import Blur as Blur
    from napari_credible.operators.check import OperatorReport as OperatorReport
    from napari_credible.operators.check import check_operator as check_operator
    from napari_credible.operators.compose import Compose as Compose
    from napari_credible.operators.downsample import Downsample as Downsample
    from napari_credible.operators.identity import Identity as Identity
    from napari_credible.operators.mask import Mask as Mask
    from napari_credible.operators.pairing import paired as paired
    from napari_credible.operators.protocol import Factors as Factors
    from napari_credible.operators.protocol import Operator as Operator
    from napari_credible.operators.psf_image import pixel_size as pixel_size
    from napari_credible.operators.psf_image import psf_blur as psf_blur
    from napari_credible.operators.psf_stars import StarPsf as StarPsf
    from napari_credible.operators.psf_stars import psf_from_stars as psf_from_stars
    from napari_credible.operators.radon import Radon as Radon
    from napari_credible.operators.sensing import CompressedSensing as CompressedSensing
    from napari_credible.operators.spelling import OPERATORS as OPERATORS
    from napari_credible.operators.spelling import operator_of as operator_of
    from napari_credible.operators.spelling import spelled as spelled
    from napari_credible.operators.whitened import Decorrelated as Decorrelated
    from napari_credible.operators.whitened import Whitened as Whitened
    from napari_credible.operators.whitened import autocovariance_of as autocovariance_of

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "bayer": ["Bayer"],
        "blur": ["Blur"],
        "check": ["OperatorReport", "check_operator"],
        "compose": ["Compose"],
        "downsample": ["Downsample"],
        "identity": ["Identity"],
        "mask": ["Mask"],
        "pairing": ["paired"],
        "protocol": ["Factors", "Operator"],
        "psf_image": ["pixel_size", "psf_blur"],
        "psf_stars": ["StarPsf", "psf_from_stars"],
        "radon": ["Radon"],
        "sensing": ["CompressedSensing"],
        "spelling": ["OPERATORS", "operator_of", "spelled"],
        "whitened": ["Decorrelated", "Whitened", "autocovariance_of"],
    },
)
