"""One run in a worker thread, with progress and Cancel; Qt is touched on the main thread only."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from threading import Event
from typing import Any

from napari.qt.threading import create_worker
from napari.utils import cancelable_progress
from napari.utils.notifications import show_error, show_warning

from napari_credible.stopping import Stopped

_LOG = logging.getLogger("napari_credible")
_BETWEEN_UPDATES = 0.05

Steps = Generator[Any, None, Any]
Work = Callable[[Callable[[], bool]], Steps]


def _nothing(*_: Any) -> None:
    """Do nothing with what nobody waits for."""


@dataclass(frozen=True)
class Answers:
    """Who is told what, on the main thread.

    Attributes
    ----------
    step : callable
        Each progress, and the seconds since the start.
    result, error : callable
        The result, or the exception.
    end : callable
        At last; True where the job was cancelled before its result.
    """

    result: Callable[[Any], None]
    error: Callable[[Exception], None] = _nothing
    step: Callable[[Any, float], None] = _nothing
    end: Callable[[bool], None] = _nothing


# Threads outlive who started them: their signals need a receiver until the very last one.
_RUNNING: set[Job] = set()


class Job:
    """A generator of :class:`napari_credible.run.Progress` on its way to a result.

    Parameters
    ----------
    work : callable
        Takes a callable that says whether to stop, and returns the generator; both run in the
        worker thread.
    answers : Answers
        Nobody is called after :meth:`abandon`.
    name : str
        Of the bar in napari's activity dock; no bar where it is empty.
    partial : bool
        What is done when it is cancelled is a result: the work is asked to end, and waited for.
        A second :meth:`cancel` waits no longer.
    """

    def __init__(
        self, work: Work, answers: Answers, name: str = "", *, partial: bool = False
    ) -> None:
        self._answers, self._name, self._partial = answers, name, partial
        self._stop, self._enough = Event(), Event()
        self._over = self._opening = False
        self._started = self._shown = time.monotonic()
        self._bar: Any = None
        # napari remembers workers; emptied boxes keep it from holding their layers as well.
        self._worker = create_worker(
            _guarded, [work], self._enough.is_set, self._stop.is_set, _start_thread=False
        )
        self._worker.yielded.connect(self._step)
        self._worker.returned.connect(self._returned)
        self._worker.finished.connect(self._gone)
        _RUNNING.add(self)
        self._worker.start()

    def cancel(self) -> None:
        """Be over at once; the worker ends at its next pause and its result is dropped.

        Where a part is a result, the first call waits for it.
        """
        if self._partial and not self._enough.is_set():
            self._enough.set()
        elif not self._over:
            answers = self._answers
            self.abandon()
            answers.end(True)

    def abandon(self) -> None:
        """Stop, and call nobody: who asked is gone."""
        self._over = True
        self._answers = Answers(_nothing)
        self._stop.set()
        self._enough.set()
        self._close_bar()

    def _step(self, progress: Any) -> None:
        # Making the bar lets queued events through: a later step would make another, and so on.
        if self._over or self._opening:
            return
        now = time.monotonic()
        if self._bar is None and self._name:
            self._opening = True
            try:
                self._bar = cancelable_progress(
                    total=progress.total, desc=self._name, cancel_callback=self.cancel
                )
            finally:
                self._opening = False
        elif now - self._shown < _BETWEEN_UPDATES and progress.done < progress.total:
            return
        if self._over:  # making the bar let the queued end of this job through
            self._close_bar()
            return
        self._shown = now
        if self._bar is not None:
            self._bar.total = progress.total
            self._bar.update(progress.done - self._bar.n)
        self._answers.step(progress, now - self._started)

    def _returned(self, outcome: Any) -> None:
        if self._over:
            return
        # First of all: a notification lets queued steps through, and they are old news by then.
        self._over = True
        answers, self._answers = self._answers, Answers(_nothing)
        self._close_bar()
        if isinstance(outcome, _Failure):
            answers.error(outcome.error)
        elif outcome is not None:
            answers.result(outcome)
        answers.end(outcome is None)

    def _gone(self) -> None:
        _RUNNING.discard(self)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@dataclass(frozen=True)
class _Failure:
    error: Exception


def _guarded(box: list[Work], enough: Callable[[], bool], stop: Callable[[], bool]) -> Steps:
    """Go on until the end or a stop; return an exception in a box.

    A worker would raise it again in the event loop. A worker that is told to quit leaves its
    generator as it is, with all that it holds: this one ends by itself.
    """
    going = box.pop()(enough)
    try:
        while not stop():
            yield next(going)
    except StopIteration as end:
        return end.value
    except Stopped:
        return None
    except Exception as error:
        return _Failure(error)
    finally:
        going.close()
    return None


def expected(error: Exception) -> bool:
    """Return whether an error is bad input or a lack, in a sentence, and no fault of the code."""
    return isinstance(error, (ValueError, MemoryError, OSError))


def in_words(error: Exception) -> str:
    """Return the sentence of an error; one that is not expected says its kind, too."""
    return str(error) if expected(error) else f"{type(error).__name__}: {error}"


def notify(error: Exception) -> None:
    """Log an error, and show it as a notification of napari."""
    words, known = in_words(error), expected(error)
    _LOG.error("%s", words, exc_info=None if known else error)
    (show_warning if known else show_error)(words)


def abandon_all(jobs: dict[str, Any], *_: Any) -> None:
    """Stop all jobs of a widget that is going away."""
    while jobs:
        jobs.popitem()[1].abandon()
