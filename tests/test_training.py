"""Training: the same weights whatever interrupts it, levels of the stated density, honest cards."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from scipy.stats import kstest
from skimage.io import imsave

import napari_credible as nc
from napari_credible.__main__ import main
from napari_credible.denoise.csc import CSCShape
from napari_credible.denoise.unet import UNetShape
from napari_credible.training import checkpoint
from napari_credible.training.config import read_config
from napari_credible.training.data import Mixture
from napari_credible.training.folders import Folder
from napari_credible.training.log import read_log
from napari_credible.training.loop import agenda, prepared, train
from napari_credible.training.schedule import Levels, Plan

TINY = UNetShape((8, 12), 1)
CONFIG = """
name = "tiny"
licence = "CC0"
[[folders]]
path = "clean"
[network]
widths = [8, 12]
blocks = 1
[plan]
pixels = 4e5
stages = [[0.0, 2, 32], [0.5, 2, 48]]
rate = 1e-3
checkpoint_s = 1e6
[tests]
scenes = "clean"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory, scene):
    """A folder with a configuration and clean images of three kinds."""
    home = tmp_path_factory.mktemp("training")
    clean = home / "clean" / "below"
    clean.mkdir(parents=True)
    imsave(clean / "a.png", (255 * scene[:160, :200]).astype(np.uint8), check_contrast=False)
    stack = (4000 * np.stack([scene[:160, :160], scene[-160:, -160:]])).astype(np.uint16)
    tifffile.imwrite(clean / "b.tif", stack)
    nc.write(clean / "c.fits", nc.Image(1e-18 * scene[200:400, 200:400].astype(np.float32)))
    imsave(clean / "colour.png", np.zeros((150, 150, 3), np.uint8), check_contrast=False)
    imsave(clean / "small.png", np.zeros((60, 60), np.uint8), check_contrast=False)
    (home / "tiny.toml").write_text(CONFIG)
    return home


@pytest.fixture
def config(home):
    return read_config(home / "tiny.toml")


def mixture(config):
    return Mixture([Folder(s.path, s.share) for s in config.folders], config.levels)


def trained(config, out, stop=lambda: False):
    state = prepared(config, out, "cpu")
    for _ in train(state, config.plan, mixture(config), out, stop=stop):
        pass
    return state


def same(one, other):
    pairs = zip(one.average.parameters(), other.average.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def by(optimiser, config):
    return replace(config, plan=replace(config.plan, optimiser=optimiser))


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(optimiser, config, tmp_path):
    config = by(optimiser, config)
    whole = trained(config, tmp_path / "whole")
    count = iter(range(1000))
    part = trained(config, tmp_path / "part", stop=lambda: next(count) >= 40)
    assert part.pixels < config.plan.pixels
    assert not same(part, whole)
    after = part.step
    resumed = trained(config, tmp_path / "part")
    assert resumed.pixels == whole.pixels >= config.plan.pixels
    assert same(resumed, whole)
    logged = [row["step"] for row in read_log(tmp_path / "part" / "log.csv")]
    assert logged == [after, whole.step]


def test_another_seed_gives_other_weights(config, tmp_path):
    other = replace(config, plan=replace(config.plan, seed=1))
    assert not same(trained(config, tmp_path / "a"), trained(other, tmp_path / "b"))


def test_a_run_goes_on_with_its_own_optimiser_alone(config, tmp_path):
    trained(by("muon", config), tmp_path, stop=lambda: True)
    with pytest.raises(ValueError, match="trained by another optimiser"):
        prepared(config, tmp_path, "cpu")


def test_a_checkpoint_of_before_there_were_two_optimisers_goes_on(config, tmp_path):
    begun = trained(config, tmp_path, stop=lambda: True)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    saved["optimiser"] = saved.pop("optimisers")[0]
    torch.save(saved, tmp_path / "checkpoint.pt")
    again = prepared(config, tmp_path, "cpu")
    assert again.step == begun.step
    held = next(iter(again.optimisers[0].state.values()))["exp_avg"]
    assert torch.equal(held, next(iter(begun.optimisers[0].state.values()))["exp_avg"])


def test_moments_of_other_weights_are_refused(config, tmp_path):
    trained(config, tmp_path, stop=lambda: True)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    moments = next(iter(saved["optimisers"][0]["state"].values()))
    moments["exp_avg"] = moments["exp_avg"][:1]
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="another optimiser, or with other weights"):
        prepared(config, tmp_path, "cpu")


def test_muon_serves_the_unet_alone(config, tmp_path):
    sparse = replace(by("muon", config), network=CSCShape())
    with pytest.raises(ValueError, match="'muon', which serves networks of kind 'unet' alone"):
        prepared(sparse, tmp_path, "cpu")


