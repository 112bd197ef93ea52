"""Files: there and back with scale, units, header and recipe; refusals; nothing half-written."""

import json
import os

import numpy as np
import pytest
import tifffile
from astropy.io import fits

import napari_credible as nc
from napari_credible.io.files import read_all
from napari_credible.io.fits import recorded
from napari_credible.samples import SAMPLES

RECORD = {"recipe": {"seed": 3, "text": "σ ≥ 0"}, "doubts": ["long " * 40]}


def rng_image(axes, shape, **fields):
    array = np.random.default_rng(0).normal(100, 30, shape).astype(np.float32)
    return nc.Image(array, axes, **fields)


SCALED = [
    rng_image("YX", (20, 30), scale=(0.1, 0.2), axis_units=("micrometer",) * 2, unit="ADU"),
    rng_image("ZYX", (3, 20, 30), scale=(0.5, 0.1, 0.1), axis_units=("micrometer",) * 3),
    rng_image(
        "TZCYX",
        (2, 3, 2, 20, 30),
        scale=(60.0, 0.5, 1.0, 0.1, 0.1),
        axis_units=("second", "micrometer", "pixel", "micrometer", "micrometer"),
        unit="electron",
    ),
    rng_image(
        "YXS", (20, 30, 3), scale=(2.0, 2.0, 1.0), axis_units=("nanometer", "nanometer", "pixel")
    ),
    rng_image(
        "TYX", (4, 20, 30), scale=(100.0, 1, 1), axis_units=("millisecond", "pixel", "pixel")
    ),
]


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".fits", ".fits.gz"])
@pytest.mark.parametrize("image", SCALED, ids=lambda i: i.axes)
def test_there_and_back(tmp_path, image, suffix):
    path = tmp_path / f"a b{suffix}"
    nc.write(path, image, flags=np.ones(image.shape, np.uint8), record=RECORD)
    back = nc.read(path)
    if "fits" in suffix and image.axes[-2:] != "YX":
        image = image.planar()
    np.testing.assert_array_equal(back.array, image.array)
    assert back.axes == image.axes
    assert back.scale == pytest.approx(image.scale)
    assert back.axis_units == image.axis_units
    assert back.unit == image.unit
    assert os.listdir(tmp_path) == [path.name]


def test_the_record_is_in_the_file(tmp_path):
    nc.write(tmp_path / "a.tif", SCALED[0], record=RECORD)
    nc.write(tmp_path / "a.fits", SCALED[0], record=RECORD)
    assert nc.read(tmp_path / "a.tif").header["napari-credible"] == RECORD
    assert recorded(tmp_path / "a.fits") == RECORD
    with fits.open(tmp_path / "a.fits") as hdus:
        history = "".join(str(line).ljust(68) for line in hdus[0].header["HISTORY"])
        assert json.loads(history.strip()) == RECORD


def test_flags_are_a_second_series_or_hdu(tmp_path):
    flags = np.arange(600, dtype=np.uint8).reshape(20, 30)
    nc.write(tmp_path / "a.tif", SCALED[0], flags=flags)
    nc.write(tmp_path / "a.fits", SCALED[0], flags=flags)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.series[1].asarray(), flags)
    np.testing.assert_array_equal(fits.getdata(tmp_path / "a.fits", "FLAGS"), flags)


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.parametrize("suffix", [".tif", ".fits"])
def test_real_files_make_the_round_trip(tmp_path, name, suffix):
    image = SAMPLES[name].read()
    floats = image.with_array(np.asarray(image.array, dtype=np.float32))
    nc.write(tmp_path / f"a{suffix}", floats)
    back = nc.read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(back.array, floats.array)
    assert back.scale == pytest.approx(image.scale)


def test_imagej_scale_is_read(cells):
    assert cells.axes == "YX"
    assert cells.scale == pytest.approx((0.229674, 0.229674), rel=1e-5)
    assert cells.axis_units == ("micrometer", "micrometer")


