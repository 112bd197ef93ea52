"""OME-Zarr 0.5 written block by block, its metadata held to the specification by yaozarrs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from napari_credible.io.image import Image
from napari_credible.io.zarr import RECORD, libraries, reason, written

_TYPES = {"T": "time", "C": "channel", "S": "channel", "Z": "space", "Y": "space", "X": "space"}
_MOST_AXES, _MOST_BYTES = 5, 8
_LEAST_SIDE, _CHUNK = 256, 512


def write_zarr(
    path: Path, image: Image, flags: Any = None, record: Mapping[str, Any] | None = None
) -> None:
    """Write an OME-Zarr image of version 0.5, its flags as labels, its record as an attribute.

    Coarser levels are means over 2 x 2 pixels, as long as a side keeps 256 of them; a flag is
    set there where any of the pixels has it. Colours are written as channels. A lazy array is
    computed and written a few chunks at a time.

    Raises
    ------
    ValueError
        Where zarr is missing, or OME-Zarr cannot keep the image.
    """
    _, yaozarrs = libraries()
    from yaozarrs.write.v05 import LabelsBuilder, prepare_image

    _check(path, image)
    axes = written(image.axes)
    order = [image.axes.index(axis) for axis in axes]
    array = image.array.transpose(order)
    shapes = _shapes(array.shape, axes)
    described = _multiscale(yaozarrs.v05, image, order, len(shapes), path)
    how: dict[str, Any] = {
        "writer": "zarr", "chunks": tuple(_CHUNK if axis in "YX" else 1 for axis in axes),
    }  # fmt: skip
    ours = {"record": dict(record or {}), "unit": image.unit, "axes": image.axes}
    model = yaozarrs.v05.Image(multiscales=[described])
    specs = [(shape, array.dtype.newbyteorder("=")) for shape in shapes]
    _, stored = prepare_image(path, model, specs, extra_attributes={RECORD: ours}, **how)
    _fill(list(stored.values()), array, axes, _mean)
    if flags is not None:
        label = yaozarrs.v05.LabelImage(multiscales=[described], image_label={})
        builder = LabelsBuilder(path / "labels", **how)
        builder.add_label("flags", label, [(shape, flags.dtype) for shape in shapes])
        _, stored = builder.prepare()
        _fill(list(stored.values()), flags.transpose(order), axes, _any_bit)


def _check(path: Path, image: Image) -> None:
    if {"C", "S"} <= set(image.axes):
        raise ValueError(f"{path.name}: OME-Zarr keeps channels or colours, not both of them")
    if len(image.axes) > _MOST_AXES:
        raise ValueError(
            f"{path.name}: OME-Zarr keeps at most five axes, not {image.axes}; write its parts"
        )
    if image.array.dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"{path.name}: OME-Zarr keeps numbers of 64 bits, not {image.array.dtype}")


def _shapes(shape: tuple[int, ...], axes: str) -> list[tuple[int, ...]]:
    """Return the shape of each level."""
    shapes = [tuple(shape)]
    while min(n for n, axis in zip(shapes[-1], axes, strict=True) if axis in "YX") >= (
        2 * _LEAST_SIDE
    ):
        finer = zip(shapes[-1], axes, strict=True)
        shapes.append(tuple(n // 2 if axis in "YX" else n for n, axis in finer))
    return shapes


def _fill(levels: Sequence[Any], data: Any, axes: str, reduce: Callable[..., Any]) -> None:
    """Write the finest level, and each coarser one from what the finer one has on the disk."""
    import dask.array

    _store(data, levels[0])
    halves = {k: 2 for k, axis in enumerate(axes) if axis in "YX"}
    for finer, coarser in pairwise(levels):
        even = tuple(slice(n * halves.get(k, 1)) for k, n in enumerate(coarser.shape))
        means = dask.array.coarsen(reduce, dask.array.from_zarr(finer)[even], halves)
        _store(means, coarser)


def _store(data: Any, array: Any) -> None:
    if not hasattr(data, "dask"):
        array[...] = data
        return
    import dask.array

    # Each block must be whole chunks of the file: two threads in one chunk would lose pixels.
    dask.array.store(data.rechunk(array.chunks), array, lock=False)


def _mean(block: Any, axis: tuple[int, ...] | None = None) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        mean = block.mean(axis=axis)
    return (np.rint(mean) if block.dtype.kind in "iu" else mean).astype(block.dtype)


def _any_bit(block: Any, axis: tuple[int, ...] | None = None) -> Any:
    return np.bitwise_or.reduce(block, axis=axis)


def _multiscale(v05: Any, image: Image, order: list[int], levels: int, path: Path) -> Any:
    """Return axes, units and the place of each level."""
    axes = [image.axes[k] for k in order]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return v05.Multiscale(
                name=image.name or "estimate",
                axes=[_axis(image.axes[k], image.axis_units[k]) for k in order],
                datasets=[
                    {
                        "path": str(level),
                        "coordinateTransformations": _placed(
                            axes, [image.scale[k] for k in order], _shift(image, order), 2**level
                        ),
                    }
                    for level in range(levels)
                ],
            )
        except ValueError as error:
            raise ValueError(
                f"{path.name}: OME-Zarr cannot keep this image: {reason(error)}"
            ) from None


def _axis(letter: str, unit: str) -> dict[str, str]:
    axis = {"name": "c" if letter == "S" else letter.lower()}
    if letter in _TYPES:
        axis["type"] = _TYPES[letter]
    return axis if unit == "pixel" else {**axis, "unit": unit}


def _shift(image: Image, order: list[int]) -> list[float]:
    shift = image.header.get("translate", ())
    return [float(shift[k]) for k in order] if len(shift) == len(order) else [0.0] * len(order)


def _placed(
    axes: list[str], scale: list[float], shift: list[float], factor: int
) -> list[dict[str, Any]]:
    """Return the scale of a level, and the shift that keeps its pixels over the finest ones."""
    factors = [factor if axis in "YX" else 1 for axis in axes]
    grown = [s * f for s, f in zip(scale, factors, strict=True)]
    shifts = [t + s * (f - 1) / 2 for t, s, f in zip(shift, scale, factors, strict=True)]
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": grown}]
    return [*steps, {"type": "translation", "translation": shifts}] if any(shifts) else steps
