"""Faults that were found once, and stay mended."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from astropy.io import fits
from skimage.io import imsave
from torch.autograd import forward_ad

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.denoise.catalogue import WEIGHTS
from napari_credible.recipe import Recipe
from napari_credible.run import plan, run


def code_of(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def test_a_plain_stack_of_stacks_is_read_and_its_axes_can_be_said(tmp_path, scene):
    stack = np.stack([[100 * scene[:32, :40]] * 3] * 2).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    assert nc.read(tmp_path / "a.tif").axes == "QRYX"
    words = ["denoise", tmp_path / "a.tif", "-o", tmp_path / "b.tif", "--noise", "gaussian:1"]
    assert code_of(*words, "--axes", "TZYX", "--denoiser", "tv", "-q") == 0
    assert nc.read(tmp_path / "b.tif").axes == "TZYX"


@pytest.mark.parametrize("axes", ["XY", "ZYXC", "YXZ", "SYX", "CTYX"])
def test_any_order_of_axes_is_written(tmp_path, axes):
    sizes = {"X": 24, "Y": 20, "Z": 5, "C": 2, "S": 3, "T": 4}
    array = np.random.default_rng(0).random([sizes[a] for a in axes]).astype(np.float32)
    image = nc.Image(array, axes, tuple(range(1, len(axes) + 1)))
    nc.write(tmp_path / "a.tif", image, flags=np.ones(array.shape, np.uint8))
    back = nc.read(tmp_path / "a.tif")
    assert set(back.axes) == set(axes)
    order = [back.axes.index(a) for a in axes]
    np.testing.assert_array_equal(back.array.transpose(order), array)


@pytest.mark.parametrize(
    ("image", "name", "words"),
    [
        (nc.Image(np.zeros((2, 2, 2, 2, 8, 8), np.float32)), "a.tif", "a.tif: OME-TIFF keeps the"),
        (nc.Image(np.zeros((8, 8), np.int64)), "a.tif", "a.tif: OME-TIFF keeps no int64"),
        (nc.Image(np.zeros((8, 8), np.float16)), "a.fits", "a.fits: FITS keeps no float16"),
    ],
)
def test_what_a_file_cannot_keep_is_refused_by_its_own_name(tmp_path, image, name, words):
    with pytest.raises(ValueError, match=words):
        nc.write(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_a_plain_array_is_written(tmp_path):
    nc.write(tmp_path / "a.fits", np.eye(16, dtype=np.float32))
    np.testing.assert_array_equal(nc.read(tmp_path / "a.fits").array, np.eye(16))


def test_an_extension_knows_the_first_header(tmp_path):
    first = fits.PrimaryHDU()
    first.header["GAIN"], first.header["OBJECT"] = 2.0, "M 13"
    second = fits.ImageHDU(np.ones((16, 16), np.float32), name="SCI")
    second.header["OBJECT"] = "its own"
    fits.HDUList([first, second]).writeto(tmp_path / "a.fits")
    image = nc.read(tmp_path / "a.fits")
    assert (image.header["GAIN"], image.header["OBJECT"]) == (2.0, "its own")
    nc.write(tmp_path / "b.fits", image)
    assert fits.getheader(tmp_path / "b.fits")["GAIN"] == 2.0


def test_units_beyond_ascii_fit_into_fits(tmp_path):
    image = nc.Image(np.ones((16, 16), np.float32), scale=(2, 2), axis_units=("µm", "µm"), unit="Å")
    nc.write(tmp_path / "a.fits", image)
    assert nc.read(tmp_path / "a.fits").unit == "Angstrom"


def test_noise_maps_do_not_fill_the_history(tmp_path):
    noise = nc.Gaussian(np.full((64, 64), 1.5))
    result = nc.denoise(np.zeros((64, 64)), noise, denoiser="tv")
    nc.write(tmp_path / "a.fits", result.image, record=result.record())
    assert len(fits.getheader(tmp_path / "a.fits")["HISTORY"]) < 10
    with fits.open(tmp_path / "a.fits") as hdus:
        record = json.loads(str(hdus["RECIPE"].data["JSON"][0]))
    assert Recipe.of(**record["recipe"]).noise == noise


@pytest.mark.parametrize("damage", ["zlib", "short", "png", "text.png"])
def test_damaged_files_are_one_sentence(tmp_path, damage, scene):
    path = tmp_path / ("a.png" if "png" in damage else "a.tif")
    if damage == "zlib":
        tifffile.imwrite(path, (255 * scene).astype(np.uint8), compression="zlib")
        whole = path.read_bytes()
        path.write_bytes(whole[:200] + bytes(4000) + whole[4200:])
    elif damage == "short":
        path.write_bytes(b"II*\0")
    elif damage == "png":
        imsave(path, (255 * scene).astype(np.uint8))
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.write_text("no picture")
    with pytest.raises(ValueError, match=r"a\.(tif|png) cannot be read") as refusal:
        nc.read(path)
    assert "\n" not in str(refusal.value)


def test_lzw_is_read(tmp_path, scene):
    tifffile.imwrite(tmp_path / "a.tif", (255 * scene).astype(np.uint8), compression="lzw")
    np.testing.assert_array_equal(nc.read(tmp_path / "a.tif").array, (255 * scene).astype(np.uint8))


def test_opacity_has_no_noise_on_the_command_line(tmp_path, scene, capsys):
    noisy = nc.Gaussian(8.0).draw(20 + 200 * scene[:64, :64], 0)
    picture = np.stack([*[np.clip(noisy, 0, 255)] * 3, np.full((64, 64), 255)], -1)
    imsave(tmp_path / "a.png", picture.astype(np.uint8))
    assert code_of("noise", tmp_path / "a.png") == 0
    assert capsys.readouterr().out.count("sigma") + capsys.readouterr().out.count("gain") <= 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 5), (3, 2, 7)])
def test_the_smallest_images_are_taken(shape):
    assert nc.denoise(np.ones(shape), nc.Gaussian(0.1)).estimate.shape == shape


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        nc.denoise(np.ones((32, 32)), nc.Gaussian(1.0), denoiser=lambda x, s: x * torch.nan)


@pytest.mark.parametrize("name", ["wavelet", "tv", "nlm", "unet"])
def test_memory_does_not_change_the_result(name, scene):
    """The smallest budget and a large one give the same numbers, to float rounding."""
    noise = nc.Gaussian(0.1)
    noisy = nc.Image(noise.draw(scene[:200, :220], 0))
    large = run(Recipe(noise=noise, denoiser=name, memory=8.0), noisy).estimate
    small = run(Recipe(noise=noise, denoiser=name, memory=0.02), noisy).estimate
    np.testing.assert_allclose(small, large, atol=1e-5)


def test_a_plan_needs_recipe_and_image_alone():
    assert plan(Recipe(), nc.Image(np.zeros((3, 64, 64)))).planes == 3


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own
def test_the_network_has_derivatives():
    """D is differentiated by what asks how sure it is."""
    denoiser = nc.load_denoiser("unet")
    x, v = torch.rand(2, 1, 1, 32, 32)
    with forward_ad.dual_level():
        forward = forward_ad.unpack_dual(denoiser(forward_ad.make_dual(x, v), 0.1)).tangent
    x.requires_grad_()
    (backward,) = torch.autograd.grad((denoiser(x, 0.1) * v).sum(), x)
    assert float((forward * v).sum()) == pytest.approx(float((backward * v).sum()), rel=1e-4)


def test_other_weights_of_the_same_name_are_not_taken_for_the_shipped(tmp_path, scene):
    mine = nc.load_denoiser("unet")
    mine = replace(mine, card=replace(mine.card, sha256="0" * 64))
    result = nc.denoise(scene[:32, :32], nc.Gaussian(0.1), denoiser=mine)
    assert result.recipe.denoiser == "custom:unet"
    shipped = nc.denoise(scene[:32, :32], nc.Gaussian(0.1), denoiser=nc.load_denoiser("unet"))
    assert shipped.recipe.denoiser == "unet"


CARDS = {
    "a field is missing": lambda card: card.pop("licence"),
    "a field is foreign": lambda card: card.update(more=1),
    "no shape": lambda card: card.update(shape={}),
    "another shape": lambda card: card.update(shape={"widths": [8, 8, 8], "blocks": 2}),
}


@pytest.mark.parametrize("fault", list(CARDS))
def test_a_card_that_does_not_fit_is_refused_in_one_sentence(tmp_path, fault):
    shutil.copy(WEIGHTS / "unet.safetensors", tmp_path / "w.safetensors")
    card = json.loads((WEIGHTS / "unet.json").read_text())
    CARDS[fault](card)
    (tmp_path / "w.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="card") as refusal:
        nc.load_denoiser(tmp_path / "w.safetensors")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"noise": {"kind": "Gaussian"}}', "lacks a parameter"),
        ('{"noise": {"kind": "Gaussian", "sigma": true}}', "sigma is True"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_faulty_recipe_is_one_sentence(text, words):
    with pytest.raises(ValueError, match=words):
        Recipe.from_json(text)


@pytest.mark.parametrize("denoiser", [5, []])
def test_what_cannot_denoise_is_refused(denoiser):
    with pytest.raises(ValueError, match="give a shipped name"):
        nc.denoise(np.ones((32, 32)), nc.Gaussian(1.0), denoiser=denoiser)


def test_a_path_of_weights_is_taken_as_text(scene):
    path = WEIGHTS / "unet.safetensors"
    result = nc.denoise(scene[:32, :32], nc.Gaussian(0.1), denoiser=path)
    assert result.recipe.denoiser == str(path)
