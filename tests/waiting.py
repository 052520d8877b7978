"""Waiting for conditions in asynchronous tests."""

import asyncio


async def holds(condition):
    """Wait until a condition without an event holds."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)
