"""The routes when processes are killed, and the modules that a Jupyter server loads for them."""

import signal

import psutil
import pytest

from tests.e2e.conftest import until
from tests.e2e.jupyter import events, jupyter_server
from tests.e2e.processes import words

pytestmark = pytest.mark.usefixtures("own_processes_throughout")

NOT_IN_THE_SERVER = {"pydantic", "pydantic_core", "httpx", "numpy", "bentoml", "jupyter_deploy.domain"}


def ours(processes, module):
    """Those that run one of our modules."""
    return [process for process in processes if f"jupyter_deploy.faces.{module}" in words(process)]


def the_worker(server):
    (found,) = ours(psutil.Process(server.pid).children(), "server.rest.worker")
    return found


def test_a_server_loads_no_heavy_modules_with_or_without_requests(home):
    with jupyter_server(home, python=("-X", "importtime")) as server:
        with server.client() as client:
            assert client.get("list").json() == []
            assert client.get("openapi.json").status_code == 200
            with client.stream("GET", "events") as stream:
                assert next(events(stream.iter_lines()))[0] == "endpoints"
        lines = list(server.lines)
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "jupyter_deploy.faces.server.rest.handlers" in loaded
    assert loaded & NOT_IN_THE_SERVER == set()


def test_a_server_without_requests_starts_no_process(home):
    with jupyter_server(home) as server:
        assert psutil.Process(server.pid).children(recursive=True) == []


def test_a_listener_comes_back_after_the_answering_process_was_killed(home):
    with jupyter_server(home) as server, server.client() as client:
        with client.stream("GET", "events") as stream:
            lines = events(stream.iter_lines())
            _, before, _ = next(lines)
            job = client.post("captures", json={"model": "clf"}).json()
            _, number, data = next(lines)
            assert (data["job"], data["data"]["state"]) == (job["id"], "waiting")
            the_worker(server).kill()
            assert list(lines) == []  # the stream ends, and is not left open for nothing
        with client.stream("GET", "events", headers={"Last-Event-ID": str(before)}) as stream:
            assert next(events(stream.iter_lines()))[1] == number


@pytest.mark.parametrize(
    "how",
    [pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive), signal.SIGKILL],
    ids=["terminated", "killed"],
)
def test_the_answering_process_and_the_spare_end_with_the_server(home, how):
    with jupyter_server(home) as server:
        with server.client() as client:
            assert client.get("list").status_code == 200
            worker = the_worker(server)
            (spare,) = until(lambda: ours(worker.children(), "server.jobs.process"))
        server.process.send_signal(how)
        server.process.wait()
        _, alive = psutil.wait_procs([worker, spare], timeout=120)
        assert alive == []


def test_a_job_outlives_its_server_and_the_next_server_tells_its_end(home, snapshots):
    tags, home.environment["BENTOML_HOME"] = snapshots
    with jupyter_server(home) as server, server.client() as client:
        job = client.post("deploy", json={"source": tags[1.0], "trust": True, "name": "churn"}).json()
        until(lambda: client.get(f"jobs/{job['id']}").json()["state"] == "running")
        server.kill()
    with jupyter_server(home) as server, server.client() as client:
        with client.stream("GET", "events", params={"after": "0"}) as stream:
            told = [
                data["data"]["state"]
                for event, _, data in ending(stream, job["id"])
                if event == "job" and data["kind"] == "state"
            ]
        assert told[-1] == "done", told
        assert client.get("describe", params={"name": "churn"}).json()["running"]


def ending(stream, job_id):
    """The events of a stream until a job has ended."""
    for event, number, data in events(stream.iter_lines()):
        yield event, number, data
        if event == "job" and data["job"] == job_id and data["data"].get("state") in ("done", "failed", "cancelled"):
            return
