"""OME-Zarr: real folders, held to the specification by another library."""

import os
import shutil
import sys
from pathlib import Path

import dask.array
import numpy as np
import pytest
import yaozarrs
import zarr

import napari_credible as nc
from napari_credible.io import files as files_room
from napari_credible.io import read_all, read_result, write
from napari_credible.io.files import check_writable
from napari_credible.samples import SAMPLES

RECORD = {"recipe": {"seed": 3}}


def stack_of(axes, rng):
    sizes = {"T": 2, "C": 3, "Z": 4, "Y": 40, "X": 50, "S": 3, "Q": 2}
    array = rng.normal(size=[sizes[a] for a in axes]).astype(np.float32)
    scale = tuple(0.5 + k for k in range(len(axes)))
    known = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}
    return nc.Image(array, axes, scale, tuple(known.get(a, "pixel") for a in axes), "ADU")


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TCZYX", "CTYX", "YXS", "QYX", "TQYX", "YXC"])
def test_what_is_written_comes_back(tmp_path, axes):
    rng = np.random.default_rng(0)
    image = stack_of(axes, rng)
    flags = rng.integers(0, 4, image.shape).astype(np.uint8)
    path = tmp_path / "a.ome.zarr"
    write(path, image, flags=flags, record=RECORD)
    yaozarrs.validate_zarr_store(str(path))
    back, marks, record = read_result(path)
    np.testing.assert_array_equal(np.asarray(back.array), image.array)
    np.testing.assert_array_equal(marks, flags)
    assert record == RECORD
    assert (back.axes, back.scale, back.axis_units, back.unit, back.name) == (
        image.axes, image.scale, image.axis_units, "ADU", "a")  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_coarser_levels_are_means_in_place(tmp_path):
    """A level's value is the mean of what lies under it, and its pixels lie over their middle."""
    array = np.random.default_rng(0).normal(size=(1025, 1030))
    write(tmp_path / "a.zarr", nc.Image(array, scale=(0.5, 0.25)))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert [group[str(k)].shape for k in range(3)] == [(1025, 1030), (512, 515), (256, 257)]
    mean = array[:1024].reshape(512, 2, 515, 2).mean((1, 3))
    np.testing.assert_allclose(group["1"][:], mean, rtol=1e-12)
    levels = group.attrs["ome"]["multiscales"][0]["datasets"]
    scale, shift = levels[2]["coordinateTransformations"]
    assert scale["scale"] == [2.0, 1.0]
    assert shift["translation"] == [0.75, 0.375]


def test_reading_is_lazy(tmp_path):
    write(tmp_path / "a.zarr", nc.Image(np.zeros((3, 64, 64), np.float32), "TYX"))
    assert isinstance(nc.read(tmp_path / "a.zarr").array, dask.array.Array)


def test_version_0_4_is_read_with_both_of_its_scales(tmp_path):
    group = zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.arange(6 * 64 * 64).reshape(6, 64, 64).astype(np.uint16))
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [
                {"name": "z", "type": "space", "unit": "micrometer"},
                {"name": "y", "type": "space", "unit": "micrometer"},
                {"name": "x", "type": "space", "unit": "micrometer"},
            ],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [2.0, 0.5, 0.5]}],
                }
            ],
            "coordinateTransformations": [{"type": "scale", "scale": [10.0, 1.0, 1.0]}],
        }
    ]
    image = nc.read(tmp_path / "old.zarr")
    assert (image.axes, image.scale) == ("ZYX", (20.0, 0.5, 0.5))
    assert image.axis_units == ("micrometer",) * 3
    assert read_result(tmp_path / "old.zarr")[1:] == (None, None)


def test_a_failure_leaves_the_old_folder_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    old = nc.Image(np.ones((64, 64), np.float32))
    write(path, old)
    broken = dask.array.map_blocks(_fails, chunks=((32, 32), (64,)), dtype=np.float32,
                                   meta=np.empty((0, 0), np.float32))  # fmt: skip
    with pytest.raises(OSError, match="gone"):
        write(path, nc.Image(broken))
    np.testing.assert_array_equal(np.asarray(nc.read(path).array), old.array)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def _fails(block_info=None):
    if block_info[None]["array-location"][0][0]:
        raise OSError("the disk is gone")
    return np.zeros((32, 64), np.float32)


