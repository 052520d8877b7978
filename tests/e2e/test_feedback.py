"""Ground truth behind a running endpoint: posted while workers are killed, joined, and measured by."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

import httpx
import nbformat
import pytest

from jupyter_deploy.records.records import FEEDBACK_COLUMNS, database, lines_of
from jupyter_deploy.records.segments import readable, reading
from tests.e2e.conftest import until
from tests.e2e.processes import processes, words

pytestmark = pytest.mark.timeout(600)  # whichever test is first waits for two models to be captured and deployed

CHECK = [
    "from jupyter_deploy import metric, model, recorded",
    'live = recorded()\nfeatures = live.attrs["features"]\nknown = live[live["actual"].notna()]',
    'right = model().predict(known[features]) == known["actual"]\nmetric("accuracy", rows=right)\n'
    'metric("served", rows=known["predicted"] == known["actual"])',
]


def really(instance):
    return "yes" if instance["age"] + instance["weight"] > 120 else "no"


INSTANCES = [[{"age": 20 + number, "weight": 71.5}, {"age": 79 - number, "weight": 60.5}] for number in range(40)]


@pytest.fixture(scope="module")
def told(shared_home, snapshots, tmp_path_factory):
    """An endpoint with a much worse shadow, 40 requests of two rows, and a file with the truth of 30 of them."""
    tags, shared_home.environment["BENTOML_HOME"] = snapshots
    url, _ = (shared_home.json("deploy", tags[c], "--trust")["url"] for c in (1.0, 0.0001))
    with httpx.Client(trust_env=False) as client:
        for number, instances in enumerate(INSTANCES):
            answer = client.post(
                f"{url}/predict", json={"instances": instances}, headers={"x-request-id": f"r{number}"}
            )
            answer.raise_for_status()
    path = tmp_path_factory.mktemp("truth") / "truth.csv"
    lines = [f"r{number},{row},{really(one)}" for number in range(30) for row, one in enumerate(INSTANCES[number])]
    path.write_text("\n".join(["request_id,row,actual", *lines]))
    return url, path


def workers(home, tag):
    """Process ids of a release's workers in this home: another test may serve the same snapshot."""
    version = tag.partition(":")[2]
    lines = {process.pid: words(process) for process in processes(home)}
    found = [pid for pid, line in lines.items() if "--uds" in line]
    return [pid for pid in found if any(version in Path(word).parts for word in lines[pid])]


def kept(home):
    """The number of stored lines for each request's id."""
    folder = Path(home.environment["NBDEPLOY_HOME"]) / "feedback" / "churn"
    with reading(folder), database(folder) as connection:
        lines = lines_of([segment.path for segment in readable(folder)], FEEDBACK_COLUMNS)
        return Counter(request_id for (request_id,) in connection.execute(f"SELECT request_id FROM {lines}").fetchall())


def test_acknowledged_feedback_survives_kill_9_and_is_stored_once(shared_home, told):
    home, (url, _) = shared_home, told
    stable = next(r["tag"] for r in home.json("describe", "churn")["releases"] if r["role"] == "stable")
    accepted, refused, killed = [], [], []
    for number in range(60):
        if number % 30 == 15:
            for pid in workers(home, stable):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        body = {"request_id": f"k{number}", "actual": number}
        answer = httpx.post(f"{url}/feedback", json=body, trust_env=False, timeout=60)
        if answer.status_code == 200:
            assert answer.headers["x-model-version"] == stable
            accepted.append(f"k{number}")
        else:
            refused.append((number, answer.status_code))
    assert len(set(killed)) == 2
    assert len(accepted) > 50
    assert {status for _, status in refused} <= {502, 503}
    found = kept(home)
    assert set(accepted) <= set(found)
    assert set(found.values()) == {1}  # a shadow would have written a second one into the same folder
    counts = home.json("feedback", "churn")
    assert (counts["posted"], counts["unknown"], counts["unreadable"]) == (len(found), len(found), 0)


def test_the_verb_sends_a_file_and_a_notebook_measures_candidate_and_stable_on_live_traffic(
    shared_home, snapshots, told, tmp_path
):
    home, (url, path) = shared_home, told
    before = sum(kept(home).values())
    first = home.json("feedback", "churn", "--data", path)
    assert (first["accepted"], first["posted"], first["repeated"]) == (60, before + 60, 0)
    until(lambda: set(home.json("feedback", "churn")["releases"].values()) == {60})  # a shadow may be behind
    again = home.run("feedback", "churn", "--data", path).stdout
    assert "60 accepted; 60 rows of churn with truth" in again
    assert "60: told again later, which counts" in again

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CHECK])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.nbdeploy = {"gates": ["accuracy >= stable - 0.01"], "traffic": "1h"}
    nbformat.write(notebook, tmp_path / "live.ipynb")
    ended = home.run("validate", tmp_path / "live.ipynb", "--snapshot", "churn", "-o", "json", check=False)
    assert ended.returncode == 1, ended.stderr
    (run,) = json.loads(ended.stdout)["runs"]
    assert run["status"] == "done", run
    candidate, stable = ({m["name"]: m for m in run[key]} for key in ("metrics", "stable_metrics"))
    assert (candidate["accuracy"]["n"], stable["accuracy"]["n"]) == (60, 60)
    assert stable["accuracy"]["value"] == stable["served"]["value"] == candidate["served"]["value"]
    assert candidate["accuracy"]["value"] < stable["accuracy"]["value"]
    assert run["gates"][0]["verdict"] == "fail"

    nothing = home.run("validate", tmp_path / "live.ipynb", "--traffic", "churn", "--since", "1s", check=False)
    assert nothing.returncode == 2
    assert "no request to churn was answered and recorded since" in nothing.stderr
    asked = ("--validate", tmp_path / "live.ipynb", "--gate", "accuracy >= stable + 0.5")
    refused = home.run("deploy", snapshots[0][0.001], "--trust", *asked, check=False)
    assert (refused.returncode, "stable 1.000 + 0.5" in refused.stderr) == (1, True), refused.stderr
    assert not list(Path("/tmp").glob(f"nbdeploy-recorded-{os.getpid()}-*"))

    home.run("traffic", "churn", "--record", "meta")
    answer = httpx.post(f"{url}/feedback", json={"request_id": "r1", "actual": 1}, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    refused = home.run("feedback", "churn", "--data", path, check=False)
    assert refused.returncode == 2
    assert "--record full" in refused.stderr
    assert home.json("feedback", "churn")["posted"] == before + 120