def killed(config, out):
    """Start a run, kill it without warning after some checkpoints."""
    running = subprocess.Popen(
        [sys.executable, "-m", "napari_credible.training", config, "--out", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while len(read_log(out / "log.csv")) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_goes_on_where_it_was(home, tmp_path, capsys):
    (home / "often.toml").write_text(CONFIG.replace("checkpoint_s = 1e6", "checkpoint_s = 0"))
    killed(home / "often.toml", tmp_path)
    before = read_log(tmp_path / "log.csv")
    main_ends(["train", str(home / "tiny.toml"), "--out", str(tmp_path), "--device", "cpu"])
    after = read_log(tmp_path / "log.csv")
    assert 0 < len(before) < len(after)
    steps = [row["step"] for row in after]
    assert steps == sorted(set(steps))
    assert "trained at 0.000 G pixels" in capsys.readouterr().out
    denoiser = nc.load_denoiser(tmp_path / "tiny.safetensors")
    assert denoiser.card.data["clean"] == Folder(home / "clean").checksum
    assert denoiser.card.psnr["scenes"].keys() == {"15", "25", "50"}
    assert denoiser.card.history[0]["config"]["plan"]["rate"] == 1e-3


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")
def test_ctrl_c_saves_and_exports(home, tmp_path):
    path = home / "long.toml"
    path.write_text(CONFIG.replace("pixels = 4e5", "pixels = 4e9").replace("1e6", "0"))
    running = subprocess.Popen(
        [sys.executable, "-m", "napari_credible.training", path, "--out", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    end = time.monotonic() + 120
    while not read_log(tmp_path / "log.csv") and time.monotonic() < end:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert "the same command goes on from here" in said
    assert nc.load_denoiser(tmp_path / "tiny.safetensors").card.pixels > 0


def main_ends(arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert not end.value.code


def test_a_longer_plan_goes_on_and_is_written_down(config, tmp_path):
    trained(config, tmp_path)
    longer = replace(config, plan=replace(config.plan, pixels=5e5))
    state = trained(longer, tmp_path)
    assert state.pixels >= 5e5
    assert [part["config"]["plan"]["pixels"] for part in state.history] == [4e5, 5e5]


def test_training_learns(config, tmp_path):
    """Smooth scenes: the noise falls by more than 3 dB, where an untrained network leaves it."""
    longer = Plan(pixels=2e6, stages=((0.0, 4, 32),), rate=5e-3, checkpoint_s=1e6)
    state = trained(replace(config, plan=longer), tmp_path)
    clean = torch.full((1, 1, 64, 64), 0.5) + torch.linspace(-0.2, 0.2, 64)
    noise = 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))

    def left(net):
        with torch.inference_mode():
            error = clean + noise - net(clean + noise, torch.tensor([0.1])) - clean
        return float(error.square().mean() / noise.square().mean())

    assert left(state.average) < 10**-0.3
    assert left(checkpoint.fresh(config.plan, config.network, "cpu").average) > 0.9


def test_the_exported_weights_are_those_of_the_average(config, tmp_path):
    from napari_credible.training.export import export

    state = trained(config, tmp_path)
    card = export(state, replace(config, tests={}), tmp_path, {"clean": "0"})
    denoiser = nc.load_denoiser(tmp_path / "tiny.safetensors")
    assert (card.name, card.licence, card.pixels) == ("tiny", "CC0", state.pixels)
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = x - state.average(x, torch.tensor([0.2]))
    torch.testing.assert_close(denoiser(x, 0.2), wanted, atol=2e-3, rtol=0)


def test_a_run_may_start_from_exported_weights(config, tmp_path):
    from napari_credible.training.export import export

    first = trained(config, tmp_path / "first")
    export(first, replace(config, tests={}), tmp_path, {})
    begun = prepared(replace(config, start=tmp_path / "tiny.safetensors"), tmp_path / "new", "cpu")
    assert begun.earlier == first.pixels
    assert [part["from_pixels"] for part in begun.history] == [0, first.pixels]
    for a, b in zip(begun.net.parameters(), first.average.parameters(), strict=True):
        torch.testing.assert_close(a, b.half().float(), atol=0, rtol=0)
    for shape in (UNetShape((8, 16), 1), UNetShape((8,), 1), UNetShape((12, 8), 1)):
        other = replace(config, start=tmp_path / "tiny.safetensors", network=shape)
        with pytest.raises(ValueError, match="weights of the same blocks and widths"):
            prepared(other, tmp_path / "other", "cpu")


@pytest.mark.parametrize(
    "shape",
    [
        UNetShape((8, 12, 16), 1),
        UNetShape((8, 12, 16, 20), 1),
        UNetShape((8, 12), 2),
        UNetShape((8, 12), (1, 3)),
        UNetShape((8, 12, 16), (1, 2, 2)),
    ],
)
def test_a_deeper_network_starts_as_the_same_function(config, tmp_path, shape):
    from napari_credible.training.export import export

    first = trained(config, tmp_path / "first")
    export(first, replace(config, tests={}), tmp_path, {})
    deeper = replace(config, start=tmp_path / "tiny.safetensors", network=shape)
    begun = prepared(deeper, tmp_path / "new", "cpu")
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.2])
    with torch.inference_mode():
        torch.testing.assert_close(
            begun.net(x, sigma), first.average.half().float()(x, sigma), atol=1e-6, rtol=0
        )
    before = begun.net.bottom[-1].second.weight.clone()
    trained_on = trained(deeper, tmp_path / "new")
    assert not torch.equal(trained_on.net.bottom[-1].second.weight, before)


def test_a_checkpoint_of_another_network_is_refused(config, tmp_path):
    trained(config, tmp_path)
    with pytest.raises(ValueError, match="another folder for the new network"):
        prepared(replace(config, network=UNetShape((8, 16), 1)), tmp_path, "cpu")
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    with pytest.raises(ValueError, match="cannot be read"):
        prepared(config, tmp_path, "cpu")


def test_a_draw_depends_on_seed_and_step_alone(config):
    data = mixture(config)
    steps = list(agenda(replace(config.plan, pixels=3e4), 0, 0.0))
    alone = list(data.batches(steps))
    for made in (data.batches(steps, workers=1), (data[step] for step in steps)):
        for batch, wanted in zip(made, alone, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(batch, wanted, strict=True))
    assert not torch.equal(data[(0, 2, 32)][0], data[(1, 2, 32)][0])


def density(levels):
    """Return the distribution function of the levels as stated."""

    def cdf(x):
        x = np.asarray(x)
        log = np.clip(np.log(x / levels.low) / np.log(levels.high / levels.low), 0, 1)
        return levels.log_share * log + (1 - levels.log_share) * np.clip(x / levels.usual, 0, 1)

    return cdf


def test_levels_have_the_stated_density():
    levels = Levels()
    drawn = levels.draw(np.random.default_rng(0), 100_000)
    assert kstest(drawn, density(levels)).pvalue > 1e-3
    other = Levels(log_share=0.42).draw(np.random.default_rng(0), 100_000)
    assert kstest(other, density(levels)).pvalue < 1e-3


def test_noise_has_the_level_of_its_crop(config):
    clean, noisy, sigma = mixture(config)[(0, 64, 64)]
    ratio = (noisy - clean).flatten(1).std(1) / sigma
    assert torch.all((ratio - 1).abs() < 5 / np.sqrt(2 * 64**2))


def test_every_kind_of_file_is_read_and_the_rest_left_out(home):
    folder = Folder(home / "clean")
    assert [folder[k].dtype.name for k in range(len(folder))] == ["uint8", *["float32"] * 3]
    for k in range(1, 4):
        assert (folder[k].min(), folder[k].max()) == (0, 1)


def test_little_memory_changes_nothing(home):
    rich, poor = Folder(home / "clean"), Folder(home / "clean", memory=1)
    for k in (3, 0, 2, 1, 0):
        np.testing.assert_array_equal(rich[k], poor[k])
    assert len(poor._kept) == 1


def test_the_rate_rises_stays_and_falls_to_nothing():
    plan = Plan(pixels=1e6, rate=1e-3, decay=0.5)
    assert plan.rate_at(0, 0) == pytest.approx(1e-3 / 500)
    assert plan.rate_at(4e5, 10_000) == 1e-3
    assert plan.rate_at(7.5e5, 10_000) == pytest.approx(5e-4)
    assert plan.rate_at(1e6, 10_000) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("pixels = 4e5", "pixels = -1"), "plan.pixels: .* above 0"),
        (("rate = 1e-3", "speed = 1e-3"), "plan.speed"),
        (('path = "clean"', 'path = "nowhere"'), "nowhere is no folder"),
        (('name = "tiny"', 'name = "../tiny"'), "letters, digits and underscores"),
        (("[0.5, 2, 48]", "[0.5, 2, 8]"), "a side below 16"),
        (("[0.0, 2, 32], ", ""), "rising shares"),
        (("[tests]", "[tests"), "no readable TOML"),
    ],
)
def test_a_wrong_configuration_is_refused_in_a_sentence(home, change, sentence):
    path = home / "wrong.toml"
    path.write_text(CONFIG.replace(*change))
    with pytest.raises(ValueError, match=sentence):
        read_config(path)


def test_a_folder_without_a_usable_image_is_refused_before_any_work(home, tmp_path, capsys):
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "notes.txt").write_text("nothing")
    (tmp_path / "tiny.toml").write_text(CONFIG)
    with pytest.raises(SystemExit):
        main(["train", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "run")])
    assert "holds no single-channel image" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_card_is_plain_json(config):
    assert json.loads(json.dumps(config.plain()))["folders"][0]["path"] == "clean"
