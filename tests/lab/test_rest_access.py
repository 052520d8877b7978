"""Permissions: every route of the table without a token, with a token without permission, and with permission."""

import asyncio

import jupyter_server.auth
import pytest

from jupyter_deploy.faces.server.rest.table import ROUTES
from jupyter_deploy.verbs import OPERATIONS
from tests.waiting import holds

NO_TOKEN = {"Authorization": "token of-somebody-else"}

# Values of the routes' variable segments.
NAMED = {"{id}": "none", "{name}": "churn", "{version}": "none"}


def path_of(route):
    path = route.path
    for segment, text in NAMED.items():
        path = path.replace(segment, text)
    return path


class Allowed(jupyter_server.auth.Authorizer):
    """Allows some actions on nbdeploy, and records its calls."""

    def __init__(self, *actions):
        super().__init__()
        self.actions, self.calls = actions, []

    def is_authorized(self, handler, user, action, resource):
        self.calls.append((action, resource))
        return action in self.actions


@pytest.fixture
def allow(jp_serverapp):
    def set_to(*actions):
        made = jp_serverapp.web_app.settings["authorizer"] = Allowed(*actions)
        return made

    return set_to


def is_problem(status, document, headers):
    return headers["Content-Type"] == "application/problem+json" and document["status"] == status


def test_the_table_has_a_route_of_every_operation():
    posted = {route.name for route in ROUTES if route.kind == "verb"}
    assert posted == {operation.name for operation in OPERATIONS}
    safe = {operation.name for operation in OPERATIONS if operation.safe}
    assert {route.name for route in ROUTES if route.kind == "look"} == safe
    assert all(route.request is operation.request for operation in OPERATIONS for route in ROUTES
               if route.kind in ("verb", "look") and route.name == operation.name)  # fmt: skip


async def test_no_route_answers_without_a_token(ask, jp_serverapp):
    for route in ROUTES:
        status, document, headers = await ask(route.method, path_of(route), headers=dict(NO_TOKEN))
        assert status == 403, route
        assert is_problem(status, document, headers), route
        assert document["code"] == "not_signed_in"
    assert "nbdeploy_worker" not in jp_serverapp.web_app.settings  # not even a client of the worker exists


async def test_no_route_answers_without_permission(ask, allow):
    authorizer = allow()
    for route in ROUTES:
        status, document, headers = await ask(route.method, path_of(route))
        assert status == 403, route
        assert is_problem(status, document, headers), route
        assert document["code"] == "forbidden"  # and not that a new log-in would help
    assert {resource for _, resource in authorizer.calls} == {"nbdeploy"}


async def test_the_permission_to_read_allows_no_change(ask, allow):
    allow("read")
    for route in ROUTES:
        if route.kind == "events":  # a stream has no end
            continue
        status, document, _ = await ask(route.method, path_of(route))
        reads = route.method == "GET" or route.kind == "view"
        assert (status == 403) == (not reads), (route, document)


async def test_a_get_writes_no_file(ask, tmp_path):
    status, document, headers = await ask("GET", "logs", {"name": "churn", "export": str(tmp_path / "x.csv")})
    assert status == 405
    assert is_problem(status, document, headers)
    assert document["remedy"] == "send it by POST"
    assert not (tmp_path / "x.csv").exists()


async def test_an_unknown_route_and_a_wrong_method_are_problems(ask):
    for method, path, expected in (("GET", "nothing/here", 404), ("GET", "", 404), ("DELETE", "list", 405)):
        status, document, headers = await ask(method, path)
        assert status == expected
        assert is_problem(status, document, headers)


async def test_a_client_that_disconnects_early_leaves_no_traceback_in_the_log(ask, jp_serverapp, jp_base_url, caplog):
    token = jp_serverapp.identity_provider.token
    _, writer = await asyncio.open_connection("127.0.0.1", jp_serverapp.port)
    request = f"GET {jp_base_url}nbdeploy/list HTTP/1.1\r\nHost: localhost\r\nAuthorization: token {token}\r\n\r\n"
    writer.write(request.encode())
    await writer.drain()
    await holds(lambda: "nbdeploy_worker" in jp_serverapp.web_app.settings)
    writer.close()  # long before the worker has started
    assert (await ask("GET", "list"))[0] == 200
    client = jp_serverapp.web_app.settings["nbdeploy_worker"]
    await holds(lambda: not client._running.waiting)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.usefixtures("own_processes")
async def test_a_worker_that_cannot_be_started_is_a_problem(ask, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.faces.server.rest.worker_client.sys.executable", "/no/python")
    for method, path in (("GET", "list"), ("POST", "worker")):
        status, document, headers = await ask(method, path)
        assert (status, document["code"]) == (500, "asked_gone")
        assert is_problem(status, document, headers)


async def test_the_worker_that_was_started_ahead_answers_the_first_request(ask, jp_serverapp):
    workers = set()
    for method, path, expected in (("POST", "worker", 204), ("POST", "worker", 204), ("GET", "list", 200)):
        status, _, _ = await ask(method, path)
        assert status == expected
        workers.add(jp_serverapp.web_app.settings["nbdeploy_worker"]._running.process.pid)
    assert len(workers) == 1
    assert (await ask("GET", "worker"))[0] == 405


async def test_a_wrong_setting_is_a_problem(ask, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_PORT", "many")
    status, document, headers = await ask("GET", "list")
    assert is_problem(status, document, headers)
    assert "port" in document["details"] + document["detail"]
    status, document, _ = await ask("GET", "events")
    assert status == 422


async def test_a_bug_is_answered_without_its_traceback(ask, monkeypatch, tmp_path):
    """The store's file is a folder, which no code expects."""
    status, _, _ = await ask("GET", "list")
    assert status == 200
    (tmp_path / "of-nbdeploy" / "nbdeploy" / "state.sqlite").mkdir(parents=True)
    status, document, _ = await ask("GET", "list")
    assert status == 500
    assert "Traceback" not in str(document)
    assert document["remedy"]
