"""The budget of bytes: a stalled body gives way to others, and a short request gets its place among large ones."""

import asyncio

import pytest

from jupyter_deploy.serving.asgi import body
from jupyter_deploy.serving.asgi.messages import RequestContext
from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.dispatch import byte_budget
from jupyter_deploy.serving.dispatch.byte_budget import ByteBudget, Reservation

PIECE = 100_000


def reading(budget, pieces, *, more=True, short=False):
    """Receive a body of some pieces, and if ``more``, one that never ends; returns its task and its reservation."""
    headers = {b"content-length": str(len(pieces[0])).encode()} if short else {}
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if not more:
        messages[-1]["more_body"] = False

    async def receive():
        return messages.pop(0) if messages else await asyncio.get_running_loop().create_future()

    context = RequestContext(headers, "id", None, "stable")
    reservation = Reservation(budget)
    return asyncio.create_task(body.read(context, receive, 10**9, reservation)), reservation


async def refused(task):
    with pytest.raises(Problem) as problem:
        await task
    return problem.value.status


@pytest.fixture(autouse=True)
def short_drain(monkeypatch):
    monkeypatch.setattr(body, "DRAIN_SECONDS", 0.01)


def test_a_stalled_body_ends_when_another_needs_its_bytes(monkeypatch):
    monkeypatch.setattr(byte_budget, "_STALLED_SECONDS", 0.0)

    async def go():
        budget = ByteBudget(3 * PIECE)
        stalled, _ = reading(budget, [b"x" * PIECE] * 2)
        await asyncio.sleep(0.01)
        other, reservation = reading(budget, [b"y" * PIECE] * 2, more=False)
        assert await other == b"y" * 2 * PIECE
        assert await refused(stalled) == 408
        assert budget.held == 2 * PIECE
        reservation.release()
        assert (budget.held, budget.arriving) == (0, set())

    asyncio.run(go())


def test_the_one_that_does_not_fit_among_bodies_that_arrive_is_refused_alone():
    async def go():
        budget = ByteBudget(3 * PIECE)
        first, _ = reading(budget, [b"x" * PIECE] * 2)
        await asyncio.sleep(0.01)
        second, _ = reading(budget, [b"y" * PIECE] * 2)
        assert await refused(second) == 413
        assert not first.done()
        assert budget.held == 2 * PIECE
        first.cancel()

    asyncio.run(go())


def test_a_short_request_takes_the_place_of_the_largest_that_arrives(monkeypatch):
    monkeypatch.setattr(byte_budget, "_SHORT_BYTES", PIECE)

    async def go():
        budget = ByteBudget(3 * PIECE)
        large, _ = reading(budget, [b"x" * PIECE] * 3)
        await asyncio.sleep(0.01)
        short, _ = reading(budget, [b"{}"], more=False, short=True)
        assert await short == b"{}"
        assert await refused(large) == 413

    asyncio.run(go())
