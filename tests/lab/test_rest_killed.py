"""Requests during which the worker process is killed."""

import asyncio
import signal

from tests.waiting import holds


async def test_a_get_is_sent_again_and_a_post_is_refused(ask, jp_serverapp):
    assert (await ask("GET", "list"))[0] == 200
    client = jp_serverapp.web_app.settings["nbdeploy_worker"]
    first = client._running
    first.process.send_signal(signal.SIGSTOP)
    requests = [asyncio.ensure_future(ask(method, path)) for method, path in [("GET", "list")] * 2 + [("POST", "down")]]
    await holds(lambda: len(first.waiting) == len(requests))
    first.process.kill()
    answers = await asyncio.gather(*requests)
    assert [status for status, _, _ in answers] == [200, 200, 500]
    assert answers[-1][1]["code"] == "asked_gone"
    assert client._running.process.pid != first.process.pid
