"""Waiting for an operation: on this thread, or in an event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

from opskit._opskit import Operation

T = TypeVar("T")

Event = Mapping[str, Any]
"""Something that happened meanwhile: `event` says what (`"progress"`, `"table-finished"`, `"warning"`, …)."""

LOG = logging.getLogger("opskit")
"""Warnings of operations, and all events at level `DEBUG`."""
LOG.addHandler(logging.NullHandler())

STARTED: ContextVar[Callable[[Operation[Any]], object]] = ContextVar("STARTED", default=lambda _: None)
"""Who wants to know what this thread waits for."""

OnEvent = Callable[[Event], object] | None


def run_sync(operation: Operation[T], on_event: OnEvent = None) -> T:
    """Waits without the interpreter's lock. Ctrl-C cancels the operation, on the server too."""
    STARTED.get()(operation)
    return operation.wait(_listener(on_event))


async def run_async(operation: Operation[T], on_event: OnEvent = None) -> T:
    """Waits in the running event loop. When the task is cancelled, so is the operation; it has ended then."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(error: BaseException | None, value: T) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    operation.deliver(loop.call_soon_threadsafe, _listener(on_event), finish)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        operation.cancel()
        await asyncio.wait({done})
        # Looked at, so that nobody complains that it never was.
        _ = done.cancelled() or done.exception()
        raise


def _listener(on_event: OnEvent) -> Callable[[str], object]:
    def listen(text: str) -> None:
        chatty = LOG.isEnabledFor(logging.DEBUG)
        # Most events are progress, which nobody may want.
        if on_event is None and not chatty and '"event":"warning"' not in text:
            return
        event = json.loads(text)
        if event["event"] == "warning":
            LOG.warning("%s", event["message"])
        elif chatty:
            LOG.debug("%s", text)
        if on_event is not None:
            on_event(event)

    return listen


def encode(options: Mapping[str, Any], known: type) -> str:
    """Options as the native module reads them. A name that is not known is a mistake, as everywhere in Python."""
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    given = {name: value for name, value in options.items() if value is not None}
    return json.dumps(given, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} is no option")
