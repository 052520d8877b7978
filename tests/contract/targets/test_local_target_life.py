"""How releases start, fail, stop and outlive: real supervisord, real Envoy, tiny real workers."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_deploy.domain.errors import EnvironmentChanged, EnvoyMissing, StartFailed, TargetError
from jupyter_deploy.system.home import was_running
from jupyter_deploy.targets.local import unix
from jupyter_deploy.targets.local.gateway import gateway
from jupyter_deploy.targets.local.releases import by_process, workers
from jupyter_deploy.targets.local.target import LocalTarget
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, eventually, pid_of, stage, staged

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]


def test_a_worker_that_crashes_while_loading_is_said_with_its_log_and_leaves_nothing(stage: Stage) -> None:
    with pytest.raises(StartFailed) as failed:
        stage.target.start(stage.release("aaa", crash=True))
    assert "loading the model" in failed.value.details
    assert "the weights are broken 100 %" in failed.value.details
    assert len(failed.value.details.splitlines()) <= 25
    assert failed.value.remedy
    assert not stage.processes()


def test_a_worker_that_is_never_ready_fails_in_time() -> None:
    with staged(start_timeout=1.5) as stage:
        with pytest.raises(StartFailed, match=r"not ready within 1\.5 s"):
            stage.target.start(stage.release("aaa", ready=503))
        assert not stage.processes()


@pytest.mark.parametrize(
    ("notebook", "service"),
    [("malignant", "benign"), (0.25, 0.2500001), pytest.param(3, 4, marks=pytest.mark.exhaustive)],
)
def test_a_release_that_answers_unlike_the_notebook_is_not_started(stage: Stage, notebook: Any, service: Any) -> None:
    release = stage.release("aaa", answer=notebook)
    stage.behave("aaa", answer=service)
    with pytest.raises(StartFailed, match="as the notebook did") as failed:
        stage.target.start(release)
    assert "row 1" in failed.value.details
    assert not stage.processes()


def test_a_float_may_differ_by_its_tolerance_and_a_stochastic_answer_by_anything(stage: Stage) -> None:
    close = stage.release("aaa", answer=0.25)
    stage.behave("aaa", answer=0.25 * (1 + 1e-10))
    stage.target.start(close)
    random = stage.release("bbb", answer=0.25)
    stage.behave("bbb", answer=0.75)
    path = Path(random.snapshot_path) / "snapshot.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stochastic": True}))
    stage.target.start(random)


def test_a_changed_environment_is_said_before_anything_starts(stage: Stage) -> None:
    release = stage.release("aaa")
    (Path(release.path) / "changes.json").write_text('["numpy: captured 1.0, installed 2.0"]')
    with pytest.raises(EnvironmentChanged) as changed:
        stage.target.start(release)
    assert "numpy: captured 1.0, installed 2.0" in changed.value.details
    assert changed.value.remedy
    with pytest.raises(EnvironmentChanged, match="interpreter is missing"):
        stage.target.start(release.model_copy(update={"interpreter": "/nowhere/python"}))
    (Path(release.path) / "src" / "serving" / "environment.py").write_text("import nothing_like_that")
    with pytest.raises(StartFailed) as failed:
        stage.target.start(release)
    assert "nothing_like_that" in failed.value.details
    assert not stage.processes()


def test_a_failing_release_leaves_the_others_alone(stage: Stage) -> None:
    good, bad = stage.release("aaa"), stage.release("bbb", crash=True)
    stage.target.start(good)
    url = stage.target.route(endpoint_of(good))
    with pytest.raises(StartFailed):
        stage.target.start(bad)
    assert ask(url).status_code == 200
    assert stage.target.observe(endpoint_of(good, bad)).releases[bad.tag].detail == "not running"


def test_an_interrupted_start_leaves_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: workers.Workers) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workers.Workers, "prove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stage.target.start(stage.release("aaa"))
    assert not stage.processes()


def test_starting_what_runs_asks_nothing(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    stage.target.start(release)
    assert len(stage.seen("aaa", "probe")) == 1


def test_the_last_stop_takes_everything_down(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    stage.target.stop(one)
    assert not stage.runtime.exists(), "stopping what never ran makes nothing"
    for release in (one, two):
        stage.target.start(release)
    stage.target.route(endpoint_of(one, two))
    eventually(lambda: len(stage.processes()) == 6)  # two workers, Envoy, supervisord, its keeper, the exporter
    stage.target.stop(two)
    assert ask(stage.target.observe(endpoint_of(one)).url).status_code == 200
    stage.target.stop(one)
    assert not stage.processes()
    assert [path.name for path in stage.runtime.iterdir()] == ["locks"]
    stage.target.stop(one)


def test_down_ends_also_what_nobody_knows_of(stage: Stage) -> None:
    for version in ("aaa", "bbb", "ccc"):
        stage.target.start(stage.release(version))
    LocalTarget(stage.settings).down()
    assert not stage.processes()
    LocalTarget(stage.settings).down()


def test_what_is_written_is_for_its_owner_alone(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    ask(stage.target.route(endpoint_of(release)))
    eventually(stage.edge)
    stage.settle()  # no temporary file comes and goes
    found = [stage.home, *stage.home.rglob("*"), stage.runtime]
    open_to_others = [path for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert len(found) > 8
    assert not open_to_others


def test_a_worker_sees_the_allowed_environment_and_no_other_path(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "AWS_SECRET_ACCESS_KEY", "HTTP_PROXY", "JUPYTER_TOKEN"):
        monkeypatch.setenv(name, "/secret")
    for name, value in {"OMP_NUM_THREADS": "1", "LC_ALL": "C", "CUDA_X": "a 'b' \"c\" 100% ;#\nd"}.items():
        monkeypatch.setenv(name, value)
    release = stage.release("aaa")
    stage.target.start(release)
    found = json.loads((Path(release.path) / "environ.json").read_text())
    assert "/secret" not in str(found)
    assert found["env"]["CUDA_X"] == "a 'b' \"c\" 100% ;#\nd"
    assert found["env"]["OMP_NUM_THREADS"] == "1"
    assert found["env"]["NBDEPLOY_RECORDS"] == str(stage.home / "records" / "tumour" / "aaa")
    assert found["env"]["BENTOML_DO_NOT_TRACK"] == "true"
    assert found["path"][0] == f"{release.path}/src"
    assert found["cwd"] not in found["path"]
    assert not list(Path(found["cwd"]).iterdir())
    supervisord = int((stage.runtime / "supervisord.pid").read_text())
    assert b"/secret" not in Path(f"/proc/{supervisord}/environ").read_bytes()


def test_a_worker_does_not_inherit_what_another_start_had(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    stage.target.start(stage.release("aaa"))
    monkeypatch.delenv("OMP_NUM_THREADS")
    release = stage.release("bbb")
    stage.target.start(release)
    assert "OMP_NUM_THREADS" not in json.loads((Path(release.path) / "environ.json").read_text())["env"]


def test_a_port_that_is_taken_in_the_last_moment_is_left_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "free_port", lambda port: port)  # as if it had been free a moment ago
    release = stage.release("aaa")
    with socket.create_server(("127.0.0.1", stage.settings.port)):
        stage.target.start(release)
        assert ask(stage.target.route(endpoint_of(release))).status_code == 200


def test_a_taken_port_is_left_and_the_chosen_one_kept(stage: Stage) -> None:
    release = stage.release("aaa")
    with socket.create_server(("127.0.0.1", stage.settings.port)):
        stage.target.start(release)
        url = stage.target.route(endpoint_of(release))
        assert str(stage.settings.port) not in url
        assert ask(url).status_code == 200
    stage.target.stop(release)
    stage.target.start(release)
    assert stage.target.route(endpoint_of(release)) == url
    assert LocalTarget(stage.settings).observe(endpoint_of(release)).url == url
    stage.target.stop(release)
    port = int(url.split(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        stage.target.start(release)
        other = stage.target.route(endpoint_of(release))
        assert other != url
        assert ask(other).status_code == 200


def test_a_runtime_directory_that_is_not_ours_is_refused(stage: Stage) -> None:
    release = stage.release("aaa")
    elsewhere = stage.root / "elsewhere"
    elsewhere.mkdir()
    stage.runtime.symlink_to(elsewhere)
    with pytest.raises(TargetError, match="symbolic link"):
        stage.target.start(release)
    with pytest.raises(TargetError, match="symbolic link"):
        stage.target.observe(endpoint_of(release))
    stage.runtime.unlink()
    if os.geteuid() == 0:  # only root can give a folder away
        stage.runtime.mkdir()
        os.chown(stage.runtime, 12345, 12345)
        with pytest.raises(TargetError, match="another user") as refused:
            stage.target.start(release)
        assert "NBDEPLOY_RUNTIME" in refused.value.remedy
    under = stage.settings.model_copy(update={"runtime": stage.home / "run"})
    with pytest.raises(TargetError, match="lies under"):
        LocalTarget(under).start(release)
    long = stage.settings.model_copy(update={"runtime": stage.root / ("long" * 20)})
    with pytest.raises(TargetError, match="bytes of"):
        LocalTarget(long).start(release)
    assert not list(elsewhere.iterdir())


def test_a_shell_with_another_xdg_directory_finds_what_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    xdg = stage.root / "xdg"
    xdg.mkdir()
    target = LocalTarget(stage.settings.model_copy(update={"runtime": None}))
    release = stage.release("aaa")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(xdg))
    target.start(release)
    (runtime,) = xdg.iterdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert target.observe(endpoint_of(release)).releases[release.tag].healthy
    target.stop(release)
    assert not stage.processes()
    assert [path.name for path in runtime.iterdir()] == ["locks"]


def test_a_missing_envoy_is_said_before_anything_starts(stage: Stage) -> None:
    target = LocalTarget(stage.settings.model_copy(update={"envoy": "/nowhere/envoy"}))
    with pytest.raises(EnvoyMissing) as missing:
        target.start(stage.release("aaa"))
    assert "NBDEPLOY_ENVOY" in missing.value.remedy
    assert not stage.runtime.exists()


def test_observing_starts_and_makes_nothing(stage: Stage) -> None:
    release = stage.release("aaa")
    seen = stage.target.observe(endpoint_of(release, stage.release("bbb"), shadows={"tumour:bbb": 100}))
    assert not seen.releases[release.tag].running
    assert seen.overflowed == {"tumour:bbb": 0}
    assert seen.url == f"http://127.0.0.1:{stage.settings.port}/tumour"
    assert not stage.runtime.exists()
    assert stage.target.route(endpoint_of(release, running=False)) == seen.url
    assert not stage.processes()


def test_a_crashed_worker_is_restarted_but_not_for_ever(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_process, "RETRIES", 1)
    release = stage.release("aaa")
    endpoint = endpoint_of(release)
    stage.target.start(release)

    def health() -> tuple[bool, str]:
        found = stage.target.observe(endpoint).releases[release.tag]
        return found.healthy, found.detail

    def kill() -> int:
        pid = pid_of(stage, "release-tumour.aaa")
        os.kill(pid, signal.SIGKILL)
        return pid

    pid = kill()
    eventually(lambda: pid_of(stage, "release-tumour.aaa") != pid and health()[0])
    stage.behave("aaa", crash=True)
    kill()
    eventually(lambda: health()[1].startswith("FATAL"))
    stage.behave("aaa", crash=False)
    stage.target.start(release)
    assert health() == (True, "")


def test_what_was_stopped_on_purpose_is_told_from_what_was_killed(stage: Stage) -> None:
    release = stage.release("aaa")
    assert not was_running(stage.home)
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    assert was_running(stage.home)
    stage.target.stop(release)
    assert not was_running(stage.home)
    stage.target.start(release)
    stage.close()
    assert was_running(stage.home)
    shutil.rmtree(stage.runtime)  # as a container's folder for temporary files
    assert was_running(stage.home)
    stage.target.down()
    assert not was_running(stage.home)
    stage.target.start(release)
    assert stage.target.route(endpoint_of(release)) == url


def test_releases_outlive_the_process_group_that_started_them(stage: Stage) -> None:
    release = stage.release("aaa")
    code = (
        "import pickle,sys,time; target, release, endpoint = pickle.load(sys.stdin.buffer)\n"
        "target.start(release); print(target.route(endpoint), flush=True); time.sleep(600)"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    kernel.stdin.write(pickle.dumps((stage.target, release, endpoint_of(release))))
    kernel.stdin.close()
    url = kernel.stdout.readline().decode().strip()
    for number in (signal.SIGINT, signal.SIGKILL):
        os.killpg(kernel.pid, number)
    kernel.wait(60)
    assert ask(url).status_code == 200


def test_one_release_started_twice_at_once_is_started_once(stage: Stage) -> None:
    release = stage.release("aaa")
    failures: list[BaseException] = []

    def start() -> None:
        try:
            LocalTarget(stage.settings).start(release)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert len(stage.seen("aaa", "probe")) == 1
    eventually(lambda: len(stage.processes()) == 4)  # the worker, supervisord, its keeper, the exporter


def test_a_stopped_worker_first_answers_what_it_was_asked(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    stage.behave("aaa", delay=1.0)
    answers: list[int] = []
    (path,) = (stage.runtime / "s").iterdir()

    def client() -> None:
        with unix.client(path, 120) as worker:
            answers.append(worker.post("/predict", json={"instances": [1]}).status_code)

    asking = threading.Thread(target=client)
    asking.start()
    eventually(lambda: len(stage.seen("aaa")) == 2)
    stage.target.stop(release)
    asking.join()
    assert answers == [200]
    assert not stage.processes()


def test_limits_of_the_records_that_were_changed_hold_from_the_next_verb_on() -> None:
    def archivist(limit: str) -> tuple[str, ...]:
        return (sys.executable, "-c", "import sys, time; open(sys.argv[-1], 'w'); time.sleep(1000)", limit)

    def runs_with(stage: Stage, limit: str) -> bool:
        with suppress(OSError, ValueError, psutil.Error):
            return limit in psutil.Process(pid_of(stage, "archivist")).cmdline()
        return False

    with staged(archivist=archivist("1000")) as stage:
        release = stage.release("aaa")
        stage.target.start(release)
        stage.target.route(endpoint_of(release))
        assert eventually(lambda: runs_with(stage, "1000"))
        LocalTarget(stage.settings.model_copy(update={"archivist": archivist("2000")})).route(endpoint_of(release))
        assert eventually(lambda: runs_with(stage, "2000"))
        target = LocalTarget(stage.settings.model_copy(update={"archivist": archivist("3000")}))
        target.start(stage.release("bbb"))
        target.route(endpoint_of(release))
        assert eventually(lambda: runs_with(stage, "3000"))
        before = pid_of(stage, "archivist")
        target.route(endpoint_of(release))
        assert pid_of(stage, "archivist") == before
