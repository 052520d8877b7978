"""Several workers of a container: they share the model and behave like one process."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from jupyter_deploy import serving
from tests.contract.contained import RIGHT, ROW, built, container
from tests.e2e.conftest import until

pytestmark = pytest.mark.exhaustive

TWO = {"NBDEPLOY_WORKERS": "2"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("contained")


@pytest.fixture(scope="module")
def churn(home):
    return built(home, "churn")


def workers(running):
    """Return the worker processes: the children of the pool's process."""
    (pool,) = psutil.Process(running.process.pid).children()
    return pool.children()


def gauge(running, name):
    """Return the requests that all workers run together."""
    lines = running.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"nbdeploy_requests_{name} "))


def predictions(running):
    """Return the response to a request on a connection of its own."""
    with httpx.Client(base_url=running.client.base_url, timeout=60, trust_env=False) as client:
        return client.post("/predict", json={"instances": [ROW]}).json()["predictions"]


def test_it_is_ready_when_all_workers_are_and_logs_their_number(churn, tmp_path):
    gate = tmp_path / "gate"
    own = {"LOADED_WHEN": str(gate), "NBDEPLOY_RECORDS": "stdout", "NBDEPLOY_THREADS": "1", **TWO}
    with container(churn, tmp_path / "run", ready=False, **own) as running:
        running.until("/livez", 200)
        assert running.until("/readyz", 503).json()["detail"] == "the model is being loaded"
        gate.touch()
        running.until("/readyz", 200)
        assert len(workers(running)) == 2
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: predictions(running), range(40)))
        assert answers == [[RIGHT]] * 40
        said = running.said()
        ready = [line["message"] for line in said if "is ready" in line.get("message", "")]
        assert len(ready) == 1
        assert f"is ready on port {running.port} with 2 workers of 1 thread each; records go to stdout" in ready[0]
        assert len([line for line in said if line.get("role") == "direct"]) == 40
        (total,) = [
            line for line in running.get("/metrics").text.splitlines() if 'nbdeploy_requests_total{role="direct' in line
        ]
        assert total.endswith(" 40.0"), "of both together"
        assert running.end() == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["stderr", "stdout"]


def test_a_killed_worker_is_replaced_and_the_others_continue(churn, tmp_path):
    with container(churn, tmp_path, **TWO) as running:
        first = workers(running)
        first[0].kill()
        until(lambda: len({one.pid for one in workers(running)} - {one.pid for one in first}) == 1)
        assert [predictions(running) for _ in range(20)] == [[RIGHT]] * 20
        (line,) = [one for one in running.said() if one["level"] == "warning"]
        assert f"(process {first[0].pid}) was killed by SIGKILL" in line["message"]
        assert running.end() == 0
    assert not psutil.wait_procs(first, timeout=60)[1]


def test_on_sigterm_all_workers_complete_requests_in_progress_and_accept_no_others(home, tmp_path):
    gate = tmp_path / "gate"
    own = {"NBDEPLOY_GRACE_SECONDS": "600", **TWO}
    with container(built(home, "waits"), tmp_path / "run", **own) as running, ThreadPoolExecutor() as others:
        under_way = [others.submit(running.predict, str(gate)) for _ in range(4)]
        until(lambda: gauge(running, "running") + gauge(running, "waiting") == 4)
        serving = workers(running)
        running.process.send_signal(signal.SIGTERM)
        while running.get("/livez") is not None:  # until connections are refused
            pass
        assert running.process.poll() is None
        gate.touch()
        assert [one.result().json() for one in under_way] == [{"predictions": [str(gate)]}] * 4
        assert running.process.wait(60) == 0
    assert not psutil.wait_procs(serving, timeout=60)[1]


def test_on_sigterm_during_the_load_workers_exit_at_once(churn, tmp_path):
    with container(churn, tmp_path, ready=False, LOADED_WHEN=str(tmp_path / "never"), **TWO) as running:
        running.until("/livez", 200)
        assert running.end() == 0


def test_a_failed_start_of_a_worker_ends_the_container_with_the_same_code(churn, tmp_path):
    with container(churn, tmp_path / "other", ready=False, ANSWERS_OTHERWISE="0.5", **TWO) as running:
        assert running.process.wait(120) == 3
        assert "does not answer its example as the notebook did" in running.out.read_text()
    with container(churn, tmp_path / "broken", ready=False, LOADING_FAILS="1", **TWO) as running:
        assert running.process.wait(120) == 1
        assert "the weights are broken" in running.out.read_text()


def test_a_model_with_packed_files_is_loaded_by_each_worker(home, tmp_path):
    with container(built(home, "table"), tmp_path / "run", **TWO) as running:
        assert running.predict(ROW).status_code == 200
        assert "the model cannot be shared: it has files of its own" in running.out.read_text()
        assert len(list((tmp_path / "run").glob("nbdeploy-workplace-*"))) == 2
        assert running.end() == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["stderr", "stdout"]


WRITERS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from serving import output
output.share_output_lock()
for number in range(3):
    if not os.fork():
        for _ in range(50):
            output.write_lines(b"%d" % number * 200_000 + b"\\n")
        os._exit(0)
"""


def test_long_lines_of_several_workers_stay_whole_in_a_pipe():
    package = str(Path(serving.__file__).parents[1])
    ended = subprocess.run([sys.executable, "-c", WRITERS, package], capture_output=True, check=True)
    lines = ended.stdout.splitlines()
    assert sorted({len(line) for line in lines}) == [200_000]
    assert [len(set(line)) for line in lines] == [1] * 150
