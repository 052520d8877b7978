"""Deferred answers of coroutines and generators."""

import asyncio
import os
import signal
import threading

import pytest

from jupyter_deploy.serving.dispatch.deferred_answers import resolve


async def later(value):
    await asyncio.sleep(0)
    return value


async def stream():
    for number in range(3):
        yield number


async def numbers():
    return (n for n in range(2))


def test_a_plain_answer_is_returned_unchanged():
    frame = {"a": [1]}
    assert resolve(frame) is frame
    assert resolve("text") == "text"


def test_generators_and_coroutines_of_them_become_lists():
    assert resolve(n * 2 for n in range(3)) == [0, 2, 4]
    assert resolve(map(str, [1])) == ["1"]
    assert resolve(later(5)) == 5
    assert resolve(stream()) == [0, 1, 2]
    assert resolve(numbers()) == [0, 1]


def test_if_a_loop_is_running_a_coroutine_is_awaited_in_a_thread():
    async def cell():
        return resolve(later(threading.main_thread())), resolve(stream())

    assert asyncio.run(cell()) == (threading.main_thread(), [0, 1, 2])


def test_one_threads_coroutines_share_a_loop_so_that_a_client_of_the_first_works_in_the_second():
    kept = []

    async def asks():
        kept.append(asyncio.get_running_loop())
        return kept[0] is kept[-1] and not kept[0].is_closed()

    assert resolve(asks())
    assert resolve(asks())


def test_an_interrupt_cancels_the_awaited_task():
    async def long():
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(20)
        finished.append(True)

    async def cell():
        return resolve(long())

    loop = asyncio.new_event_loop()  # as a kernel's: asyncio.run() has a handler of its own
    finished = []
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())
    assert not finished
    loop.close()
