"""Another server on the gateway's port while Envoy is away: it gets no secret, and the gateway moves."""

from __future__ import annotations

import errno
import http.server
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.targets.local import unix
from jupyter_deploy.targets.local.http_client import HttpClient
from tests.contract.targets.test_local_target_support import Stage, endpoint_of, eventually, pid_of, stage, staged

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]

BODY = {"instances": [1]}


def bound(port: int, handler: type[http.server.BaseHTTPRequestHandler]) -> http.server.ThreadingHTTPServer | None:
    """A server on this port; None while the killed Envoy still ends: its sockets close one after another."""
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None


@contextmanager
def forging(port: int) -> Iterator[list[dict[str, str]]]:
    """A server that forges predictions; yields the headers that it gets."""
    got: list[dict[str, str]] = []

    class Forger(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(dict(self.headers))
            answer = b'{"predictions": ["forged"]}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = eventually(lambda: bound(port, Forger))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield got
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def stolen(stage: Stage, port: int) -> Iterator[list[dict[str, str]]]:
    """The port is taken while Envoy restarts."""
    pids = [int((stage.runtime / "supervisord.pid").read_text()), pid_of(stage, "gateway")]
    os.kill(pids[0], signal.SIGSTOP)  # so that the restart waits
    try:
        os.kill(pids[1], signal.SIGKILL)
        eventually(lambda: not unix.answers(stage.runtime / "edge.sock", 1.0))
        with forging(port) as got:
            os.kill(pids[0], signal.SIGCONT)
            yield got
    finally:
        os.kill(pids[0], signal.SIGCONT)


def answer(stage: Stage, url: str) -> object:
    """The predictions that nbdeploy's own client gets."""
    client = HttpClient(socket=lambda: stage.runtime / "edge.sock")
    status, _, body = client.post(f"{url}/predict", BODY, stage.target.header_file)
    assert status == 200
    return body["predictions"]


def test_a_server_on_the_gateways_port_gets_no_secret_and_the_gateway_moves() -> None:
    with staged(require_token=True) as stage:
        release = stage.release("aaa")
        endpoint = endpoint_of(release)
        stage.target.start(release)
        url = stage.target.route(endpoint)
        assert stage.target.observe(endpoint).gateway
        assert answer(stage, url) == ["aaa"]
        with stolen(stage, int(urlsplit(url).port or 0)) as got:
            assert not stage.target.observe(endpoint).gateway
            with pytest.raises(TargetError, match="does not answer"):
                answer(stage, url)
            moved = stage.target.route(endpoint)
            assert moved != url
            assert stage.target.observe(endpoint).gateway
            assert stage.target.observe(endpoint).url == moved
            assert answer(stage, moved) == ["aaa"]
            assert not got


def test_a_gateway_that_restarts_keeps_its_port(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    for revision in range(2, 5):
        os.kill(pid_of(stage, "gateway"), signal.SIGKILL)
        assert stage.target.route(endpoint_of(release, revision=revision)) == url
        assert answer(stage, url) == ["aaa"]


def test_the_gateways_own_socket_is_for_its_owner_alone(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    stage.target.route(endpoint_of(release))
    assert (stage.runtime / "edge.sock").stat().st_mode & 0o777 == 0o600
