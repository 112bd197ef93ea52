"""One run in a worker thread, with progress and Cancel; Qt is touched on the main thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.qt.threading import create_worker
from napari.utils import cancelable_progress

_BETWEEN_UPDATES = 0.05


class Job:
    """A generator of :class:`napari_credible.run.Progress` on its way to a result.

    Parameters
    ----------
    steps : callable
        Returns the generator; it runs in the worker thread.
    on_step : callable
        Called on the main thread with each progress and the seconds since the start.
    on_result, on_error : callable
        Called on the main thread with the result, or with the exception.
    on_end : callable
        Called on the main thread at last; True where the job was stopped before its result.

    Notes
    -----
    None of them is called after :meth:`abandon`.
    """

    def __init__(
        self,
        steps: Callable[[], Generator[Any, None, Any]],
        on_step: Callable[[Any, float], None],
        on_result: Callable[[Any], None],
        on_error: Callable[[Exception], None],
        on_end: Callable[[bool], None],
    ) -> None:
        self._on_step, self._on_result = on_step, on_result
        self._on_error, self._on_end = on_error, on_end
        self._abandoned = self._stopped = False
        self._started = self._shown = time.monotonic()
        self._bar: Any = None
        self._worker = create_worker(partial(_guarded, steps), _start_thread=False)
        self._worker.yielded.connect(self._step)
        self._worker.returned.connect(self._returned)
        self._worker.finished.connect(self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Stop at the next tile; nothing is added to the viewer."""
        self._stopped = True
        self._worker.quit()

    def abandon(self) -> None:
        """Stop, and call nobody: the widget is gone."""
        self._abandoned = True
        self.cancel()
        self._close_bar()

    def _step(self, progress: Any) -> None:
        if self._abandoned or self._stopped:
            return
        now = time.monotonic()
        if self._bar is None:
            self._bar = cancelable_progress(
                total=progress.total, desc="Credible", cancel_callback=self.cancel
            )
        elif now - self._shown < _BETWEEN_UPDATES and progress.done < progress.total:
            return
        self._shown = now
        self._bar.total = progress.total
        self._bar.update(progress.done - self._bar.n)
        self._on_step(progress, now - self._started)

    def _returned(self, outcome: Any) -> None:
        self._stopped = False
        if self._abandoned:
            return
        if isinstance(outcome, _Failure):
            self._on_error(outcome.error)
        else:
            self._on_result(outcome)

    def _end(self) -> None:
        self._close_bar()
        if not self._abandoned:
            self._on_end(self._stopped)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@dataclass(frozen=True)
class _Failure:
    error: Exception


def _guarded(steps: Callable[[], Generator[Any, None, Any]]) -> Generator[Any, None, Any]:
    """Return an exception in a box: a worker would raise it again in the event loop."""
    try:
        return (yield from steps())
    except Exception as error:
        return _Failure(error)
