"""``python -m napari_credible.training CONFIG --out RUN``."""

from __future__ import annotations

import typer

from napari_credible.training.command import train

if __name__ == "__main__":
    typer.run(train)