def test_an_old_result_is_replaced_whole(tmp_path):
    path = tmp_path / "a.zarr"
    write(path, nc.Image(np.ones((3, 600, 600), np.float32), "ZYX"))
    write(path, nc.Image(np.zeros((64, 64), np.float32)))
    assert nc.read(path).shape == (64, 64)


@pytest.mark.parametrize("damage", ["empty", "plain array", "file"])
def test_what_is_no_image_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "a.zarr"
    if damage == "empty":
        path.mkdir()
    elif damage == "plain array":
        zarr.save_array(path, np.zeros((8, 8)))
    else:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.zarr"):
        nc.read(path)


def test_a_run_takes_it_and_gives_it(tmp_path, scene):
    noisy = nc.Gaussian(5.0).draw(100 * scene[:64, :64], 0).astype(np.float32)
    write(tmp_path / "in.zarr", nc.Image(noisy, scale=(0.5, 0.5)))
    image = nc.read(tmp_path / "in.zarr")
    result = nc.denoise(image, nc.Gaussian(5.0), denoiser="tv")
    nc.write(tmp_path / "out.ome.zarr", result.image, flags=result.flags, record=result.record())
    back, _, record = read_result(tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(np.asarray(back.array), result.estimate)
    assert record["recipe"] == result.record()["recipe"]
    assert back.scale == (0.5, 0.5)


def test_the_other_kinds_give_flags_and_record_back_too(tmp_path):
    image = stack_of("ZYX", np.random.default_rng(1))
    flags = np.ones(image.shape, np.uint8)
    for name in ("a.ome.tif", "a.fits"):
        write(tmp_path / name, image, flags=flags, record=RECORD)
        back, marks, record = files_room.read_result(tmp_path / name)
        np.testing.assert_array_equal(back.array, image.array)
        np.testing.assert_array_equal(marks, flags)
        assert record == RECORD


def damaged(path):
    """Write an image and take away its pixels."""
    write(path, nc.Image(np.ones((64, 64), np.float32)))
    shutil.rmtree(path / "0")


def misnamed(path):
    write(path, nc.Image(np.ones((64, 64), np.float32)))
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace('"0.5"', '"0.9"'))


def plate(path):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["plate"] = {"version": "0.4"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (damaged, "a.zarr cannot be read as an OME-Zarr image of version 0.4 or 0.5"),
        (misnamed, "version: Input should be '0.5'"),
        (plate, "it is a plate; name one of its images"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, make, words):
    make(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=words) as error:
        nc.read(tmp_path / "a.zarr")
    assert "\n" not in str(error.value)


def test_a_folder_of_series_gives_each_and_by_name(tmp_path):
    """bioformats2raw writes such folders."""
    group = zarr.open_group(tmp_path / "s.zarr", mode="w")
    group.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for k in (0, 1, 10):
        write(tmp_path / "one.zarr", nc.Image(np.full((64, 64), k, np.uint8)))
        (tmp_path / "one.zarr").rename(tmp_path / "s.zarr" / str(k))
    values = [np.asarray(image.array).mean() for image in read_all(tmp_path / "s.zarr")]
    assert values == [0, 1, 10]
    assert np.asarray(nc.read(tmp_path / "s.zarr" / "10").array).mean() == 10


def test_whole_numbers_are_rounded_and_flags_kept_at_coarser_levels(tmp_path):
    array = np.random.default_rng(0).integers(0, 200, (512, 514)).astype(">u2")
    flags = np.random.default_rng(1).integers(0, 4, array.shape).astype(np.uint8)
    write(tmp_path / "a.zarr", nc.Image(array), flags=flags)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    blocks = array.reshape(256, 2, 257, 2)
    np.testing.assert_array_equal(group["1"][:], np.rint(blocks.mean((1, 3))))
    np.testing.assert_array_equal(
        group["labels/flags/1"][:], np.bitwise_or.reduce(flags.reshape(256, 2, 257, 2), (1, 3))
    )
    assert group["1"].dtype == group["0"].dtype == np.uint16
    np.testing.assert_array_equal(group["0"][:], array)
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))


