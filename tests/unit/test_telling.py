"""What is told of a job while it runs: steps, news of runs, what is printed, and where its process works."""

from queue import Queue
from threading import Event
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.jobs import gone, shown_request
from jupyter_deploy.domain.requests import DeployRequest, ListRequest, Step
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.server.jobs.folders import folder_of
from jupyter_deploy.faces.server.jobs.reporter import telling
from jupyter_deploy.settings import Settings, load_settings
from jupyter_deploy.system.output_redirection import lines_of
from jupyter_deploy.targets.local.settings import LocalSettings


def underway(cell, state="running", run=0):
    return Underway(run=run, title="checks", state=state, cell=cell, cells=9)


def test_steps_are_told_at_once_and_counted_on_from_those_of_the_kernel():
    heard = Queue()
    with telling(lambda *news: heard.put(news), before=3) as report:
        report(Step(number=1, total=2, title="building"))
        assert heard.get(timeout=60) == ("step", {"number": 4, "total": 5, "title": "building"})


def test_whoever_reports_does_not_wait_for_the_disk_and_the_end_waits_for_all():
    heard, disk = [], Event()

    def tell(_kind, data):
        assert disk.wait(60)
        heard.append(data["number"])

    with telling(tell) as report:
        for number in (1, 2, 3):
            report(Step(number=number, total=3, title="building"))
        assert heard == []
        disk.set()
    assert heard == [1, 2, 3]


def test_that_a_run_began_or_ended_is_told_at_once_and_its_latest_cell_in_any_case():
    heard = Queue()
    with telling(lambda kind, data: heard.put((data["state"], data["cell"]))) as report:
        report(underway(0))
        assert heard.get(timeout=60) == ("running", 0)
        for cell in range(1, 8):
            report(underway(cell))
    assert [*heard.queue][-1] == ("running", 7)
    with telling(lambda kind, data: heard.put((data["state"], data["cell"]))) as report:
        report(underway(8))
        report(underway(9, "pass"))
        while heard.get(timeout=60) != ("pass", 9):
            pass


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"one\ntwo\n", "one\ntwo"),
        (b"\x1b[31mred\x1b[0m \n", "red"),
        (b" 10%\r 50%\r100%\nnext", "100%\nnext"),
        (b"dos\r\n", "dos"),
        (b"\n\n", ""),
        (b"\xff\n", "\ufffd"),
    ],
)
def test_printed_lines_are_shown_as_a_terminal_would_at_the_end(printed, shown):
    assert lines_of(printed) == shown


def test_a_request_is_shown_without_secret_parameters_however_they_are_written():
    request = {
        "parameter": {"api_key": "x", "rows": 5},
        "matrix": ["password=a,b", "seed=1,2"],
        "parameters_yaml": "token: x",
        "trust": True,
        "source": None,
    }
    assert shown_request(request) == {
        "parameter": {"api_key": "(hidden)", "rows": 5},
        "matrix": ["password=(hidden)", "seed=1,2"],
        "parameters_yaml": ["token: (hidden)"],
        "trust": True,
        "source": None,
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("password: |\n  hunter2\n  hunter3\nrows: 5", "password: (hidden)\nrows: 5"),
        ("db:\n  secret:\n  - hunter2\n  port: 1", "db:\n  secret: (hidden)\n  port: 1"),
        ("- token: hunter2\n  rows: 5", "- token: (hidden)\n  rows: 5"),
        ('api_key: "hunter2\nhunter3"\nrows: 5', "api_key: (hidden)\nrows: 5"),
        ('{\n "password": "hunter2",\n "rows": 5}', '{\n "password": (hidden)\n "rows": 5}'),
        ("db: {password: hunter2}\nrows: 5", "(hidden)"),
        ("rows: 5\nmax_tokens: 7", "rows: 5\nmax_tokens: 7"),
    ],
)
def test_of_parameters_in_yaml_no_secret_is_shown_however_it_is_laid_out(given, shown):
    assert shown_request({"parameters_yaml": [given]}) == {"parameters_yaml": [shown]}


@pytest.fixture
def notebook(tmp_path):
    (tmp_path / "train.ipynb").touch()
    return tmp_path / "train.ipynb"


def test_a_job_works_in_the_folder_of_its_notebook_or_of_the_one_that_its_snapshot_came_from(notebook):
    source = SimpleNamespace(notebook=str(notebook))
    known = SimpleNamespace(manifest=SimpleNamespace(provenance=SimpleNamespace(source=source)))
    store = SimpleNamespace(remembered=lambda tag: known if tag == "churn:abc" else None)
    folder = notebook.parent
    assert folder_of(DeployRequest(source=str(notebook)), store) == folder
    assert folder_of(DeployRequest(source="churn:abc"), store) == folder
    assert folder_of(DeployRequest(source="churn:other"), store) is None
    assert folder_of(ValidateRequest(notebooks=(str(notebook),)), store) == folder
    assert folder_of(ValidateRequest(notebooks=(str(folder),)), store) == folder
    assert folder_of(ValidateRequest(notebooks=("train.ipynb",)), store) is None  # of which folder?
    assert folder_of(ListRequest(), store) is None


def test_beside_a_notebook_only_what_must_hold_of_a_model_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_PORT", "8999")
    file = tmp_path / "nbdeploy.yaml"
    file.write_text(
        "home: /elsewhere\nenvoy: /bin/false\nport: 1234\nnonsense: 1\nvalidate:\n- gates: [agreement >= 0.9]\n"
    )
    settings = load_settings(notebook_folder=tmp_path)
    assert [spec.gates for spec in settings.validate] == [("agreement >= 0.9",)]
    local = settings.for_target(LocalSettings)
    assert (local.port, local.envoy) == (8999, None)
    assert settings.home == Settings.model_fields["home"].get_default(call_default_factory=True)
    file.write_text("validate: 5\n")
    with pytest.raises(InvalidInput, match="a setting is wrong"):
        load_settings(notebook_folder=tmp_path)
    file.unlink()
    assert load_settings(notebook_folder=tmp_path).validate == ()


def test_what_is_said_of_a_killed_job_names_its_step():
    job = SimpleNamespace(state="running", step="starting churn", kernel=None)
    assert "during the step “starting churn”" in gone(job).detail
    assert "“" not in gone(SimpleNamespace(state="running", step="", kernel=None)).detail
