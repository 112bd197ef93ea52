"""How the data came from the image: y = H x + noise, H a real linear map with its adjoint."""

from __future__ import annotations

from napari_credible.operators.blur import Blur as Blur
from napari_credible.operators.compose import Compose as Compose
from napari_credible.operators.identity import Identity as Identity
from napari_credible.operators.mask import Mask as Mask
from napari_credible.operators.protocol import Factors as Factors
from napari_credible.operators.protocol import Operator as Operator
