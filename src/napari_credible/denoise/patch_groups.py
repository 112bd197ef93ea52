"""For each patch of an image, the patches most like it nearby."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_credible.stopping import pause

# Distances kept at once: 128 MiB.
_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Groups:
    """The nearest patches of each position, itself first.

    Attributes
    ----------
    distances : Tensor, shape (B, Y, X, count)
        Mean squared differences of the pixels, ascending; 0 for the patch itself.
    rows, columns : Tensor of int64, shape (B, Y, X, count)
        Where the patches lie, as displacements from -radius to radius.
    """

    distances: Tensor
    rows: Tensor
    columns: Tensor


def nearest_patches(
    padded: Tensor, patch: int, radius: int, count: int, dilation: int = 1
) -> Groups:
    """Search exhaustively in a window around each position.

    Parameters
    ----------
    padded : Tensor, shape (B, Y + 2 margin, X + 2 margin)
        The image with a margin of ``radius + dilation * (patch // 2)`` pixels on each side, so
        that each of its Y x X pixels is the centre of a patch and of a whole window.
    patch : int
        Side of a patch, odd, in samples ``dilation`` pixels apart.
    radius : int, pixels
        Largest displacement along each axis.
    count : int
        Patches in a group, the patch itself among them.
    dilation : int, pixels
        Between two samples of a patch.

    Returns
    -------
    Groups
        Of the Y x X positions.

    Raises
    ------
    ValueError
        Where the window holds fewer patches than wanted, or the image is smaller than its margin.
    """
    side, margin = 2 * radius + 1, radius + dilation * (patch // 2)
    height, width = (n - 2 * margin for n in padded.shape[-2:])
    if count > side**2:
        raise ValueError(f"a window of {side} x {side} holds no {count} patches; widen the radius")
    if min(height, width) < 1:
        raise ValueError(
            f"the image with its margin is {tuple(padded.shape[-2:])}; give more than {2 * margin} "
            "pixels along each axis"
        )
    step = max(1, _AT_ONCE // (side**2 * width * len(padded)))
    strips = [
        _strip(
            padded[:, y : y + min(step, height - y) + 2 * margin], patch, radius, count, dilation
        )
        for y in range(0, height, step)
    ]
    distances, index = (torch.cat(parts, 1) for parts in zip(*strips, strict=True))
    return Groups(distances, index // side - radius, index % side - radius)


def _strip(
    padded: Tensor, patch: int, radius: int, count: int, dilation: int
) -> tuple[Tensor, Tensor]:
    """Return distances and places in the window, both (B, Y, X, count), of a strip of rows."""
    side = 2 * radius + 1
    inner = padded[:, radius : padded.shape[1] - radius, radius : padded.shape[2] - radius]
    rows = []
    for dy in range(side):
        pause()
        windows = padded[:, dy : dy + inner.shape[1]].unfold(2, inner.shape[2], 1)
        squares = (windows.transpose(1, 2) - inner[:, None]).square_()  # (B, side, Y, X)
        rows.append(_patch_mean(squares, patch, dilation))
    found = torch.cat(rows, 1).permute(0, 2, 3, 1).contiguous()
    own = radius * side + radius
    found[..., own] = -1.0  # before any other patch that happens to be equal
    distances, places = found.topk(count, dim=-1, largest=False)
    return distances.clamp_min_(0), places


def _patch_mean(squares: Tensor, patch: int, dilation: int) -> Tensor:
    """Average over the samples of a patch, along rows and then along columns."""
    for axis in (-1, -2):
        length = squares.shape[axis] - dilation * (patch - 1)
        total = squares.narrow(axis, 0, length).clone()
        for k in range(1, patch):
            total += squares.narrow(axis, k * dilation, length)
        squares = total
    return squares / patch**2


def gathered(patches: Tensor, groups: Groups, radius: int) -> Tensor:
    """Return the patches of each group.

    Parameters
    ----------
    patches : Tensor, shape (B, Y + 2 radius, X + 2 radius, n)
        All patches of the image with a margin of ``radius``.
    groups : Groups
        Of its Y x X positions.
    radius : int, pixels
        Of the search.

    Returns
    -------
    Tensor, shape (count, B, Y, X, n)
    """
    batch, height, width = groups.rows.shape[:3]
    device = patches.device
    y = torch.arange(height, device=device).view(1, -1, 1, 1) + radius + groups.rows
    x = torch.arange(width, device=device).view(1, 1, -1, 1) + radius + groups.columns
    b = torch.arange(batch, device=device).view(-1, 1, 1, 1)
    place = ((b * patches.shape[1] + y) * patches.shape[2] + x).permute(3, 0, 1, 2)
    return patches.flatten(0, 2).index_select(0, place.flatten()).view(*place.shape, -1)
