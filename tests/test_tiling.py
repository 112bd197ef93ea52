"""Tiled equals untiled, whatever the cut."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_credible as nc
from napari_credible.tiling import Grid, Joined, read


def tiled(denoiser, plane, grid, sigma):
    joined = Joined(plane)
    for tile in grid.tiles():
        joined.add(tile, denoiser(read(plane, tile), sigma)[0, 0])
    return joined.plane()


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    core=st.integers(1, 40),
    halo=st.integers(0, 9),
    feather=st.integers(0, 9),
    stride=st.sampled_from([1, 2, 8]),
)
@settings(max_examples=150, deadline=None)
def test_tiles_of_the_identity_give_the_plane(shape, core, halo, feather, stride):
    plane = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    grid = Grid(shape, (core, core), halo, feather, stride)
    assert torch.allclose(tiled(lambda x, s: x, plane, grid, 0.0), plane, atol=1e-6)
    assert all(t.rows.read_start % stride == 0 for t in grid.tiles())


@pytest.mark.parametrize("shape", [(300, 421), (256, 256)])
@pytest.mark.parametrize(("core", "feather"), [(64, 0), (100, 16), (256, 0)])
def test_the_network_tiled_equals_the_network_untiled(shape, core, feather):
    unet = nc.load_denoiser("unet")
    plane = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    whole = unet(plane[None, None], 0.3)[0, 0]
    grid = Grid(shape, (core, core), unet.reach, feather, unet.stride)
    assert len(grid.tiles()) > 1 or core == 256
    assert (tiled(unet, plane, grid, 0.3) - whole).abs().max() < 2e-6


def test_the_bar_rejects_a_halo_that_is_too_small():
    unet = nc.load_denoiser("unet")
    plane = torch.rand((256, 256), generator=torch.Generator().manual_seed(0))
    whole = unet(plane[None, None], 0.3)[0, 0]
    grid = Grid((256, 256), (64, 64), 8, 0, unet.stride)
    assert (tiled(unet, plane, grid, 0.3) - whole).abs().max() > 1e-4


def test_halving_ends_in_a_sentence():
    grid = Grid((2000, 2000), (1024, 1024), 92, 0, 8)
    assert grid.halved().largest() < grid.largest()
    for _ in range(8):
        grid = grid.halved()
    with pytest.raises(MemoryError, match="does not fit into memory"):
        grid.halved()
