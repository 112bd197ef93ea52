"""The architectures by name: what a model card or a training configuration may ask for."""

from __future__ import annotations

from typing import Any

from napari_credible.denoise.csc import CSCNet, CSCShape
from napari_credible.denoise.deep_ksvd import DeepKSVD, DeepKSVDShape
from napari_credible.denoise.lidia import LIDIA, LIDIAShape
from napari_credible.denoise.stabilised import StabilisedNet, StabilisedShape
from napari_credible.denoise.unet import UNet, UNetShape

Shape = UNetShape | CSCShape | DeepKSVDShape | LIDIAShape | StabilisedShape
Network = UNet | CSCNet | DeepKSVD | LIDIA | StabilisedNet

SHAPES: dict[str, type[Any]] = {
    "unet": UNetShape,
    "csc": CSCShape,
    "deep_ksvd": DeepKSVDShape,
    "lidia": LIDIAShape,
    "stabilised": StabilisedShape,
}


def shape_of(values: Any) -> Shape:
    """Return the shape that plain values describe; without a ``kind`` it is a U-Net's.

    Raises
    ------
    ValueError
        One sentence on an unknown architecture, or on the first value that does not fit.
    """
    from pydantic import TypeAdapter, ValidationError

    kind = values.get("kind", "unet") if isinstance(values, dict) else values
    if kind not in SHAPES:
        raise ValueError(f"there is no network {kind!r}; give one of {', '.join(SHAPES)}")
    try:
        return TypeAdapter(SHAPES[kind]).validate_python(values)  # type: ignore[no-any-return]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "its whole"
        raise ValueError(f"the network does not fit at {place}: {first['msg']}") from None


def network(shape: Shape) -> Network:
    """Return a network of a shape, its weights drawn afresh."""
    if isinstance(shape, UNetShape):
        return UNet(shape)
    if isinstance(shape, CSCShape):
        return CSCNet(shape)
    if isinstance(shape, DeepKSVDShape):
        return DeepKSVD(shape)
    if isinstance(shape, StabilisedShape):
        return StabilisedNet(network(shape_of(shape.inner)), shape.knots)
    return LIDIA(shape)