def test_a_lazy_array_is_written_a_few_blocks_at_a_time(tmp_path):
    """Blocks across chunks are cut, computed once each, and none waits for the last."""
    seen = []

    def plane(block_info=None):
        seen.append(len(list((tmp_path).rglob("c/*"))))
        (start, _), *_ = block_info[None]["array-location"]
        return np.full((1, 600, 600), start, np.float32)

    lazy = dask.array.map_blocks(
        plane, chunks=((1,) * 20, (600,), (600,)), dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )  # fmt: skip
    with dask.config.set(scheduler="synchronous"):
        write(tmp_path / "a.zarr", nc.Image(lazy, "TYX"))
    assert len(seen) == 20
    assert seen[-1] > 15
    back = np.asarray(nc.read(tmp_path / "a.zarr").array)
    np.testing.assert_array_equal(back[:, 0, 0], np.arange(20))
    np.testing.assert_array_equal(back[:, 599, 599], np.arange(20))


def test_place_and_unlisted_units_are_kept(tmp_path):
    image = nc.Image(
        np.zeros((3, 64, 64), np.float32), "QYX", (2.0, 0.5, 0.25), ("nm", "arcsec", "arcsec"),
        header={"translate": (7.0, 1.0, 2.0)},
    )  # fmt: skip
    write(tmp_path / "a.zarr", image)
    back = nc.read(tmp_path / "a.zarr")
    assert back.header["translate"] == (7.0, 1.0, 2.0)
    assert (back.scale, back.axis_units) == (image.scale, image.axis_units)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (nc.Image(np.zeros((2, 16, 16, 3)), "CYXS"), "channels or colours, not both"),
        (nc.Image(np.zeros((1, 1, 1, 1, 16, 16)), "QTZCYX"), "at most five axes, not QTZCYX"),
        (nc.Image(np.zeros((16, 16), np.longdouble)), "64 bits, not"),
    ],
    ids=["channels and colours", "six axes", "long double"],
)
def test_what_cannot_be_kept_is_refused(tmp_path, image, words):
    with pytest.raises(ValueError, match=words):
        write(tmp_path / "a.zarr", image)
    assert not list(tmp_path.iterdir())


def other_things(path):
    path.mkdir()
    (path / "thesis.txt").write_text("dear")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_things, "a folder with other things"),
        (plate, "a folder with other things"),
        (lambda path: path.write_text("dear"), "is a file"),
    ],
    ids=["other things", "plate", "file"],
)
def test_only_an_older_image_is_replaced(tmp_path, make, words):
    path = tmp_path / "a.zarr"
    make(path)
    before = sorted(path.rglob("*"))
    with pytest.raises(ValueError, match=words):
        write(path, nc.Image(np.zeros((64, 64), np.float32)))
    assert path.exists()
    assert sorted(path.rglob("*")) == before


def test_an_old_image_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    write(path, nc.Image(np.ones((64, 64), np.float32)))
    replace = os.replace

    def fails(old, new):
        if Path(old).parent.name.startswith(".part-") and Path(old).name != "old":
            raise PermissionError("in use")
        replace(old, new)

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(PermissionError):
        write(path, nc.Image(np.zeros((64, 64), np.float32)))
    assert np.asarray(nc.read(path).array).mean() == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.zarr", nc.Image(np.zeros((64, 64), np.float32)))
    monkeypatch.setitem(sys.modules, "zarr", None)
    for act in (nc.read, check_writable):
        with pytest.raises(ValueError, match=r"pip install 'napari-credible\[zarr\]'"):
            act(tmp_path / "a.zarr")


def test_a_strange_file_has_no_record(tmp_path):
    """HDUs and labels of the same names, from other programs."""
    from astropy.io import fits

    array = np.ones((20, 20), np.float32)
    table = fits.BinTableHDU.from_columns([fits.Column("A", "E", array=np.ones(2))], name="RECIPE")
    hdus = [fits.PrimaryHDU(array), fits.ImageHDU(np.ones((20, 20), np.uint8), name="FLAGS"), table]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    assert read_result(tmp_path / "a.fits")[1:] == (None, None)
    assert read_result(SAMPLES["cells"].path)[1:] == (None, None)
