"""What runs in an image, in a container without rights and without a folder to write to."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.contained import RIGHT, ROW, built, lines
from tests.e2e.engine import Engine, running

pytestmark = pytest.mark.exhaustive

ENOUGH = "1g"
TOO_MUCH = 1 << 13  # MiB


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("contained")


@pytest.fixture(scope="module")
def bento(home):
    """The folder of a model's bento, to be read by any user, as it is in an image."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = built(home, name).path
            for path in [home, *home.rglob("*")]:
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        return made[name]

    return of


def test_it_runs_without_rights_and_without_a_folder_to_write_to(engine, bento, home):
    with running(engine, bento("churn"), home) as one:
        one.until_ready()
        assert one.predict(ROW).json() == {"predictions": [RIGHT]}
        assert "nbdeploy_requests_total" in one.client.get("/metrics").text
        assert one.client.get("/openapi.json").status_code == 200
        engine.stop(one.name, 10)
        code, (said,) = one.ended()
    assert code == 0
    assert "no records are kept" in said["message"]


def test_on_sigterm_it_ends_in_time_whatever_its_clients_do(engine, bento, home, tmp_path):
    with running(engine, bento("waits"), home) as one, ThreadPoolExecutor() as others:
        one.until_ready()
        hanging = others.submit(one.predict, "/never")
        with httpx.Client(base_url=one.client.base_url, trust_env=False) as other:
            while "nbdeploy_requests_running 1.0" not in other.get("/metrics").text:
                pass
        engine.stop(one.name, 10)
        code, said = one.ended()
        assert (hanging.result().status_code, hanging.result().json()["detail"]) == (
            503,
            "the service is shutting down",
        )
    assert code == 0, "137: it was killed"
    assert said[-1]["message"] == "requests in progress are aborted: the time for the shutdown is over"


def test_packed_files_need_a_folder_and_it_says_so(engine, bento, home):
    with running(engine, bento("table"), home) as one:
        code, (said,) = one.ended()
    assert code == 1
    assert said["message"].startswith("the model has packed files, and there is no writable folder for the copies")
    with running(engine, bento("table"), home, "--tmpfs=/tmp:mode=1777") as one:
        one.until_ready()
        assert one.predict(ROW).status_code == 200


def test_records_go_to_a_mounted_folder_that_is_somebody_elses(engine, bento, home, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    folder.chmod(0o1777)
    with running(engine, bento("churn"), home, f"--volume={folder}:/records") as one:
        one.until_ready()
        assert one.predict(ROW).status_code == 200
        (record,) = [line for file in folder.glob("*.jsonl") for line in lines(file.read_text())]
        engine.stop(one.name, 10)
        _, (said,) = one.ended()
    assert (record["inputs"], record["outputs"]) == ([ROW], [RIGHT])
    assert said["message"].endswith("records go to /records (full)")


def test_a_folder_for_records_that_it_may_not_write_to_ends_it(engine, bento, home, tmp_path):
    with running(engine, bento("churn"), home, f"--volume={tmp_path}:/r:ro", "--env=NBDEPLOY_RECORDS=/r") as one:
        code, (said,) = one.ended()
    assert code == 2
    assert said["message"].startswith("NBDEPLOY_RECORDS=/r: no folder that this user may write to")


def test_a_port_that_needs_a_right_ends_it(engine, bento, home):
    with running(engine, bento("churn"), home, port=81) as one:
        code, (said,) = one.ended()
    assert code == 2
    assert said["message"] == ("cannot listen on port 81: this user may not listen there; use a port from 1024")


def test_beyond_its_memory_it_is_refused_or_killed_and_answers_nothing_wrong(engine, bento, home):
    with running(engine, bento("greedy"), home, f"--memory={ENOUGH}", f"--memory-swap={ENOUGH}") as one:
        one.until_ready()
        assert one.predict(10).json() == {"predictions": [10]}
        try:
            assert one.predict(TOO_MUCH).status_code == 503
        except httpx.TransportError:
            code, _ = one.ended()
            assert code == 137
        else:
            assert one.predict(10).json() == {"predictions": [10]}


def test_its_share_of_the_processors_decides_over_threads_also_of_several_workers(engine, bento, home):
    several = ["--env=NBDEPLOY_WORKERS=2", "--tmpfs=/tmp:mode=1777"]
    for more, told in (([], "with 1 thread"), (several, "with 2 workers of 1 thread each")):
        with running(engine, bento("counted"), home, "--cpus=1", *more) as one:
            one.until_ready()
            assert one.predict(True).json() == {"predictions": [1]}
            engine.stop(one.name, 10)
            code, said = one.ended()
        assert code == 0
        assert f"is ready on port {one.port} {told}; no records" in said[-1]["message"]