@pytest.mark.parametrize(
    ("metadata", "shape", "scale", "units"),
    [
        ({"axes": "ZYX", "spacing": 0.4, "unit": "um"}, (3, 16, 16), 0.4, "micrometer"),
        ({"axes": "TYX", "finterval": 2.5}, (3, 16, 16), 2.5, "second"),
    ],
)
def test_imagej_stacks_are_read(tmp_path, metadata, shape, scale, units):
    path = tmp_path / "a.tif"
    array = np.zeros(shape, np.uint16)
    tifffile.imwrite(path, array, imagej=True, metadata=metadata, resolution=(5.0, 4.0))
    image = nc.read(path)
    assert image.axes == metadata["axes"]
    assert image.scale == pytest.approx((scale, 0.25, 0.2))
    assert image.axis_units[0] == units


def test_plain_tiff_in_centimetres(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((16, 16)), resolution=(1000, 1000), resolutionunit=3
    )
    image = nc.read(tmp_path / "a.tif")
    assert (image.scale[0], image.axis_units[0]) == (pytest.approx(1e-3), "centimeter")


def test_big_endian_tiff_is_read(tmp_path):
    array = np.arange(256, dtype=">u2").reshape(16, 16)
    tifffile.imwrite(tmp_path / "a.tif", array, byteorder=">")
    np.testing.assert_array_equal(nc.read(tmp_path / "a.tif").array, array)


def test_colour_pictures_are_read(tmp_path):
    from skimage.io import imsave

    imsave(tmp_path / "a.png", np.zeros((16, 17, 3), np.uint8), check_contrast=False)
    assert nc.read(tmp_path / "a.png").axes == "YXS"


def observed(tmp_path):
    """Write a FITS file as observatories do: an empty primary HDU, two images, a table."""
    science = np.arange(400, dtype=np.float32).reshape(20, 20)
    science[3, 4] = np.nan
    header = fits.Header({"BUNIT": "electron/s", "CRVAL1": 12.5, "CTYPE1": "RA---TAN"})
    header["HISTORY"] = "flat-fielded"
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(science, header, name="SCI"),
        fits.ImageHDU(np.full((20, 20), 7, np.int16), name="DQ"),
        fits.BinTableHDU.from_columns([fits.Column("A", "E", array=np.zeros(3))]),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "o.fits")
    return science


def test_every_image_hdu_is_read(tmp_path):
    science = observed(tmp_path)
    images = read_all(tmp_path / "o.fits")
    assert [i.name for i in images] == ["sci", "dq"]
    assert images[0].unit == "electron/s"
    assert images[0].array.dtype.isnative
    np.testing.assert_array_equal(images[0].array, science)


def test_the_header_comes_along(tmp_path):
    observed(tmp_path)
    nc.write(tmp_path / "out.fits", nc.read(tmp_path / "o.fits"), record=RECORD)
    header = fits.getheader(tmp_path / "out.fits")
    assert (header["CRVAL1"], header["CTYPE1"], header["BUNIT"]) == (12.5, "RA---TAN", "electron/s")
    assert str(header["HISTORY"]).startswith("flat-fielded")


def test_scaled_integers_become_physical_values(stars):
    assert stars.array.dtype == np.uint16
    assert stars.header["GAIN"] == 1.9


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.tif", None, "there is no file"),
        ("a.jpg", b"x", "unknown kind; use .tif"),
        ("a.tif", b"not a tiff", "cannot be read as TIFF"),
        ("a.fits", b"not fits", "cannot be read as FITS"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        nc.read(tmp_path / name)


def test_fits_without_an_image_is_said(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "a.fits")
    with pytest.raises(ValueError, match="holds no image"):
        nc.read(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("name", "image", "sentence"),
    [
        ("a.png", SCALED[0], "cannot keep 32-bit numbers"),
        ("a.fits.fz", SCALED[0], "read, not written"),
        ("no/a.tif", SCALED[0], "there is no folder"),
        ("a.tif", rng_image("PQTYX", (2, 2, 2, 16, 16)), "keeps the axes T, Z, C, Y, X"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, name, image, sentence):
    with pytest.raises(ValueError, match=sentence):
        nc.write(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.tif"
    nc.write(path, SCALED[0])
    before = path.read_bytes()
    with pytest.raises(TypeError):
        nc.write(path, SCALED[0], record={"not json": object()})
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
