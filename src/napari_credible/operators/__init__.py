"""How the data came from the image: y = H x + noise, H a real linear map with its adjoint."""

from __future__ import annotations

from napari_credible.operators.bayer import Bayer as Bayer
from napari_credible.operators.blur import Blur as Blur
from napari_credible.operators.check import OperatorReport as OperatorReport
from napari_credible.operators.check import check_operator as check_operator
from napari_credible.operators.compose import Compose as Compose
from napari_credible.operators.downsample import Downsample as Downsample
from napari_credible.operators.identity import Identity as Identity
from napari_credible.operators.mask import Mask as Mask
from napari_credible.operators.paired import paired as paired
from napari_credible.operators.protocol import Factors as Factors
from napari_credible.operators.protocol import Operator as Operator
from napari_credible.operators.psf_image import pixel_size as pixel_size
from napari_credible.operators.psf_image import psf_blur as psf_blur
from napari_credible.operators.psf_stars import StarPsf as StarPsf
from napari_credible.operators.psf_stars import psf_from_stars as psf_from_stars
from napari_credible.operators.radon import Radon as Radon
from napari_credible.operators.sensing import CompressedSensing as CompressedSensing
from napari_credible.operators.spelling import ABOUT as ABOUT
from napari_credible.operators.spelling import OPERATORS as OPERATORS
from napari_credible.operators.spelling import WRITTEN as WRITTEN
from napari_credible.operators.spelling import operator_of as operator_of
from napari_credible.operators.spelling import spelled as spelled
from napari_credible.operators.whitened import Decorrelated as Decorrelated
from napari_credible.operators.whitened import Whitened as Whitened
from napari_credible.operators.whitened import autocovariance_of as autocovariance_of
