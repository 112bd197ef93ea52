"""A 2048 x 2048 16-bit frame through the whole run, against the bare network on the same pixels.

Both are timed in turn in one process, the noise given, and the median of the repeats is taken.
Peak memory is the rise of a process of its own during the call, sampled every 5 ms.
"""

import argparse
import multiprocessing
import statistics
import threading
import time

import numpy as np
import psutil
import torch

import napari_credible as nc
from napari_credible.plan import plan
from napari_credible.recipe import Recipe
from napari_credible.run import run

MODEL = nc.PoissonGaussian(2.0, 100.0, 4.0)


def frame(side: int) -> np.ndarray:
    """Return a noisy 16-bit frame with structure at several scales."""
    y, x = np.mgrid[:side, :side] / side
    light = 100 + 2000 * (0.5 + 0.3 * np.sin(40 * x) * np.cos(33 * y) + 0.2 * np.sin(9 * x * y))
    return np.clip(np.round(MODEL.draw(light, 0)), 0, 65535).astype(np.uint16)


def bare(net: torch.nn.Module, pixels: torch.Tensor) -> None:
    """Call the network alone, on its device and in the run's precision, and wait for it."""
    on_cuda = pixels.device.type == "cuda"
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=on_cuda):
        net(pixels, torch.tensor([0.05], device=pixels.device)).cpu()


def peak(queue: multiprocessing.Queue, side: int, whole: bool) -> None:
    """Report how far this process' memory rises during one call, in bytes a pixel."""
    net = nc.load_denoiser("unet").net
    image, pixels = frame(side), torch.rand(1, 1, side, side)
    bare(net, pixels[..., :64, :64])
    process, highest, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            highest[0] = max(highest[0], process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    if whole:
        run(Recipe(noise=MODEL, denoiser="unet"), nc.Image(image))
    else:
        bare(net, pixels)
    done.set()
    watcher.join()
    queue.put((highest[0] - before) / side**2)


def main() -> None:
    """Print both speeds, their ratio, and both memories."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    image = frame(asked.side)
    pixels = torch.from_numpy(image.astype(np.float32) / 65535)[None, None].to(asked.device)
    denoiser = nc.load_denoiser("unet").to(asked.device)
    recipe = Recipe(noise=MODEL, denoiser="unet", device=asked.device)
    print(plan(recipe, nc.Image(image), denoiser).describe())
    times: dict[str, list[float]] = {"bare network": [], "whole run": []}
    for _ in range(asked.repeats + 1):
        for name, call in (
            ("bare network", lambda: bare(denoiser.net, pixels)),
            ("whole run", lambda: run(recipe, nc.Image(image))),
        ):
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    speed = {n: image.size / statistics.median(t[1:]) / 1e6 for n, t in times.items()}
    context = multiprocessing.get_context("spawn")
    for name, value in speed.items():
        if asked.device != "cpu":
            print(f"{name:13} {value:6.3f} Mpx/s")
            continue
        queue = context.Queue()
        child = context.Process(target=peak, args=(queue, asked.side, name == "whole run"))
        child.start()
        print(f"{name:13} {value:6.3f} Mpx/s   {queue.get():6.0f} bytes a pixel at the peak")
        child.join()
    print(
        f"the run reaches {speed['whole run'] / speed['bare network']:.0%} of the network's speed"
    )


if __name__ == "__main__":
    main()
