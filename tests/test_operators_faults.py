"""Operators in words and JSON come back the same; what does not fit is refused in a sentence."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

import napari_credible as nc
from napari_credible.operators import (
    ABOUT,
    OPERATORS,
    WRITTEN,
    Bayer,
    Blur,
    CompressedSensing,
    Decorrelated,
    Downsample,
    Identity,
    Mask,
    Operator,
    Radon,
    Whitened,
    autocovariance_of,
    check_operator,
    operator_of,
    spelled,
)

SEEN = np.random.default_rng(0).random((30, 40)) > 0.3


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a PSF, a mask and angles, in which paths are short."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("psf.tif", Blur.gaussian(1.3).psf.astype(np.float32))
    tifffile.imwrite("mask.tif", SEEN.astype(np.uint8))
    np.savetxt("angles.txt", np.arange(0, 180, 7))
    np.save("flat.npy", np.zeros((3, 3)))
    (tmp_path / "broken.tif").write_bytes(b"no picture")
    return tmp_path


WORDS = {
    "identity": Identity(),
    "mask:mask.tif": Mask(SEEN),
    "blur:uniform,5": Blur.uniform(5),
    "blur:gaussian,1.5,zero": Blur.gaussian(1.5, "zero"),
    "downsample:4": Downsample(4),
    "bayer:GBRG": Bayer("GBRG"),
    "radon:angles.txt": Radon(np.arange(0, 180, 7)),
    "radon:60": Radon(np.arange(0, 180, 3)),
    "cs:0.25,3": CompressedSensing(0.25, 3),
    "cs:0.5": CompressedSensing(0.5),
    "downsample:2 @ blur:uniform,3": Downsample(2) @ Blur.uniform(3),
    "mask:mask.tif @ downsample:2 @ blur:uniform,3": Mask(SEEN) @ (Downsample(2) @ Blur.uniform(3)),
}


@pytest.mark.parametrize(("text", "operator"), WORDS.items(), ids=list(WORDS))
def test_words_become_operators(folder, text, operator):
    assert operator_of(text) == operator
    assert operator_of(spelled(text)) == operator
    assert spelled(spelled(text)) == spelled(text)


@pytest.mark.parametrize("boundary", ["", ",circular", ",zero", ",valid"])
def test_a_psf_comes_from_a_file(folder, boundary):
    blur = operator_of(f"blur:psf.tif{boundary}")
    assert blur.boundary == (boundary[1:] or "circular")
    np.testing.assert_allclose(blur.psf, Blur.gaussian(1.3).psf, atol=1e-7)
    assert operator_of(spelled(f"blur:psf.tif{boundary}")) == blur


@pytest.mark.parametrize(
    "operator",
    [
        *WORDS.values(),
        Blur(np.random.default_rng(0).random((20, 9)), "valid", normalise=False),
        Blur([[1.0]], pixel=(0.1, 0.2), unit="um"),
        Radon([0.0, 10], circle=False, shape=(4, 6)),
        Downsample(np.int64(3)) @ CompressedSensing(np.float32(0.5), np.int64(2)),
        Whitened(Mask(SEEN), np.where(SEEN, 2.5, np.inf)),
        Decorrelated(Blur.uniform(3), [[0.1, 1, 0.1]]),
    ],
    ids=lambda o: type(o).__name__,
)
def test_operators_go_through_json(operator):
    assert operator_of(operator) is operator
    assert operator_of(json.loads(json.dumps(spelled(operator)))) == operator


def test_arrays_of_json_may_be_files(folder):
    assert operator_of({"kind": "mask", "mask": {"file": "mask.tif"}}) == Mask(SEEN)


def test_an_own_operator_is_spelled_by_its_name():
    class Own(Operator):
        pass

    assert spelled(Own()).startswith("custom:")


def test_a_changed_file_is_noticed(folder):
    text = spelled("mask:mask.tif")
    tifffile.imwrite("mask.tif", (~SEEN).astype(np.uint8))
    with pytest.raises(ValueError, match=r"mask\.tif is not the file that the recipe was made"):
        operator_of(text)


FAULTS = {
    "blurr:psf.tif": "there is no operator 'blurr'; give one of identity; mask:FILE",
    "blur:nothing.tif": "there is no file nothing.tif",
    "blur:broken.tif": "broken.tif cannot be read",
    "blur:flat.npy": "the PSF is zero everywhere",
    "blur:angles.txt": "give numbers",
    "blur:uniform,4": "give an odd number",
    "blur:uniform,x": "cannot be read; write blur:FILE",
    "blur:gaussian,-1": "a finite number above 0",
    "mask:": "there is no file",
    "mask:flat.npy": "nothing is seen",
    "downsample:0": "give a number from 1",
    "downsample:x": "write downsample:FACTOR",
    "bayer:RGBG": "give one of RGGB",
    "radon:0": "write radon:FILE",
    "radon:psf.tif": "give a list of degrees",
    "cs:2": "a number above 0, at most 1",
    "cs:0.1,x": "write cs:RATIO,SEED",
    "identity:3": "write identity",
    "": "there is no operator ''",
}


@pytest.mark.parametrize(("text", "words"), FAULTS.items(), ids=list(FAULTS))
def test_words_that_do_not_fit_are_refused(folder, text, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")) as caught:
        operator_of(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (7, "the operator is 7"),
        ({}, "there is no operator ''"),
        ({"kind": "blur"}, "missing a required argument: 'psf'"),
        ({"kind": "blur", "psf": [[1]], "blurry": 2}, "has no blurry; it has psf, boundary"),
        ({"kind": "mask", "mask": {"zlib": "!!", "shape": [1], "dtype": "bool"}}, "is damaged"),
        ({"kind": "mask", "mask": {"file": "away.tif"}}, "there is no file away.tif"),
        ({"kind": "compose", "last": "downsample:2", "first": "nothing"}, "no operator 'nothing'"),
    ],
)
def test_json_that_does_not_fit_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        operator_of(values)


IMAGE = np.ones((20, 33))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Blur([[1, np.nan]]), "1 values of the PSF are not finite; set them"),
        (lambda: Blur(np.zeros((3, 3))), "zero everywhere; give the image of a point"),
        (lambda: Blur([[1, -2]]), "sums to -1; subtract its background"),
        (lambda: Blur([[1, -1]]), "sums to 0"),
        (lambda: Blur(np.ones((3, 3, 3))), r"shape \(3, 3, 3\)"),
        (lambda: Blur(np.ones((3, 3)), "mirror"), "boundary is 'mirror'; give one of circular"),
        (lambda: Blur(np.ones((3, 3)), pixel=(0, 1)), "pixels are"),
        (lambda: Blur(np.ones((21, 3)))(IMAGE), "21, 3.* pixels and the image .*20, 33"),
        (lambda: Blur(np.ones((3, 35)), "valid")(IMAGE), "cut the PSF's dark margin"),
        (lambda: Mask(np.ones((2, 2))), "float64 values; give booleans"),
        (lambda: Mask(np.zeros((2, 2), bool)), "nothing is seen; is it inverted"),
        (lambda: Mask(np.ones(3, bool)), r"give \(Y, X\)"),
        (lambda: Mask(SEEN)(IMAGE), r"shape \(30, 40\) and the image \(20, 33\)"),
        (lambda: Mask(SEEN).adjoint(IMAGE), "give a mask of the image's shape"),
        (lambda: Downsample(4)(IMAGE), r"4 does not divide .* crop it to \(20, 32\)"),
        (lambda: Downsample(32)(IMAGE), "give a larger image"),
        (lambda: Downsample(1.5), "whole number"),
        (lambda: Bayer()(IMAGE[None]), r"a Bayer filter takes \(3, Y, X\)"),
        (lambda: Bayer()(IMAGE), "at least 3 dimensions"),
        (lambda: CompressedSensing(0.0), "above 0"),
        (lambda: CompressedSensing(0.5, 1.5), "whole number"),
        (lambda: CompressedSensing()(np.ones((60, 64))), r"shape=\(60, 64\)"),
        (lambda: CompressedSensing(shape=(64, 64)).adjoint(np.ones((7, 64))), "fit no image"),
        (lambda: Radon([]), "give a list of degrees"),
        (lambda: Radon([0, np.inf]), "1 of them finite"),
        (lambda: Radon([0, 9])(IMAGE), r"pad or crop it to a square, or say Radon\(angles, ci"),
        (lambda: Radon([0, 9]).adjoint(np.ones((16, 3))), "there are 2 angles"),
        (lambda: Radon([0, 9], circle=False).adjoint(np.ones((14, 2))), "sees no image"),
        (lambda: Whitened(Identity(), 0.0), "above 0; infinity where"),
        (lambda: Whitened(Identity(), np.ones((2, 2)))(IMAGE), "give one level a datum"),
        (lambda: Decorrelated(Identity(), np.ones((2, 3))), "in the middle of odd sides"),
        (lambda: Decorrelated(Identity(), [[1, 1, 1]])(IMAGE), "no noise has this"),
        (lambda: Decorrelated(Mask(SEEN), [[1.0]])(np.ones((30, 40))), "use Whitened"),
        (lambda: autocovariance_of(np.ones((9, 9))), "larger frames that vary"),
        (lambda: Identity()(IMAGE * 1j), "operators take real numbers"),
        (lambda: Identity()(np.ones(3)), "at least 2 dimensions"),
        (lambda: Blur.uniform(3) @ Bayer() @ Bayer(), "write the one that acts on the image last"),
        (lambda: check_operator(np.fft.fft2), "is no operator; subclass"),
        (lambda: check_operator(Identity(), (4, 4), dtype=int), "give torch.float64"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(act, words):
    with pytest.raises(ValueError, match=words) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_each_operator_is_described_and_written():
    assert set(ABOUT) == set(OPERATORS) == set(WRITTEN)


def test_the_front_door_has_the_operators_and_stays_light():
    names = ["Identity", "Mask", "Blur", "Downsample", "Bayer", "CompressedSensing", "Radon",
             "check_operator", "operator_of", "spelled", "psf_from_stars"]  # fmt: skip
    assert all(hasattr(nc.operators, name) for name in names)
    code = "import sys, napari_credible as nc; print('torch' in sys.modules); nc.operators.Blur"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
