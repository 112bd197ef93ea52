"""One run in a worker thread, with progress and Cancel; Qt is touched on the main thread only."""

from __future__ import annotations

import time
from collections.abc import Callable
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
    on_step, on_result, on_error, on_end : callable
        Called on the main thread: at each progress, with the result, with the exception, and at
        the end of any kind. None is called after :meth:`abandon`.
    """

    def __init__(
        self,
        steps: Callable[[], Any],
        on_step: Callable[[Any, float], None],
        on_result: Callable[[Any], None],
        on_error: Callable[[Exception], None],
        on_end: Callable[[], None],
    ) -> None:
        self._told = (on_step, on_result, on_error, on_end)
        self._abandoned = False
        self._started = self._shown = time.monotonic()
        self._bar: Any = None
        self._worker = create_worker(steps, _start_thread=False)
        self._worker.yielded.connect(self._step)
        self._worker.returned.connect(self._result)
        self._worker.errored.connect(self._error)
        self._worker.finished.connect(self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Stop at the next tile; nothing is added to the viewer."""
        self._worker.quit()

    def abandon(self) -> None:
        """Stop, and call nobody: the widget is gone."""
        self._abandoned = True
        self.cancel()
        self._close_bar()

    def _step(self, progress: Any) -> None:
        if self._abandoned:
            return
        now = time.monotonic()
        if self._bar is None:
            self._bar = cancelable_progress(
                total=progress.total, desc="Credible", cancel_callback=self.cancel
            )
        if now - self._shown < _BETWEEN_UPDATES and progress.done < progress.total:
            return
        self._shown = now
        self._bar.total = progress.total
        self._bar.update(progress.done - self._bar.n)
        self._told[0](progress, now - self._started)

    def _result(self, result: Any) -> None:
        if not self._abandoned and result is not None:
            self._told[1](result)

    def _error(self, error: Exception) -> None:
        if not self._abandoned:
            self._told[2](error)

    def _end(self) -> None:
        self._close_bar()
        if not self._abandoned:
            self._told[3]()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
