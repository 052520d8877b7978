"""Full disks, slow starts and broken answers around the supervisor: none may end the process that restarts it."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from jupyter_deploy.domain.errors import RouteNotConfirmed, StartFailed, TargetError
from jupyter_deploy.system.home import was_running
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.supervisor import launch, supervisord
from jupyter_deploy.targets.local.supervisor.orphans import forget
from jupyter_deploy.targets.local.supervisor.supervisord import Supervisor
from tests.contract.targets.test_local_target_support import Stage, endpoint_of, eventually, stage, staged
from tests.disks import small_disk

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]


def test_a_gateway_that_runs_alone_after_a_failed_start_is_noted_as_running(stage: Stage) -> None:
    release = stage.release("aaa", crash=True)
    with pytest.raises(StartFailed):
        stage.target.start(release)
    assert not was_running(stage.home)
    stage.target.route(endpoint_of(release))
    assert was_running(stage.home)
    stage.target.stop(release)
    assert not was_running(stage.home)
    assert not stage.processes()


def test_on_a_full_disk_routes_fail_as_routes_do_and_a_killed_supervisor_is_back_when_there_is_room() -> None:
    with staged() as stage, small_disk(stage.runtime) as disk:
        release = stage.release("aaa")
        stage.target.start(release)
        stage.target.route(endpoint_of(release))
        supervisor = Supervisor(Runtime(stage.runtime), stage.settings.logs)
        eventually(supervisor.keeper_ready.exists)
        disk.fill()
        with pytest.raises(RouteNotConfirmed, match="No space left") as failed:
            stage.target.route(endpoint_of(release, revision=2))
        assert "reconcile" in failed.value.remedy
        os.kill(int((stage.runtime / "supervisord.pid").read_text()), signal.SIGKILL)
        eventually(lambda: not (stage.runtime / "supervisor.sock").exists())  # the keeper tries
        disk.free()
        eventually(supervisor.alive)
        stage.target.route(endpoint_of(release, revision=3))
        stage.target.down()
        assert not stage.processes()


def test_down_ends_everything_on_a_disk_that_became_read_only() -> None:
    with staged() as stage, small_disk(stage.home) as disk:
        stage.target.start(stage.release("aaa"))
        disk.read_only()
        stage.target.down()
        assert not stage.processes()


def test_a_supervisor_that_is_too_slow_to_start_is_an_error_in_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisord, "_START_SECONDS", 0.0)
    with pytest.raises(TargetError, match="did not start"):
        stage.target.start(stage.release("aaa"))


def answering(path: Path, answer: bytes) -> None:
    """Answers the first request at that socket so, and closes the connection."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        with server, server.accept()[0] as asker:
            asker.recv(65536)
            asker.sendall(answer)
            asker.shutdown(socket.SHUT_WR)
            while asker.recv(65536):  # what the asker is still sending: else it is cut off instead of answered
                pass

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("said", [b"", b"<?xml version='1.0'?>\n<methodResponse>\n<par"])
def test_a_supervisor_killed_while_it_answers_has_gone(stage: Stage, said: bytes) -> None:
    stage.runtime.mkdir(mode=0o700)
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 500\r\n\r\n"
    answering(stage.runtime / "supervisor.sock", head + said)
    assert not Supervisor(Runtime(stage.runtime), stage.settings.logs).alive()


def test_a_supervisor_that_answers_with_an_error_is_there(stage: Stage) -> None:
    stage.runtime.mkdir(mode=0o700)
    answering(stage.runtime / "supervisor.sock", b"HTTP/1.0 500 Internal Server Error\r\n\r\n")
    with pytest.raises(TargetError, match="500") as failed:
        Supervisor(Runtime(stage.runtime), stage.settings.logs).alive()
    assert not isinstance(failed.value, supervisord.SupervisorGone)


def test_what_left_the_group_of_an_ended_process_with_its_lock_does_not_keep_it_from_being_forgotten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "ORPHANS_SECONDS", 0.1)
    runtime = Runtime(stage.runtime)
    runtime.prepare()
    held = stage.runtime / "pids" / "release-x@0"
    ended = subprocess.Popen(["true"])
    ended.wait()
    handle = os.open(held, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.pwrite(handle, f"{ended.pid:<10}\n".encode(), 0)
    orphan = subprocess.Popen(["sleep", "600"], pass_fds=[handle], start_new_session=True)
    os.close(handle)
    (stage.runtime / "pids" / "release-x@1").symlink_to("gone")  # as one that vanishes between two looks
    forgetting = threading.Thread(target=forget, args=(runtime, "release-x"), daemon=True)
    try:
        forgetting.start()
        eventually(lambda: not forgetting.is_alive())
        assert not held.exists()
        assert orphan.poll() is None
    finally:
        orphan.kill()
        orphan.wait()
