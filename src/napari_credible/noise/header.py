"""Noise parameters that a camera wrote into a FITS header.

Microscopes' files do not state them. OME's ``DetectorSettings`` has Gain, Offset, Voltage and
ReadOutRate, but its Gain is the amplification that was set and its Offset that of the amplifier, of
no stated unit; neither is in ADU or per photoelectron, so they are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from napari_credible.noise.evidence import Evidence
from napari_credible.noise.fit import Line
from napari_credible.noise.models import PoissonGaussian

# Photoelectrons per ADU, by astronomers' custom: the inverse of PoissonGaussian's gain.
_GAIN = ("EGAIN", "GAIN", "CCDGAIN", "ATODGAIN")
# Photoelectrons.
_READ = ("RDNOISE", "READNOIS", "READNOISE", "RON", "ENOISE", "RDNOIS")
# ADU.
_OFFSET = ("PEDESTAL", "BIAS", "BIASLVL", "BLKLEVEL")
_AGREES_WITHIN = 0.3


def from_header(header: Mapping[str, Any]) -> PoissonGaussian | None:
    """Return the model that a FITS header states, or None where it states no gain.

    Parameters
    ----------
    header : mapping
        GAIN or EGAIN in photoelectrons per ADU and RDNOISE in photoelectrons, as is custom;
        PEDESTAL, BIAS or BLKLEVEL in ADU. A read noise that is missing is taken as 0.

    Returns
    -------
    PoissonGaussian or None
        In ADU; its evidence names what was missing.
    """
    electrons_per_adu = _number(header, _GAIN)
    if electrons_per_adu is None or electrons_per_adu <= 0:
        return None
    gain = 1 / electrons_per_adu
    read, offset = _number(header, _READ), _number(header, _OFFSET)
    doubts = []
    if read is None or read < 0:
        doubts.append("the header gives a gain but no read noise; taken as 0")
    if offset is None:
        doubts.append("the header gives no offset; taken as 0")
    evidence = Evidence("header", doubts=tuple(doubts))
    return PoissonGaussian(gain, offset or 0.0, max(read or 0.0, 0.0) * gain, evidence=evidence)


def states_offset(header: Mapping[str, Any]) -> bool:
    """Return whether the header gives the counts without light."""
    return _number(header, _OFFSET) is not None


def agrees(claimed: PoissonGaussian, line: Line) -> bool:
    """Return whether the line through an image's noise allows the gain that its header claims."""
    slack = max(_AGREES_WITHIN * float(claimed.gain), 3 * line.slope_error)
    return abs(line.slope - float(claimed.gain)) < slack


def _number(header: Mapping[str, Any], names: Iterable[str]) -> float | None:
    """Return the first finite number under one of the names."""
    for name in names:
        try:
            value = float(header[name])
        except (KeyError, TypeError, ValueError):
            continue
        if np.isfinite(value) and not isinstance(header[name], bool):
            return value
    return None
