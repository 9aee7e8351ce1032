"""Watching an operation: events as an iterator, and a progress bar."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import import_module
from typing import Any, Generic, TypeVar

from opskit._errors import InvalidInputError
from opskit._run import STARTED, Event

T = TypeVar("T")


class Watched(Generic[T]):
    """An operation whose events are iterated over. It starts with the iteration; `result` is there behind the last one.

    What the operation raises, the iteration raises. A loop that is left early cancels the operation.
    """

    result: T
    """What the operation gave."""

    def __init__(self, start: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._start, self._arguments, self._options = start, arguments, options
        self._used = False

    def __getattr__(self, name: str) -> Any:
        if name == "result":
            raise InvalidInputError("the operation has no result before its last event")
        raise AttributeError(name)

    def _take(self) -> None:
        if self._used:
            raise InvalidInputError("an operation is watched once")
        self._used = True

    def __iter__(self) -> Iterator[Event]:
        self._take()
        # Events, and behind the last one the outcome.
        told: queue.SimpleQueue[tuple[Event | None, BaseException | None]] = queue.SimpleQueue()
        running: list[Any] = []

        def work() -> None:
            STARTED.set(running.append)
            try:
                self.result = self._start(
                    *self._arguments, on_event=lambda event: told.put((event, None)), **self._options
                )
                told.put((None, None))
            except BaseException as error:
                told.put((None, error))

        thread = threading.Thread(target=work, name="opskit-watch", daemon=True)
        thread.start()
        try:
            while True:
                event, error = told.get()
                if error is not None:
                    raise error
                if event is None:
                    return
                yield event
        finally:
            for operation in running:
                operation.cancel()
            thread.join()

    async def __aiter__(self) -> AsyncIterator[Event]:
        self._take()
        told: asyncio.Queue[Event | None] = asyncio.Queue()
        starting: Awaitable[T] = self._start(*self._arguments, on_event=told.put_nowait, **self._options)
        task = asyncio.ensure_future(starting)
        task.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (event := await told.get()) is not None:
                yield event
            self.result = await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


def watch(start: Callable[..., T], /, *arguments: Any, **options: Any) -> Watched[T]:
    """An operation as an iterator of its events. Any method that takes `on_event` will do.

    >>> backup = opskit.watch(db.backup.run, repository)
    >>> "part-finished" in [event["event"] for event in backup]
    True
    >>> backup.result.rows
    1000

    With a method that ends in `_async` it is `async for`.
    """
    return Watched(start, arguments, options)


class Progress:
    """A listener that shows a bar of `tqdm`, which must be installed: for `on_event`.

        report = db.backup.run(repository, on_event=opskit.Progress())

    The bar counts bytes of tables on the server's disk, where the operation says how many there are. `options` are those
    of `tqdm.tqdm`.
    """

    def __init__(self, **options: Any) -> None:
        # Notebooks get a bar of theirs.
        self._bar: Any = import_module("tqdm.auto").tqdm(**{"unit": "B", "unit_scale": True, **options})
        self._rows = 0

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        kind = event["event"]
        if kind == "run-started":
            self._bar.reset(total=event["heap_bytes"])
        elif kind == "progress":
            self._rows += event["rows"]
            self._bar.set_postfix(rows=self._rows, refresh=False)
        elif kind == "table-started":
            self._bar.set_description(event["table"])
        elif kind == "part-finished":
            self._bar.update(event["heap_bytes"])
        elif kind == "run-finished":
            self._bar.set_postfix(rows=event["rows"])
            self._bar.close()

    def close(self) -> None:
        """Ends the bar where it is. It ends by itself with an operation that ends well."""
        self._bar.close()
