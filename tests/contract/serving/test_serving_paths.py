"""Paths of which BentoML's application knows nothing: it keeps metrics of each, ten kilobytes of memory."""

from __future__ import annotations

from jupyter_deploy.serving import Front
from tests.contract.serving.test_serving_front import ask, inner, model, problem

__all__ = ["model"]


def test_paths_that_clients_make_up_do_not_fill_the_memory(model):
    paths = []

    async def counting(scope, receive, send):
        paths.append(scope.get("path"))
        await inner()(scope, receive, send)

    front = Front(counting, model=model)
    for number in range(300):
        assert problem(ask(front, "GET", f"/made-up/{number}"), 404)
    assert len(set(paths)) <= 100
    assert ask(front, "GET", "/livez").status_code == 200
    assert "/livez" in paths
    front._close()
