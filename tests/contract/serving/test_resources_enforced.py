"""What a release may use is enforced: workers, memory, processors; the real parts again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_deploy.domain.errors import InvalidInput, StartFailed
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.targets.local.releases import limits
from jupyter_deploy.targets.local.releases.hardware import enforced
from jupyter_deploy.targets.local.supervisor.launch import alive
from tests.contract.targets.test_local_target_support import Load, Stage, ask, endpoint_of, eventually, stage, staged

__all__ = ["stage"]

WORKER = "release-tumour.aaa"
MB = 10**6

pytestmark = pytest.mark.usefixtures("own_processes")


def parent_of(stage: Stage) -> psutil.Process:
    latest = min((stage.runtime / "pids").glob(f"{WORKER}*"))  # a later generation's is "..1@0"
    return psutil.Process(int(latest.read_text()))


def log_of(stage: Stage) -> str:
    return (stage.settings.logs / f"{WORKER}-0.log").read_text()


def limits_of(stage: Stage, *releases) -> str:
    return " | ".join(stage.target.observe(endpoint_of(*releases)).releases[releases[0].tag].limits)


def test_each_of_several_workers_is_asked_and_a_killed_one_costs_nothing_but_its_own_requests(stage: Stage) -> None:
    release = stage.release("aaa", resources={"workers": 3})
    stage.target.start(release)
    assert len(stage.seen("aaa", "probe")) == 3
    url = stage.target.route(endpoint_of(release))
    parent = parent_of(stage)
    workers = parent.children()
    assert len(workers) == 3
    with Load(url) as load:
        eventually(lambda: len(load.answers) > 50)
        workers[0].kill()
        eventually(lambda: workers[0].pid not in [child.pid for child in parent.children()])
        eventually(lambda: len(parent.children()) == 3)
        goal = len(load.answers) + 50
        eventually(lambda: len(load.answers) > goal)
    assert len(load.failures) <= 12, load.failures  # those that it was answering
    assert f"(process {workers[0].pid}) was killed by SIGKILL" in log_of(stage)
    assert parent_of(stage) == parent
    stage.target.stop(release)
    assert not stage.processes()


def test_workers_end_with_their_parent_and_all_of_them_come_back(stage: Stage) -> None:
    release = stage.release("aaa", resources={"workers": 2})
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    parent = parent_of(stage)
    orphans = parent.children()
    parent.kill()
    # What reaches them meanwhile may be in flight when they end; what comes then waits.
    eventually(lambda: not any(alive(one.pid) for one in orphans))
    assert [ask(url).status_code for _ in range(20)] == [200] * 20
    eventually(lambda: len(parent_of(stage).children()) == 2)


def test_workers_that_cannot_begin_are_a_failed_start(stage: Stage) -> None:
    release = stage.release("aaa", resources={"workers": 2}, crash=True)
    with pytest.raises(StartFailed) as caught:
        stage.target.start(release)
    assert "the weights are broken" in (caught.value.details or "")
    assert not stage.processes()


def test_other_resources_start_a_release_beside_itself_and_its_clients_notice_nothing(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    first, gateway = parent_of(stage), (stage.runtime / "pids" / "gateway@0").read_text()
    wider = release.model_copy(update={"resources": Resources(workers=2, threads=1)})
    with Load(url, clients=2) as load:
        eventually(lambda: len(load.answers) > 20)
        assert stage.target.start(wider)
        stage.target.route(endpoint_of(wider, revision=2))
        goal = len(load.answers) + 20
        eventually(lambda: len(load.answers) > goal)
    assert load.failures == []
    assert gateway == (stage.runtime / "pids" / "gateway@0").read_text()
    assert not first.is_running()
    assert len(list((stage.runtime / "s").glob("*.1.sock"))) == 1
    assert not stage.target.start(wider)
    environ = json.loads((Path(release.path) / "environ.json").read_text())["env"]
    assert environ["OMP_NUM_THREADS"] == "1"


def test_what_cannot_start_with_other_resources_runs_on_as_it_did(stage: Stage) -> None:
    release = stage.release("aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    stage.behave("aaa", answer="something else")
    with pytest.raises(StartFailed):
        stage.target.start(release.model_copy(update={"resources": Resources(workers=2)}))
    stage.behave("aaa", answer="aaa")
    assert len(list((stage.runtime / "s").glob("*.sock"))) == 1
    assert ask(url).json() == {"predictions": ["aaa"]}
    assert not parent_of(stage).children()


def test_more_than_the_machine_has_is_refused_before_anything_starts(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="more than this machine has"):
        stage.target.check(Resources(cpu=100_000))
    with pytest.raises(InvalidInput, match="memory=1000 GB is more than this machine has"):
        stage.target.check(Resources(memory=1000 * 10**9))


HUNGRY = """
_plain = serve
async def serve(scope, receive, send):
    if scope.get("path") == "/predict" and b"eat" in dict(scope["headers"]).get(b"x-request-id", b""):
        hoard.append(b"x" * (400 << 20))
    await _plain(scope, receive, send)
