"""What was measured of the shipped denoisers, in one run on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "figures.json"


def figures() -> dict[str, Any]:
    """Return what ``benchmarks/denoising.py`` measured.

    Returns
    -------
    dict
        ``command`` and ``machine``; ``levels`` of the noise in 255ths of the range; and
        ``denoisers``: for each ``parameters``, ``psnr`` (dB, by folder, one for each level; None,
        or no folder, where a slow one was not measured),
        ``speed`` (megapixels a second) and ``memory`` (bytes a pixel).
    """
    values: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return values


def table(found: dict[str, Any] | None = None) -> str:
    """Return the figures as a table of text, one row for each denoiser."""
    found = found or figures()
    levels = " / ".join(f"{level:g}" for level in found["levels"])
    folders = list(next(iter(found["denoisers"].values()))["psnr"])
    head = [f"{'':10} {'parameters':>10} {'Mpx/s':>6} {'B/px':>5}", *(f"{f:21}" for f in folders)]
    rows = [" | ".join(head)]
    for name, row in found["denoisers"].items():
        parameters = f"{row['parameters']:,}" if row["parameters"] else "-"
        front = f"{name:10} {parameters:>10} {row['speed']:6.2f} {row['memory']:5.0f}"
        cells = (_cell(row["psnr"].get(folder)) for folder in folders)
        rows.append(" | ".join([front, *(f"{cell:21}" for cell in cells)]))
    rows = [row.rstrip() for row in rows]
    return "\n".join([f"PSNR in dB at noise levels {levels} of 255, {found['machine']}", "", *rows])


def _cell(levels: list[float | None] | None) -> str:
    return " / ".join("-" if db is None else f"{db:.2f}" for db in levels) if levels else "-"
