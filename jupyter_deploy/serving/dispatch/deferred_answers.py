"""Deferred answers: results of coroutines and items of generators."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_local = threading.local()


def resolve(answer: Any) -> Any:
    """Return ``answer``; await an awaitable, and collect the items of an iterator or asynchronous iterator in a list.

    Each thread has its own event loop, which it keeps: clients that a model holds belong to that loop. If a loop is
    running already, as in a notebook, another thread awaits the answer.
    """
    if inspect.isawaitable(answer) or isinstance(answer, AsyncIterator):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return resolve(_await(answer))
        return resolve(_await_in_thread(answer))
    return list(answer) if isinstance(answer, Iterator) else answer


@contextlib.contextmanager
def as_stream(answer: Any) -> Iterator[tuple[bool, Any]]:
    """Yield whether an answer is an iterator, and the iterator of its items or the resolved answer.

    An iterator that is not exhausted is closed, so a generator can clean up.
    """
    if inspect.isawaitable(answer):
        answer = resolve(answer)  # a coroutine may return a generator
    if not isinstance(answer, Iterator | AsyncIterator):
        yield False, answer
        return
    try:
        yield True, _items(answer) if isinstance(answer, AsyncIterator) else answer
    finally:
        if isinstance(answer, AsyncIterator):
            if hasattr(answer, "aclose"):
                _await(answer.aclose())
        elif hasattr(answer, "close"):
            answer.close()


def _items(answer: AsyncIterator[Any]) -> Iterator[Any]:
    while True:
        try:
            yield _await(anext(answer))
        except StopAsyncIteration:
            return


def _await(answer: Any) -> Any:
    if not hasattr(_local, "runner"):
        _local.runner = asyncio.Runner()
    return _local.runner.run(_result(answer))


def _await_in_thread(answer: Any) -> Any:
    """Await in another thread; an interruption of the wait (Ctrl-C) cancels the task."""
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def started() -> Any:
        running.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await _result(answer)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="awaits") as thread:
        result = thread.submit(_run, started())
        try:
            return result.result()
        except BaseException:
            if not result.done():
                loop, task = running.result()
                if task is not None:
                    with contextlib.suppress(RuntimeError):  # the loop has ended
                        loop.call_soon_threadsafe(task.cancel)
            raise


def _run(answer: Any) -> Any:
    with asyncio.Runner() as runner:
        return runner.run(_result(answer))


async def _result(answer: Awaitable[Any] | AsyncIterator[Any]) -> Any:
    if isinstance(answer, AsyncIterator):
        return [item async for item in answer]
    return await answer
