"""How long the menu's click takes until the Denoise dock is there, in a fresh napari.

sh scripts/with-display.sh python benchmarks/opening.py
"""

import subprocess
import sys
from statistics import median

OPEN = """
import sys, time
import napari
viewer = napari.Viewer(show=False)
started = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-credible", "Denoise")
print(time.perf_counter() - started, "torch" in sys.modules)
viewer.close()
"""


def opened() -> tuple[float, bool]:
    """Return the seconds of one click, and whether it loaded torch."""
    done = subprocess.run([sys.executable, "-c", OPEN], capture_output=True, text=True, check=True)
    seconds, torch = done.stdout.split()[-2:]
    return float(seconds), torch == "True"


if __name__ == "__main__":
    found = [opened() for _ in range(5)]
    times = sorted(seconds for seconds, _ in found)
    print(f"dock opens in {median(times):.2f} s (median of 5; {times[0]:.2f} to {times[-1]:.2f} s)")
    print(f"torch loaded by it: {any(torch for _, torch in found)}")
