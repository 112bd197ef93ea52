"""What is printed of the denoisers is what was measured of the ones in the package."""

from pathlib import Path

import pytest

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.denoise import cards
from napari_credible.denoise.figures import figures, table

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "denoisers.md"


def test_every_shipped_denoiser_was_measured():
    assert set(figures()["denoisers"]) == set(nc.denoisers())
    for name, card in cards().items():
        assert figures()["denoisers"][name]["parameters"] == card.parameters


def test_cards_and_figures_agree():
    """The card's PSNR, measured when the weights were exported, within a hundredth of a dB."""
    for name, card in cards().items():
        row = figures()["denoisers"][name]["psnr"]
        for folder in card.psnr.keys() & row.keys():
            measured = dict(zip(figures()["levels"], row[folder], strict=True))
            for level, psnr in card.psnr[folder].items():
                assert psnr == pytest.approx(measured[int(level)], abs=0.01), (name, folder)


def test_the_page_and_the_command_show_the_same_table(capsys):
    with pytest.raises(SystemExit) as end:
        main(["models"])
    assert not end.value.code
    assert table() in capsys.readouterr().out
    assert table() in PAGE.read_text(encoding="utf-8")


def test_the_fast_one_is_fast_and_nearly_as_good():
    """Four times the speed for at most 0.35 dB on BSD68; the page says where it is more."""
    main_one, fast = (figures()["denoisers"][name] for name in ("unet", "unet_fast"))
    assert fast["speed"] >= 4 * main_one["speed"]
    pairs = zip(main_one["psnr"]["BSD68"], fast["psnr"]["BSD68"], strict=True)
    assert max(a - b for a, b in pairs) <= 0.35
