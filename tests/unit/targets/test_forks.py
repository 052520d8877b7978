"""The servers of forks in which tests run this package's programs."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests import forks
from tests.fork_server import REQUEST_SECONDS

FAILS = "import sys; sys.stderr.write('why'); sys.exit(3)"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of its own, whose forks run any code."""
    monkeypatch.setattr(forks, "_state", forks._state | {"folder": str(tmp_path), "servers": {}})
    monkeypatch.setitem(forks.PROGRAMS, "small", ("json",))
    forks.start_server(str(tmp_path), "small")
    process = forks._state["servers"]["small"]
    yield process
    process.stdin.close()
    process.wait()


def run(code, **options):
    command = [sys.executable, "-P", "-c", code]
    return forks.ForkingPopen(command, server="small", text=True, **options)


def test_a_fork_is_a_process_with_its_own_descriptors_variables_and_exit_code(server, tmp_path):
    code = "import os, sys; print(os.environ['A'], os.getcwd(), sys.stdin.read(), os.getppid()); sys.exit(7)"
    process = run(
        code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"A": "b"}, cwd=tmp_path, start_new_session=True
    )
    assert os.getsid(process.pid) == process.pid
    out, _ = process.communicate("in")
    assert out.split() == ["b", str(tmp_path), "in", str(os.getpid())]
    assert process.returncode == 7
    assert run(FAILS, stderr=subprocess.DEVNULL).wait() == 3


def test_a_killed_fork_is_seen(server):
    process = run("import time; time.sleep(600)")
    assert process.poll() is None
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\0\0\x09{", b"\0\0\0\x02{}", b"\xff\xff\xff\xff{}"])
def test_a_client_that_is_killed_before_its_request_is_whole_ends_no_server(server, tmp_path, sent):
    for path in (tmp_path / "small", tmp_path / "small.plans"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(sent)
    assert run("pass").wait() == 0
    assert server.poll() is None


def test_a_client_that_sends_nothing_holds_others_up_for_a_while_only(server, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "small"))
        began = time.monotonic()
        assert run("pass").wait() == 0
        assert time.monotonic() - began < 10 * REQUEST_SECONDS


def test_a_server_that_has_ended_says_why(server):
    server.kill()
    server.wait()
    with pytest.raises(AssertionError, match="has ended with -9"):
        run("pass")
