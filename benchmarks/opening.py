"""How long the menu's click takes until the Denoise dock is there, in a fresh napari.

sh scripts/with-display.sh python benchmarks/opening.py
"""

import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

OPEN = """
import sys, time
import napari
viewer = napari.Viewer(show=False)
started = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-credible", "Denoise")
print(time.perf_counter() - started, "torch" in sys.modules)
viewer.close()
"""


def opened(cache: str) -> tuple[float, bool]:
    """Return the seconds of one click, and whether it loaded torch.

    Bytecode is kept in ``cache``, as an installed package keeps it.
    """
    around = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", OPEN],
        capture_output=True,
        text=True,
        check=True,
        env={**around, "PYTHONPYCACHEPREFIX": cache},
    )
    seconds, torch = done.stdout.split()[-2:]
    return float(seconds), torch == "True"


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        found = [opened(folder) for _ in range(8)][1:]
    times = sorted(seconds for seconds, _ in found)
    print(f"dock opens in {median(times):.2f} s (median of 7; {times[0]:.2f} to {times[-1]:.2f} s)")
    print(f"torch loaded by it: {any(torch for _, torch in found)}")
