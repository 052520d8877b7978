"""The stream of events in a server within the test's process: keep-alive comments, and the limit."""

import asyncio

import pytest

from jupyter_deploy.faces.server.rest import events
from tests.waiting import holds


@pytest.fixture
def stream_until(jp_fetch):
    """The text of a stream up to this part; its client stays connected."""

    async def listen(wanted):
        heard, done = [], asyncio.get_running_loop().create_future()

        def hear(part):
            heard.append(part)
            if wanted in b"".join(heard) and not done.done():
                done.set_result(b"".join(heard))

        answer = asyncio.ensure_future(jp_fetch("nbdeploy", "events", streaming_callback=hear, request_timeout=120))
        await asyncio.wait({done, answer}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        return done.result()

    return listen


async def test_a_quiet_stream_sends_keep_alive_comments(ask, stream_until, monkeypatch):
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.05)
    heard = await stream_until(b": nothing new\n\n: nothing new\n\n")
    assert b"id: 0\nevent: endpoints\ndata: {}\n\n" in heard


async def test_a_stream_above_the_limit_is_refused_until_another_ends(
    ask, stream_until, http_server, jp_serverapp, monkeypatch
):
    monkeypatch.setattr(events, "MAX_STREAMS", 1)
    await stream_until(b"event: endpoints")
    status, document, headers = await ask("GET", "events")
    assert (status, document["code"]) == (503, "too_many_streams")
    assert headers["Content-Type"] == "application/problem+json"
    running = jp_serverapp.web_app.settings["nbdeploy_worker"]._running
    assert len(running.streams) == 1
    await http_server.close_all_connections()  # as if the client had gone
    await holds(lambda: not events.EventsHandler._open)
    assert running.streams == {}
