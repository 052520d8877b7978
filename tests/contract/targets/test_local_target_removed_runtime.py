"""A runtime directory that a cleaner empties while its processes run: they are found, and end or are replaced."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from jupyter_deploy.system.home import was_running
from jupyter_deploy.targets.local import runtime
from jupyter_deploy.targets.local.supervisor.identities import Identities
from jupyter_deploy.targets.local.target import LocalTarget
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, eventually, stage

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]


def cleaned(stage: Stage) -> list[int]:
    """Remove the runtime directory; returns the processes that go on running."""
    stage.settle()

    def removed() -> bool:
        shutil.rmtree(stage.runtime, ignore_errors=True)  # a process may still write into it
        return not stage.runtime.exists()

    eventually(removed)
    running = stage.processes()
    assert len(running) >= 4  # a worker, Envoy, supervisord, its keeper
    return running


def test_down_ends_what_runs_without_its_runtime_directory(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    stage.target.route(endpoint_of(release))
    cleaned(stage)
    stage.target.down()
    assert not stage.processes()
    assert not was_running(stage.home)
    assert not Identities(stage.home).running()


def test_a_start_replaces_what_runs_without_its_runtime_directory_at_the_same_address(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    stage.target.start(one)
    url = stage.target.route(endpoint_of(one))
    before = cleaned(stage)
    seen = stage.target.observe(endpoint_of(one))
    assert not seen.gateway
    assert "reconcile" in seen.releases[one.tag].detail
    stage.target.start(two)
    assert stage.target.route(endpoint_of(two)) == url
    assert ask(url).json() == {"predictions": ["bbb"]}
    assert not set(before) & set(stage.processes())


def test_a_stop_ends_its_release_alone_and_with_the_last_one_everything(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    stage.target.route(endpoint_of(one, two))
    cleaned(stage)
    stage.target.stop(one)
    assert [name for name in Identities(stage.home).running() if name.startswith("release-")] == [
        "release-tumour.bbb@0"
    ]
    stage.target.stop(two)
    assert not stage.processes()


def test_a_supervisor_without_its_configuration_is_replaced(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    for path in [stage.runtime / "supervisord.conf", *(stage.runtime / "conf.d").iterdir()]:
        path.unlink()  # as a cleaner that leaves sockets
    stage.target.start(release)
    assert stage.target.route(endpoint_of(release)) == url
    assert ask(url).status_code == 200


def test_an_identity_of_another_process_is_nobodys(stage: Stage) -> None:
    identities = Identities(stage.home)
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        identities.write("gateway@0", other.pid)
        assert identities.running() == {"gateway@0": other.pid}
        path = identities.path("gateway@0")
        boot, started, *rest = path.read_text().split()[1:]
        path.write_text(" ".join([str(other.pid), boot, str(int(started) + 1), *rest]))
        identities.path("keeper@0").write_text("no identity")
        assert not identities.running()
        identities.end()
        assert other.poll() is None
        assert not identities.path("gateway@0").exists()
    finally:
        other.kill()
        other.wait()


def located(stage: Stage, home: Path) -> Path:
    return runtime.locate(stage.settings.model_copy(update={"runtime": None, "home": home})).path


def test_it_lies_where_cleaners_do_not_reach(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    short, long, user = stage.root / "home", stage.root / ("long" * 20), stage.root / "ada"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    namespace = f"{Path('/proc/self/ns/pid').stat().st_ino:x}"
    assert located(stage, short) == short / "run" / namespace
    assert located(stage, long).parent == user / ".nbdeploy" / namespace
    monkeypatch.setattr(runtime, "network_kind_of", lambda _folder: "nfs4")
    assert located(stage, short).parent == Path("/tmp")


def test_a_target_below_its_home_works_and_leaves_its_locks_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    home = stage.root / "plain"
    target = LocalTarget(stage.settings.model_copy(update={"runtime": None, "home": home}))
    release = stage.release("aaa")
    target.start(release)
    assert ask(target.route(endpoint_of(release))).status_code == 200
    assert not (home.stat().st_mode | (home / "run").stat().st_mode) & 0o077
    target.down()
    assert not stage.processes()
    (folder,) = (home / "run").iterdir()
    assert [path.name for path in folder.iterdir()] == ["locks"]


def test_the_directories_of_ended_containers_are_removed(stage: Stage) -> None:
    own, ended, young, living = (stage.root / "run" / name for name in ("f0", "f1", "f2", "f3"))
    for folder in (ended, young, living):
        folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(living / "supervisor.sock"))
        listener.listen()
        for folder in (ended, living):
            os.utime(folder, (0, 0))
        runtime.Runtime(own).prepare()
    assert sorted(path.name for path in own.parent.iterdir()) == ["f0", "f2", "f3"]


def test_a_name_in_the_temporary_folder_that_another_user_took_is_left_to_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(runtime, "network_kind_of", lambda _folder: "nfs4")
    first = located(stage, stage.root / "home")
    try:
        first.mkdir(mode=0o700)
        assert located(stage, stage.root / "home") == first
        if os.geteuid() == 0:  # only root can give a folder away
            os.chown(first, 12345, 12345)
            monkeypatch.setattr(runtime, "_ours", lambda path: path.exists() and path.stat().st_uid == 0)
        else:
            monkeypatch.setattr(runtime, "_ours", lambda _path: False)
        second = located(stage, stage.root / "home")
        assert second != first
        assert second.parent == first.parent
    finally:
        first.rmdir()
