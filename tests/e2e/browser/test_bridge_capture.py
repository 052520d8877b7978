"""A job's model captured by a real kernel, silently, as JupyterLab has it done."""

import json
import os
import sys

import pytest

from jupyter_deploy.domain.jobs import ENDED
from jupyter_deploy.faces.server.jobs.job_runner import JobRunner
from jupyter_deploy.wiring import Wiring
from tests import notebooks
from tests.conftest import make_home
from tests.e2e.conftest import TRAIN, until
from tests.kernels import kernel

CELLS = (
    TRAIN % 1.0,
    "X_train = X\nX_test = X[150:]",
    "accuracy = clf.score(X_test, y[150:])",
    "1 / 0",
    "%load_ext jupyter_deploy",
)
REQUEST = {"name": "churn", "model": "clf", "example": "X_test[:5]"}


class Notebook:
    """A notebook that ran in a kernel of its own, and the ports of its home; ``clicked``: the job of its first capture.

    ``before`` are the snapshots that were there before a test.
    """

    def __init__(self, home, folder):
        self.home, self.folder = home, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = notebooks.write(folder / "train.ipynb", *CELLS)
        self.document = self.path.read_bytes()
        self.environment = {**home.environment, "JPY_SESSION_NAME": str(self.path)}
        self.clicked = self.kernel = None
        self.before = ()

    def wait_for(self, **request):
        """A job that waits for this kernel."""
        document = {**REQUEST, **request}
        title = f"deploy {document['model']} as {document['name']}"
        return self.jobs.create("deploy", document, title=title, endpoint=document["name"], state="waiting")

    @property
    def jobs(self):
        return Wiring().ports.jobs


@pytest.fixture(scope="module")
def shared_notebook(shared_home, tmp_path_factory):
    """One home and one kernel for all tests; its model was captured before any other cell ran."""
    notebook = Notebook(shared_home, tmp_path_factory.mktemp("bridge") / "project")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in shared_home.environment.items():
            monkeypatch.setenv(name, value)
        with kernel(notebook.environment, notebook.folder) as notebook.kernel:
            notebook.kernel.run(*CELLS, check=False)
            notebook.kernel.printed()
            job = notebook.wait_for()
            notebook.clicked = job, notebook.kernel.ask("capture", job.id), notebook.kernel.printed()
            yield notebook


@pytest.fixture
def notebook(shared_notebook):
    for other in shared_notebook.folder.glob("*.ipynb"):
        other.unlink()
    shared_notebook.path.write_bytes(shared_notebook.document)
    shared_notebook.before = ()
    shared_notebook.before = leftovers(shared_notebook)
    return shared_notebook


@pytest.fixture
def running(notebook):
    notebook.kernel.printed()
    return notebook.kernel


def told(notebook, job, kind):
    return [event.data for event in notebook.jobs.events(job_id=job.id) if event.kind == kind]


def leftovers(notebook):
    models = notebook.home.path / "bentoml" / "models"
    return [path.name for path in models.glob("*/*") if path.name not in notebook.before]


def test_what_a_kernel_captured_is_deployed_by_a_process_of_its_own(notebook):
    job, answer, printed = notebook.clicked
    assert (answer["job"], answer["state"]) == (job.id, "queued")
    assert printed == []
    captured = notebook.jobs.job(job.id)
    assert captured.request["source"] == answer["tag"]
    assert captured.interpreter == sys.executable
    assert [step["number"] for step in told(notebook, job, "step")] == [1, 2, 3]
    runner = JobRunner(notebook.home.path / "nbdeploy")
    runner.open()
    try:
        until(lambda: notebook.jobs.job(job.id).state in ENDED, 180)
    finally:
        runner.close()
    ended = notebook.jobs.job(job.id)
    assert (ended.state, ended.problem) == ("done", None)
    assert ended.result["release"] == answer["tag"]
    assert [(step["number"], step["total"]) for step in told(notebook, job, "step")] == [(n, 5) for n in range(1, 6)]
    described = notebook.home.json("describe", "churn")
    assert described["traffic"]["stable"] == answer["tag"]


def test_the_snapshot_is_the_one_that_the_magic_makes(notebook, tmp_path):
    _, answer, _ = notebook.clicked
    clicked = Wiring().ports.store.remembered(answer["tag"]).manifest
    other = make_home(tmp_path / "other")
    magic = '%deploy clf --name churn --example "X_test[:5]"'
    with kernel({**other.environment, "JPY_SESSION_NAME": str(notebook.path)}, notebook.folder) as made:
        made.run(*CELLS, check=False)
        try:
            made.run(magic)
            (found,) = other.json("list")
            document = other.json("describe", "churn")
            assert found["name"] == "churn"
            tag = document["traffic"]["stable"]
        finally:
            other.down()
    assert tag == answer["tag"]
    from jupyter_deploy.store.store import SqliteStore

    typed = SqliteStore(other.path / "nbdeploy", "somebody").remembered(tag).manifest
    fleeting = {"provenance", "findings"}
    assert clicked.model_dump(exclude=fleeting) == typed.model_dump(exclude=fleeting)
    assert clicked.training is not None
    assert clicked.metrics == {"accuracy": clicked.metrics["accuracy"]}
    one, two = clicked.provenance, typed.provenance
    assert [cell.strip() for cell in one.cells] == [cell.strip() for cell in CELLS]
    assert two.cells == (*one.cells, magic)
    assert (one.in_cell, two.in_cell) == (False, True)
    same = {"source", "notebook_sha256", "git", "user"}
    assert one.model_dump(include=same) == two.model_dump(include=same)
    assert set(one.distributions) == set(two.distributions)
    assert {finding.check for finding in clicked.findings} == {finding.check for finding in typed.findings}


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"name": "Churn"}, "invalid_name", "try 'churn'"),
        ({"model": "cfl"}, "unknown_source", "did you mean clf"),
        ({"example": "X_test[['age']]"}, "invalid_example", "'weight', which the example lacks"),
        ({"name": "first", "role": "shadow"}, "invalid_input", "the first release of an endpoint is stable"),
        ({"gate": ["accuracy >"]}, "invalid_input", "at character"),
        ({"validate": ["nowhere.ipynb"]}, "unknown_source", "nowhere.ipynb"),
        ({"model": None}, "invalid_input", "names no variable that holds the model"),
    ],
)
def test_what_cannot_be_captured_fails_the_job_in_words(notebook, running, request_, code, words):
    job = notebook.wait_for(**request_)
    answer = running.ask("capture", job.id)
    ended = notebook.jobs.job(job.id)
    assert (answer["state"], ended.state) == ("failed", "failed")
    assert answer["problem"]["code"] == ended.problem.code == code
    assert words in json.dumps(answer["problem"], ensure_ascii=False)
    assert running.printed() == []
    assert leftovers(notebook) == []