hoard = []
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_release_beyond_its_memory_is_ended_said_and_back_and_its_client_gets_503(workers: int) -> None:
    with staged() as stage:
        release = stage.release("aaa", resources={"memory": 300 * MB, "workers": workers})
        service = Path(release.path) / "src" / "service.py"
        service.write_text(service.read_text() + HUNGRY)
        stage.target.start(release)
        url = stage.target.route(endpoint_of(release))
        if "by a control group" in limits_of(stage, release):
            answer = ask(url, x_request_id="eat")
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            eventually(lambda: "out of memory" in log_of(stage))
            # Its limits are not known while it is started again.
            eventually(lambda: "out of memory 1 time, the last time at" in limits_of(stage, release))
        else:  # the allocation itself fails
            assert ask(url, x_request_id="eat").status_code == 500
        assert [ask(url).status_code for _ in range(10)] == [200] * 10


def test_a_memory_hungry_shadow_meets_its_limit_and_stables_clients_notice_nothing(stage: Stage) -> None:
    stable, shadow = stage.release("aaa"), stage.release("bbb", resources={"memory": 300 * MB})
    service = Path(shadow.path) / "src" / "service.py"
    service.write_text(
        service.read_text() + HUNGRY.replace('b"x-request-id", b""', 'b"x-rollout-role"').replace("eat", "shadow")
    )
    for release in (stable, shadow):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(stable, shadow, shadows={shadow.tag: 100}))
    log = stage.settings.logs / "release-tumour.bbb-0.log"
    with Load(url, clients=2) as load:
        eventually(lambda: "out of memory" in log.read_text() or "MemoryError" in log.read_text())
    assert load.failures == []
    assert set(load.answers) == {"aaa"}


def test_what_is_taken_down_leaves_no_control_group(stage: Stage) -> None:
    stage.target.start(stage.release("aaa", resources={"memory": 300 * MB, "cpu": 0.5}))
    state = limits.read(stage.runtime / "programs" / f"{WORKER}@0.limits")
    groups = [Path(one["group"]) for one in state.values() if "group" in one]
    assert all(one.exists() for one in groups)
    stage.target.down()
    assert not any(one.exists() for one in groups)


def test_too_little_memory_to_load_the_model_is_a_failed_start_that_says_so(stage: Stage) -> None:
    release = stage.release("aaa", resources={"memory": 100 * MB})
    service = Path(release.path) / "src" / "service.py"
    service.write_text("weights = b'x' * (200 << 20)\n" + service.read_text())
    with pytest.raises(StartFailed) as caught:
        stage.target.start(release)
    assert "it may have 100 MB of memory" in caught.value.message or "MemoryError" in (caught.value.details or "")


