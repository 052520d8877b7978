"""What is asked of the process that answers when that is killed."""

import asyncio
import signal


async def test_a_look_is_answered_all_the_same_and_a_change_is_told_that_no_answer_came(ask, jp_serverapp):
    assert (await ask("GET", "list"))[0] == 200
    asking = jp_serverapp.web_app.settings["nbdeploy_asking"]
    first = asking._running
    first.process.send_signal(signal.SIGSTOP)
    asked = [asyncio.ensure_future(ask(method, path)) for method, path in [("GET", "list")] * 2 + [("POST", "down")]]
    while len(first.waiting) < len(asked):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    first.process.kill()
    answers = await asyncio.gather(*asked)
    assert [status for status, _, _ in answers] == [200, 200, 500]
    assert answers[-1][1]["code"] == "asked_gone"
    assert asking._running.process.pid != first.process.pid
