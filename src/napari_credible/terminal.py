"""Long work in a terminal: a progress bar, and Ctrl-C as a request."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from napari_credible.stopping import Stopped


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request; a second one ends the program."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, _: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    except Stopped:
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def exhausted(
    going: Generator[Any, None, Any],
    quiet: bool,
    unit: str = "tile",
    told: Callable[[Any], str] = lambda step: str(step.doing),
) -> Any:
    """Return what a generator of progress returns, behind a progress bar.

    Parameters
    ----------
    going : generator
        Yields steps with ``done``, ``total`` and ``doing``.
    quiet : bool
        No bar.
    unit : str
        What is counted.
    told : callable
        What the bar says of a step.
    """
    from tqdm import tqdm

    with tqdm(disable=quiet or None, unit=unit, leave=False) as bar:
        while True:
            try:
                step = next(going)
            except StopIteration as end:
                return end.value
            bar.total = step.total
            bar.set_description(told(step), refresh=False)
            bar.update(step.done - bar.n)
