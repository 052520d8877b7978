"""A model with a connection: one for each process, 503 while the other side is away, and another one afterwards."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.e2e.conftest import until
from tests.notebooks import write

CELLS = [
    """
import http.client, os
import jupyter_deploy

@jupyter_deploy.connection
def bank():
    connection = http.client.HTTPConnection(os.environ["BANK"], timeout=20)
    connection.connect()
    return connection

@bank.check
def answers(connection):
    connection.request("GET", "/0")
    return connection.getresponse().read() == b"0"

@bank.shadow
def replica():
    connection = http.client.HTTPConnection(os.environ["REPLICA"], timeout=20)
    connection.connect()
    return connection
""",
    """
def balance(customer: int) -> float:
    connection = bank()
    connection.request("GET", f"/{customer}")
    return float(connection.getresponse().read())
""",
]


class Bank(ThreadingHTTPServer):
    """A server that counts its connections; ``stop`` ends them, and the port stays its own."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Answer)
        self.opened, self.answered, self.sockets = 0, 0, []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"

    def process_request(self, request, client_address):
        self.opened += 1
        self.sockets.append(request)
        super().process_request(request, client_address)

    def stop(self):
        self.shutdown()
        self.server_close()
        for one in self.sockets:
            with contextlib.suppress(OSError):  # it has ended already
                one.shutdown(socket.SHUT_RDWR)


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = str(10 * int(self.path[1:])).encode()
        self.server.answered += content != b"0"
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Stay silent."""


@pytest.fixture
def banks():
    """The one that stable asks, and the shadow's replica."""
    opened = [Bank(), Bank()]
    yield opened
    for one in opened:
        one.stop()


def test_a_connection_is_kept_through_requests_and_made_again_after_an_outage(home, banks, tmp_path):
    bank, replica = banks
    home.environment |= {"BANK": bank.address, "REPLICA": replica.address}
    named = ["--name", "accounts", "--model", "balance", "--example", "1"]
    notebook = write(tmp_path / "train.ipynb", *CELLS)
    url = home.json("deploy", notebook, *named, "--secret", "BANK=env:BANK", "--secret", "REPLICA=env:REPLICA")["url"]

    def ask(customer):
        return httpx.post(f"{url}/predict", json={"instances": [customer]}, trust_env=False, timeout=60)

    before = bank.opened
    assert [ask(one).json()["predictions"] for one in (1, 2, 3)] == [[10.0], [20.0], [30.0]]
    assert bank.opened <= before + 2, "a process connects once for each thread that calls the model"

    changed = write(tmp_path / "changed.ipynb", CELLS[0], CELLS[1].replace("float(", "1.0 * float("))
    home.json("deploy", changed, *named)
    answered = replica.answered
    assert ask(4).json()["predictions"] == [40.0]
    until(lambda: replica.answered > answered)

    port = bank.server_port
    bank.stop()
    away = until(lambda: answer if (answer := ask(5)).status_code == 503 else None)
    assert int(away.headers["retry-after"]) >= 1
    assert "a resource of the model" in away.json()["detail"]
    banks[0] = Bank(port)
    back = until(lambda: answer if (answer := ask(6)).status_code == 200 else None)
    assert back.json()["predictions"] == [60.0]
    (failed, *_) = [line for line in home.run("logs", "accounts").stdout.splitlines() if " 503 " in line]
    assert " stable " in failed, "the outage is in the records"
