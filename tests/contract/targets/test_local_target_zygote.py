"""Releases that are forked from a zygote: real supervisord, Envoy and workers with tiny models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.serving.hosting.forking import PASSIVE
from jupyter_deploy.targets.local.releases import zygote
from tests import forks
from tests.contract.targets.test_local_target_kills import kill, supervisor_of
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, eventually, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with forks.unforked(), staged(start_timeout=120.0) as made:  # a zygote imports BentoML first
        yield made


def forkable(stage: Stage, version: str, imports: tuple[str, ...] = ("wave",), **options: Any) -> Release:
    """A release whose imports are listed, as a capture lists them."""
    release = stage.release(version, **options)
    (Path(release.snapshot_path) / "imports.json").write_text(json.dumps(imports))
    return release


def holder(stage: Stage, version: str) -> psutil.Process:
    """The process that holds a release's lock; waits until it is there."""
    return eventually(lambda: held(stage.runtime / "pids" / f"release-tumour.{version}@0"), 60)


def parent_of(stage: Stage, version: str) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):  # a killed one may still end
        return holder(stage, version).parent()
    return None


def log_of(stage: Stage, version: str) -> str:
    return (stage.settings.logs / f"release-tumour.{version}-0.log").read_text()


def zygotes(stage: Stage) -> list[psutil.Process]:
    paths = (stage.runtime / "pids").glob("zygote-*@0")
    return [process for path in paths if (process := held(path)) is not None]


def held(path: Path) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess, ValueError):
        process = psutil.Process(int(path.read_text()))
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    return None


def version(url: str) -> str:
    return ask(url).headers.get("x-model-version", "")


def test_releases_of_one_environment_share_a_zygote_and_are_supervised_as_any(stage: Stage) -> None:
    first, second = forkable(stage, "aaa"), forkable(stage, "bbb")
    for release in (first, second):
        assert stage.target.start(release)
    url = stage.target.route(endpoint_of(first, second, shadows={second.tag: 100.0}))
    (parent,) = zygotes(stage)
    forks = [holder(stage, one) for one in ("aaa", "bbb")]
    assert [fork.parent() for fork in forks] == [parent, parent]
    assert PASSIVE.items() <= parent.environ().items()
    assert version(url) == "aaa"
    words = forks[0].cmdline()
    assert words[2].endswith("aaa/src/serving/container.py")
    assert "--uds" in words
    # Variables, folder and log are those of any release.
    seen = json.loads((Path(second.path) / "environ.json").read_text())
    assert seen["env"]["NBDEPLOY_RECORDS"].endswith("records/tumour/bbb")
    assert "OMP_NUM_THREADS" not in seen["env"]
    assert seen["cwd"] == str(stage.runtime / "empty")
    assert "bbb is ready on" in log_of(stage, "bbb")
    assert "adopted" not in log_of(stage, "bbb")

    forks[0].kill()
    eventually(lambda: parent_of(stage, "aaa") == parent and version(url) == "aaa", 60)
    parent.kill()  # the forks go on, and another one forks the next
    eventually(lambda: [one for one in zygotes(stage) if one != parent], 60)
    assert version(url) == "aaa"
    assert forks[1].is_running()
    forks[1].kill()
    eventually(lambda: stage.target.observe(endpoint_of(second)).releases[second.tag].healthy, 60)
    assert holder(stage, "bbb").parent() in zygotes(stage)

    stage.target.stop(second)
    assert zygotes(stage)
    stage.target.stop(first)
    eventually(lambda: stage.processes() == [])


def test_a_fork_is_adopted_by_the_next_supervisor(stage: Stage) -> None:
    release = forkable(stage, "aaa")
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    fork, supervisor = holder(stage, "aaa"), supervisor_of(stage)
    kill(supervisor)
    eventually(lambda: f"process {fork.pid} runs already: adopted" in log_of(stage, "aaa"), 60)
    assert holder(stage, "aaa") == fork
    assert version(url) == "aaa"
    stage.target.stop(release)
    with suppress(psutil.NoSuchProcess):
        assert fork.status() == psutil.STATUS_ZOMBIE


def test_several_workers_and_limits_are_as_without_a_zygote(stage: Stage) -> None:
    release = forkable(stage, "aaa", resources={"workers": 2, "memory": "1GiB"})
    stage.target.start(release)
    pool = holder(stage, "aaa")
    assert pool.parent() == zygotes(stage)[0]
    assert len(pool.children()) == 2
    lines = stage.target.limits(release)
    assert lines[0] == "2 workers, forked from one process that has loaded the model"
    assert lines[1].startswith("memory 1.07 GB, ")


def test_a_library_that_starts_a_thread_makes_releases_start_on_their_own(stage: Stage) -> None:
    release = forkable(stage, "aaa", imports=("serving.busy",))
    starts = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    (Path(release.path) / "src" / "serving" / "busy.py").write_text(starts)
    stage.target.start(release)
    assert holder(stage, "aaa").parent() not in zygotes(stage)
    (log,) = stage.settings.logs.glob("zygote-*.log")
    assert "start on their own: it has started threads" in log.read_text()


IMPORTED = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("zygote", sys.argv[1])
zygote = module_from_spec(spec)
spec.loader.exec_module(zygote)
zygote._import_all({"code": sys.argv[2], "imports": sys.argv[3:], "manifest": "/nowhere"})
print(*sys.modules)
"""


@pytest.mark.parametrize("library", ["pandas", "numpy"])
def test_it_has_imported_what_every_release_imports_and_what_a_table_needs_only_with_pandas(library: str) -> None:
    """What a fork imports, and the list of libraries that it searches, is memory of its own."""
    package = Path(zygote.__file__).parents[3]
    command = [sys.executable, "-c", IMPORTED, zygote.__file__, str(package), library]
    loaded = set(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
    assert {f"serving.hosting.{name}" for name in ("liveness", "server", "uvicorn_server", "outer_app")} <= loaded
    assert {"prometheus_client.parser", "bentoml._internal.utils.telemetry", "threadpoolctl"} <= loaded
    assert ("serving.values.frames" in loaded) == ("serving.values.blocks" in loaded) == (library == "pandas")
    assert ("pandas" in loaded) == (library == "pandas")
