"""A way to ask long work to stop, without handing a flag through every call.

The one who waits opens :func:`stoppable` around a call; the one who works calls :func:`pause`
between two steps. Each thread has its own request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Stopped(Exception):
    """The work was asked to stop and did."""


_asked: ContextVar[Callable[[], bool] | None] = ContextVar("asked", default=None)


@contextmanager
def stoppable(asked: Callable[[], bool] | None) -> Iterator[None]:
    """Let ``asked`` stop what runs inside; it must be quick and may be called from any thread."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


def pause() -> None:
    """Raise :class:`Stopped` where somebody asked for it."""
    asked = _asked.get()
    if asked is not None and asked():
        raise Stopped
