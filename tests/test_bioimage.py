"""A package of the BioImage Model Zoo denoises as the denoiser does, without this package."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from bioimageio.spec import load_description
from bioimageio.spec.model.v0_5 import ModelDescr

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.denoise.bioimage import save_bioimage
from napari_credible.denoise.learned import AtItsRange

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
SIGMA, LOW, HIGH = 20.0, 100.0, 350.0


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "unet_fast.zip"
    save_bioimage(nc.load_denoiser("unet_fast"), path, SIGMA, LOW, HIGH)
    return path


def inside(package, folder):
    with zipfile.ZipFile(package) as opened:
        opened.extractall(folder)
    return yaml.safe_load((folder / "rdf.yaml").read_text()), torch.jit.load(folder / "weights.pt")


def test_the_zoos_own_reader_finds_nothing_wrong(package):
    """Checksums and formats included."""
    found = load_description(package, perform_io_checks=True)
    assert isinstance(found, ModelDescr), found.validation_summary
    assert found.validation_summary.status in ("passed", "valid-format")
    assert str(found.license) == "BSD-3-Clause"


def test_its_test_passes(package, tmp_path):
    """As its reader would run it: the stored image becomes the stored answer, denoised."""
    described, script = inside(package, tmp_path)
    given, wanted = (
        np.load(tmp_path / described[kind][0]["test_tensor"]["source"])
        for kind in ("inputs", "outputs")
    )
    found = script(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.std(given - wanted) == pytest.approx(SIGMA, rel=0.1)


@pytest.mark.parametrize("shape", [(64, 64), (96, 160), (256, 64)])
def test_any_allowed_size_is_denoised_alike(package, tmp_path, shape):
    described, script = inside(package, tmp_path)
    size = described["inputs"][0]["axes"][2]["size"]
    assert all(side >= size["min"] and side % size["step"] == 0 for side in shape)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(LOW, HIGH, (2, 1, *shape)).astype(np.float32))
    own = nc.load_denoiser("unet_fast").fitted(LOW, HIGH)(x, SIGMA)
    torch.testing.assert_close(script(x), own, atol=1e-3, rtol=0)


def test_from_the_command_line_and_never_half_written(tmp_path, capsys):
    out = tmp_path / "m.zip"
    asked = ["export", "unet_fast", "-o", str(out), "--sigma", "0.1"]

    def called(*more):
        with pytest.raises(SystemExit) as end:
            main([*asked, *more])
        return end.value.code

    assert not called()
    assert called() == 2
    assert "exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.zip"]
    with zipfile.ZipFile(out) as package:
        assert json.dumps("BSD-3-Clause")[1:-1] in package.read("rdf.yaml").decode()


def test_an_adapted_network_is_packed_and_a_learned_curve_refused(tmp_path):
    noisy = 100 + 20 * np.random.default_rng(0).random((64, 64))
    for mode in ("internal", "stabiliser"):
        found = nc.adapt(
            noisy, nc.Gaussian(5.0), denoiser="unet_fast", mode={"kind": mode, "steps": 2}
        )  # fmt: skip
        if isinstance(found, AtItsRange):
            with pytest.raises(ValueError, match="learned a curve"):
                save_bioimage(found, tmp_path / f"{mode}.zip", 5.0, 100, 120)
        else:
            save_bioimage(found, tmp_path / f"{mode}.zip", 5.0, 100, 120)
    assert [path.name for path in tmp_path.glob("*.zip")] == ["internal.zip"]


def test_weights_of_no_stated_licence_are_packed_without_one(tmp_path):
    plain = nc.load_denoiser("unet_fast")
    mine = replace(plain, card=replace(plain.card, licence="not stated"))
    save_bioimage(mine, tmp_path / "m.zip", 0.1)
    assert inside(tmp_path / "m.zip", tmp_path)[0].get("license") is None


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("lidia", {}, "computes with the size"),
        ("wavelet", {}, "no weights"),
        ("unet_fast", {"sigma": 0.0}, "sigma is 0"),
        ("unet_fast", {"path": "m.pt"}, "ends in .zip"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, name, asked, words):
    path = tmp_path / asked.get("path", "m.zip")
    with pytest.raises(ValueError, match=words):
        save_bioimage(nc.load_denoiser(name), path, asked.get("sigma", 0.1))
    assert not list(tmp_path.iterdir())