def test_processors_are_shared_out(stage: Stage) -> None:
    release = stage.release("aaa", resources={"cpu": 0.5, "gpu": "none"})
    stage.target.start(release)
    assert "cpu 0.5, by" in limits_of(stage, release)
    state = limits.read(stage.runtime / "programs" / f"{WORKER}@0.limits")["cpu"]
    if state["how"] == limits.CGROUP:
        assert str(parent_of(stage).pid) in (Path(state["group"]) / "cgroup.procs").read_text().split()
    else:
        assert parent_of(stage).cpu_affinity() == state["cores"]
    environ = json.loads((Path(release.path) / "environ.json").read_text())["env"]
    assert environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert environ["OMP_NUM_THREADS"] == "1"
    stage.target.stop(release)
    assert not Path(state.get("group", "/none")).exists()


# Where no control group can be made.

EATS = """
import os, sys, time

kept = b"x" * (50 << 20)
if not os.fork():
    more = b"y" * (150 << 20)
print("full", flush=True)
time.sleep(600)
"""


@pytest.fixture
def group() -> Iterator[subprocess.Popen[bytes]]:
    """Two processes, of which the second has more; both lead nothing but their own group."""
    process = subprocess.Popen([sys.executable, "-c", EATS], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    assert process.stdout.read(10) == b"full\nfull\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def written(folder: Path, pid: int, memory: int) -> Path:
    for name in ("programs", "pids"):
        (folder / name).mkdir(exist_ok=True)
    state = folder / "programs" / "release@0.limits"
    state.write_text(json.dumps({"memory": {"bytes": memory, "how": limits.WATCH}}))
    state.with_suffix(".json").write_text(json.dumps({"log": str(folder / "log")}))
    (folder / "pids" / "release@0").write_text(f"{pid}\n")
    return state


def test_the_keepers_look_ends_the_largest_process_of_a_release_and_says_so(
    tmp_path: Path, group: subprocess.Popen[bytes]
) -> None:
    (child,) = psutil.Process(group.pid).children()
    state = written(tmp_path, group.pid, 1000 << 20)
    limits.check_memory(tmp_path / "programs", tmp_path / "pids")
    assert limits.killed(state)[0] == 0
    written(tmp_path, group.pid, 120 << 20)
    limits.check_memory(tmp_path / "programs", tmp_path / "pids")
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    limits.check_memory(tmp_path / "programs", tmp_path / "pids")
    assert group.poll() is None
    count, last = limits.killed(state)
    assert count == 1
    assert abs(time.time() - last) < 3600
    assert "out of memory: a process was ended" in (tmp_path / "log").read_text()
    (line,) = enforced(Resources(memory=120 << 20), state, tmp_path)
    assert line.startswith("memory 125.8 MB, of each process by RLIMIT_DATA, of all by a check every second")
    assert "out of memory 1 time" in line


def in_a_child(what: Callable[[], object]) -> object:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writing, json.dumps(what()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return json.loads(os.read(reading, 65536))


def test_without_control_groups_there_are_rlimits_and_whole_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_mounts", dict)

    def limited() -> object:
        found = limits.enforce(300 << 20, 0.5, "somebody")
        try:
            _ = b"x" * (400 << 20)
        except MemoryError:
            return found
        return None

    cores = sorted(os.sched_getaffinity(0))
    found = in_a_child(limited)
    assert isinstance(found, dict)
    assert found["memory"] == {"bytes": 300 << 20, "how": limits.WATCH}
    assert found["cpu"]["how"] == limits.CORES
    assert len(found["cpu"]["cores"]) == 1
    assert set(found["cpu"]["cores"]) <= set(cores)


def test_a_folder_that_is_no_control_group_limits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_mounts", lambda: {"": [tmp_path]})
    found = in_a_child(lambda: limits.enforce(4000 << 20, None, "somebody"))
    assert isinstance(found, dict)
    assert found["memory"]["how"] == limits.WATCH
    assert not list(tmp_path.iterdir())
