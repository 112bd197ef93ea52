"""What the operators are called and take, in words: read by forms, which must open at once."""

from __future__ import annotations

from typing import Any

from napari_credible.knob import Choice, Knob

ABOUT = {
    "identity": "the data are the image: plain denoising",
    "mask": "pixels are missing",
    "blur": "each point becomes a point-spread function",
    "downsample": "means of blocks of pixels",
    "bayer": "one colour a pixel",
    "cs": "random Walsh-Hadamard rows",
    "radon": "sums along lines at many angles",
}
# How each is written on the command line.
WRITTEN = {
    "identity": "identity",
    "mask": "mask:FILE (not 0 where a pixel is seen)",
    "blur": "blur:FILE, blur:uniform,SIDE or blur:gaussian,STD, then maybe ,zero or ,valid",
    "downsample": "downsample:FACTOR",
    "bayer": "bayer:RGGB",
    "cs": "cs:RATIO,SEED",
    "radon": "radon:FILE (of angles in degrees) or radon:NUMBER (of them, even over 180)",
}


def _boundaries() -> dict[str, str]:
    return {
        "circular": "what leaves at one edge comes in at the opposite one; the fastest",
        "zero": "the image is dark outside its edges",
        "valid": "only data that need nothing outside the image, which is larger than they",
    }


def _patterns() -> dict[str, str]:
    return {
        name: f"{name[:2]} in even rows, {name[2:]} in odd ones"
        for name in ("RGGB", "BGGR", "GRBG", "GBRG")
    }


BOUNDARY = Choice(_boundaries, "what is outside the image")
FACTOR = Knob(1, 64, "pixels", "side of the blocks")
PATTERN = Choice(_patterns, "colours of the first 2 x 2 pixels")
RATIO = Knob(0, 1, "", "measurements per pixel", above=True)
SEED = Knob(0, 2**63 - 1, "", "of signs and rows")
# What an operator is made from beside arrays, and what that is to begin with.
NUMBERS: dict[str, dict[str, tuple[Knob | Choice, Any]]] = {
    "blur": {"boundary": (BOUNDARY, "circular")},
    "downsample": {"factor": (FACTOR, 2)},
    "bayer": {"pattern": (PATTERN, "RGGB")},
    "cs": {"ratio": (RATIO, 0.125), "seed": (SEED, 0)},
}
