"""What a training run tells while it goes: a table and a plot."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

_COLUMNS = ("step", "pixels", "rate", "loss", "seconds")


class Log:
    """``log.csv`` and, where matplotlib is installed, ``log.png`` in a folder.

    Rows after ``step`` belong to work that a kill undid; they are taken out.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path, self._losses, self._since = folder / "log.csv", list[float](), time.monotonic()
        self._rows = [row for row in read_log(self._path) if row["step"] <= step]

    def add(self, loss: float) -> None:
        """Note the loss of a step."""
        self._losses.append(loss)

    def write(self, step: int, pixels: float, rate: float) -> None:
        """Write a row with the mean loss since the last one, and draw the plot."""
        now = time.monotonic()
        loss = sum(self._losses) / len(self._losses)
        values = (step, pixels, rate, loss, round(now - self._since, 1))
        self._rows.append(dict(zip(_COLUMNS, values, strict=True)))
        self._losses, self._since = [], now
        beside = self._path.with_suffix(".part")
        with beside.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, _COLUMNS)
            table.writeheader()
            table.writerows(self._rows)
        os.replace(beside, self._path)
        plot(self._rows, self._path.with_suffix(".png"))


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the rows of a log, or none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def plot(rows: list[dict[str, float]], path: Path) -> None:
    """Draw loss and learning rate against the pixels seen; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.add_subplot(xlabel="pixels trained on / 10⁹", ylabel="weighted squared error")
    right = left.twinx()
    right.set_ylabel("learning rate")
    pixels = [row["pixels"] / 1e9 for row in rows]
    left.plot(pixels, [row["loss"] for row in rows], ".-", color="tab:blue", label="error")
    right.plot(pixels, [row["rate"] for row in rows], color="tab:gray", lw=1, label="rate")
    figure.legend(loc="outside upper right", ncols=2)
    figure.savefig(path, dpi=120)