def test_a_notebook_that_was_renamed_since_its_kernel_began_is_known_by_its_present_name(notebook, running):
    renamed = notebook.path.rename(notebook.path.with_name("renamed.ipynb"))
    assert captured_from(notebook, running, renamed, 1) == str(renamed)


def test_a_path_that_is_none_where_the_kernel_runs_is_not_believed(notebook, running):
    assert captured_from(notebook, running, "/another/machine/train.ipynb", 2) == str(notebook.path)


def test_a_notebook_that_was_renamed_while_its_job_waited_is_known_by_its_present_name(notebook, running):
    job, before = waits_for_adder(notebook, running, 3), str(notebook.path)
    notebook.jobs.request_capture(job.id, os.getpid(), before)
    renamed = str(notebook.path.rename(notebook.path.with_name("renamed.ipynb")))
    assert notebook.jobs.request_capture(job.id, os.getpid(), renamed).notebook == renamed
    answer = running.ask("capture", job.id, before)
    assert Wiring().ports.store.remembered(answer["tag"]).manifest.provenance.source.notebook == renamed


def waits_for_adder(notebook, running, number):
    """A job for a model that no other test captures: one that is stored already keeps its source."""
    running.run(f"def adder(x: int):\n    return x + {number}")
    return notebook.wait_for(name="adder", model="adder", example="5")


def captured_from(notebook, running, path, number):
    """The notebook that a snapshot says it is of."""
    answer = running.ask("capture", waits_for_adder(notebook, running, number).id, str(path))
    return Wiring().ports.store.remembered(answer["tag"]).manifest.provenance.source.notebook


def test_a_job_that_waits_no_more_is_left_alone(notebook, running):
    job = notebook.wait_for()
    notebook.jobs.end(job.id, "cancelled")
    answer = running.ask("capture", job.id)
    assert answer["problem"]["code"] == "conflict"
    assert notebook.jobs.job(job.id).state == "cancelled"
    unknown = running.ask("capture", "nobody")
    assert unknown["problem"]["code"] == "unknown_job"
    assert str(notebook.home.path / "nbdeploy") in unknown["problem"]["remedy"]


SLOW = """
import pathlib, time
def slow(x: int):
    print("asked with", x, "password = 'hunter2hunter2'")
    pathlib.Path({flag!r}).touch()
    time.sleep({seconds})
    return x
"""
ASK_SLOW = {"name": "slow", "model": "slow", "example": "5", "waive": ["secrets"], "reason": "a test's own"}


@pytest.mark.parametrize("way", ["cancelled elsewhere", "interrupted"])
def test_a_capture_ends_when_its_job_is_cancelled_or_the_kernel_interrupted(notebook, running, way):
    flag = notebook.folder / f"{way} flag"
    running.run(SLOW.format(flag=str(flag), seconds=600))
    job = notebook.wait_for(**ASK_SLOW)
    asked = running.begin_asking("capture", job.id)
    until(flag.exists, 120)
    if way == "interrupted":
        running.interrupt()
    else:
        notebook.jobs.end(job.id, "cancelled")
    assert running.result(asked)["state"] == "cancelled"
    assert notebook.jobs.job(job.id).state == "cancelled"
    assert running.run("print(1 + 1)") == "2\n"
    assert leftovers(notebook) == []


def test_a_capture_ends_while_the_clean_process_is_waited_for(notebook, running):
    flag = notebook.folder / "flag of the clean process"
    in_kernel = "__name__ == '__main__' and 'ipykernel' in sys.modules"
    slow = SLOW.format(flag=str(flag), seconds=f"0 if {in_kernel} else 600")
    running.run("import sys" + slow.replace(").touch()", f" + (' not' if {in_kernel} else '')).touch()"))
    job = notebook.wait_for(**ASK_SLOW)
    asked = running.begin_asking("capture", job.id)
    until(flag.exists, 120)
    assert notebook.jobs.job(job.id).step.startswith("replaying it")
    notebook.jobs.end(job.id, "cancelled")
    assert running.result(asked)["state"] == "cancelled"
    assert leftovers(notebook) == []


def test_what_a_model_prints_is_in_the_jobs_log_without_secrets_and_not_in_the_notebook(notebook, running):
    running.run(SLOW.format(flag=str(notebook.folder / "flag"), seconds=0))
    job = notebook.wait_for(**ASK_SLOW)
    assert running.ask("capture", job.id)["state"] == "queued"
    assert running.printed() == []
    log = "".join(data["text"] for data in told(notebook, job, "log"))
    assert "asked with 5" in log
    assert "hunter2hunter2" not in log
