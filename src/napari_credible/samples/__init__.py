"""Small real images, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_credible.io.files import read
from napari_credible.io.image import Image

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """A file of the package: what it shows, whence it comes, under which licence."""

    file: str
    title: str
    source: str
    licence: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return _HERE / self.file

    def read(self) -> Image:
        """Return the image."""
        return read(self.path)


SAMPLES = {
    "photons": Sample(
        "photon_stack.ome.tif",
        "Photon counts of a hazelnut section, 5 scans",
        "fluorescence-lifetime scan of napari-flim-phasor-plotter, summed over its time bins",
        "BSD-3-Clause",
    ),
    "cells": Sample(
        "cells.tif",
        "Cells in a confocal microscope, 5 ms exposure",
        "NEUBIAS training resources, xy_calibrated_16bit__cells_eres_noisy.tif",
        "CC-BY-4.0",
    ),
    "stars": Sample(
        "star_field.fits",
        "Raw CCD frame of a star field, SAAO 1.0 m telescope",
        "test data of astropy/ccdproc",
        "BSD-3-Clause",
    ),
}
