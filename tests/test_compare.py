"""Ranking denoisers without the truth."""

import numpy as np
import pytest
import torch

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.compare import compare, table

SPREAD, SIGMA = 0.3, 0.2
BEST = SPREAD**2 / (SPREAD**2 + SIGMA**2)


def shrinking(factor):
    def denoise(x, sigma):
        return factor * x

    return denoise


CANDIDATES = {"too much": 0.3, "untouched": 1.0, "right": BEST, "nearly": BEST + 0.15}


@pytest.fixture(scope="module")
def white():
    rng = np.random.default_rng(0)
    clean = SPREAD * rng.standard_normal((192, 192))
    return clean, clean + SIGMA * rng.standard_normal(clean.shape)


def test_the_ranking_is_the_true_one_and_its_errors_are_right(white):
    clean, noisy = white
    denoisers = {name: shrinking(factor) for name, factor in CANDIDATES.items()}
    rows = compare(noisy, nc.Gaussian(SIGMA), denoisers=denoisers, side=192)
    true = {n: np.square(f * noisy - clean).mean() for n, f in CANDIDATES.items()}
    assert [row.name for row in rows] == sorted(true, key=true.get)
    for row in rows:
        behind = 10 * np.log10(true[row.name] / true["right"])
        assert abs(row.behind - behind) <= 4 * row.behind_error + 1e-9
        gain = 10 * np.log10(SIGMA**2 / true[row.name])
        assert abs(row.gain - gain) < 4 * row.error
        assert row.behind_error <= row.error
    assert rows[-1].clear
    assert not rows[0].clear


def test_equals_are_called_unsure(white):
    """Two that differ by less than can be known share a place."""
    _, noisy = white
    pair = {"a": shrinking(BEST), "b": shrinking(BEST + 1e-4)}
    rows = compare(noisy, nc.Gaussian(SIGMA), denoisers=pair)
    assert not rows[1].clear
    assert "(unsure)" in table(rows)


def test_a_callable_that_torch_loses_sight_of_is_judged_by_differences(white):
    clean, noisy = white

    def detached(x, sigma):
        return BEST * x.detach()

    (row,) = compare(noisy, nc.Gaussian(SIGMA), denoisers={"d": detached}, side=192)
    gain = 10 * np.log10(SIGMA**2 / np.square(BEST * noisy - clean).mean())
    assert abs(row.gain - gain) < 4 * row.error


def test_hidden_pixels_rank_too(scene):
    noisy = scene[:128, :128] + 0.1 * np.random.default_rng(0).standard_normal((128, 128))
    pair = {"left": shrinking(1.0), "unet_fast": nc.load_denoiser("unet_fast")}
    rows = compare(noisy, nc.Gaussian(0.1), denoisers=pair, by="pixels")
    assert [row.name for row in rows] == ["unet_fast", "left"]
    assert rows[1].clear


def test_bad_input_gets_one_sentence(noisy):
    with pytest.raises(ValueError, match="by is 'luck'; give one of sure, pixels"):
        compare(noisy, nc.Gaussian(0.02), by="luck")
    with pytest.raises(ValueError, match="no denoiser 'best'"):
        compare(noisy, nc.Gaussian(0.02), denoisers=["best"])


def test_the_command_prints_a_table(scene, tmp_path, capsys):
    noisy = scene[:64, :64] + 0.1 * np.random.default_rng(0).standard_normal((64, 64))
    nc.write(tmp_path / "a.tif", nc.Image(noisy.astype(np.float32)))
    words = ["compare", tmp_path / "a.tif", "--noise", "gaussian:0.1", "-q",
             "--denoiser", "unet_fast", "--denoiser", "nlm"]  # fmt: skip
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert not end.value.code
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[0] == "denoiser"
    assert said[1].split()[0] == "unet_fast"
    assert "best" in said[1]
    assert torch.is_grad_enabled()
