"""Waiting for conditions."""

import asyncio
import time


def until(condition, timeout=60):
    """Wait for a condition; its value when it holds. One that is slow to tell is asked half of the time."""
    deadline = time.monotonic() + timeout
    while (began := time.monotonic()) < deadline:
        found = condition()
        if found:
            return found
        time.sleep(max(0.05, time.monotonic() - began))
    raise AssertionError(f"{condition} did not hold within {timeout} s")


async def holds(condition):
    """Wait, in an asynchronous test, until a condition without an event holds."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)
