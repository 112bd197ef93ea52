"""Learn the dictionary of the shipped "ksvd" on clean photographs: ksvd.py FOLDER OUT."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from napari_credible.denoise.dictionary import dct_dictionary
from napari_credible.denoise.ksvd import learned_dictionary
from napari_credible.training.data import Mixture
from napari_credible.training.folders import Folder

PATCH = 8
# Patches of a crop, crops decoded together, and their side.
EACH, AT_ONCE, SIDE = 20, 50, 64


def main(
    folder: Annotated[Path, typer.Argument(help="of clean images")],
    out: Annotated[Path, typer.Argument(help="the file to write")],
    patches: Annotated[int, typer.Option(help="drawn in all")] = 60_000,
    atoms: Annotated[int, typer.Option(help="of the dictionary")] = 256,
    most: Annotated[int, typer.Option(help="atoms to a patch")] = 6,
    rounds: Annotated[int, typer.Option(help="of coding and moving the atoms")] = 40,
    seed: Annotated[int, typer.Option(help="of the drawing")] = 0,
) -> None:
    """Learn a dictionary by K-SVD, from cosines on."""
    drawn = draw(Folder(folder), patches, seed)
    drawn = drawn - drawn.mean(1, keepdim=True)
    exact = torch.zeros(len(drawn))
    found = learned_dictionary(drawn, dct_dictionary(PATCH, atoms), exact, rounds=rounds, most=most)
    save_file({"dictionary": found.half().contiguous()}, out)


def draw(folder: Folder, count: int, seed: int) -> Tensor:
    """Draw patches (count, 64) from the crops that the networks are trained on."""
    crops = Mixture([folder], seed=seed)
    steps = ((number, AT_ONCE, SIDE) for number in range(-(-count // (AT_ONCE * EACH))))
    rng = torch.Generator().manual_seed(seed)
    patches = []
    for clean, _, _ in crops.batches(steps):
        cut = F.unfold(clean, PATCH).transpose(1, 2)
        patches.append(cut[:, torch.randperm(cut.shape[1], generator=rng)[:EACH]].flatten(0, 1))
    return torch.cat(patches)[:count]


if __name__ == "__main__":
    typer.run(main)
