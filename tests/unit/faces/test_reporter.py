"""Events of a running job: steps, progress of runs, output; and the working directory of its process."""

from queue import Queue
from threading import Event
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import InvalidInput, StoreError
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.jobs import killed_problem, shown_request
from jupyter_deploy.domain.requests import DeployRequest, ListRequest, Step
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.server.jobs.folders import folder_of
from jupyter_deploy.faces.server.jobs.reporter import reporting
from jupyter_deploy.settings import Settings, load_settings
from jupyter_deploy.system.folder_agreements import agree, content_digest
from jupyter_deploy.system.output_redirection import lines_of
from jupyter_deploy.targets.local.settings import LocalSettings


def underway(cell, state="running", run=0):
    return Underway(run=run, title="checks", state=state, cell=cell, cells=9)


def test_steps_are_written_at_once_and_numbered_after_those_of_the_kernel():
    heard = Queue()
    with reporting(lambda *news: heard.put(news), before=3) as report:
        report(Step(number=1, total=2, title="building"))
        assert heard.get(timeout=60) == ("step", {"number": 4, "total": 5, "title": "building"})


def test_the_operation_does_not_wait_for_the_disk_and_the_end_waits_for_all_events():
    heard, disk = [], Event()

    def tell(_kind, data):
        assert disk.wait(60)
        heard.append(data["number"])

    with reporting(tell) as report:
        for number in (1, 2, 3):
            report(Step(number=number, total=3, title="building"))
        assert heard == []
        disk.set()
    assert heard == [1, 2, 3]


def test_start_and_end_of_a_run_are_written_at_once_and_its_latest_cell_in_any_case():
    heard = Queue()
    with reporting(lambda kind, data: heard.put((data["state"], data["cell"]))) as report:
        report(underway(0))
        assert heard.get(timeout=60) == ("running", 0)
        for cell in range(1, 8):
            report(underway(cell))
    assert [*heard.queue][-1] == ("running", 7)
    with reporting(lambda kind, data: heard.put((data["state"], data["cell"]))) as report:
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
def test_printed_lines_are_logged_as_a_terminal_shows_them_at_the_end(printed, shown):
    assert lines_of(printed) == shown


def test_a_request_is_shown_without_secret_parameters_in_any_form():
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
def test_no_secret_of_yaml_parameters_is_shown_in_any_layout(given, shown):
    assert shown_request({"parameters_yaml": [given]}) == {"parameters_yaml": [shown]}


@pytest.fixture
def notebook(tmp_path):
    (tmp_path / "train.ipynb").touch()
    return tmp_path / "train.ipynb"


def test_a_job_works_in_the_folder_of_its_notebook_or_of_its_snapshots_notebook(notebook):
    source = SimpleNamespace(notebook=str(notebook))
    known = SimpleNamespace(manifest=SimpleNamespace(provenance=SimpleNamespace(source=source)))
    endpoint = SimpleNamespace(
        traffic=SimpleNamespace(stable="churn:abc"),
        releases=[SimpleNamespace(tag="churn:abc"), SimpleNamespace(tag="churn:new")],
    )
    store = SimpleNamespace(
        remembered=lambda tag: known if tag == "churn:abc" else None,
        endpoint=lambda name: endpoint if name == "churn" else None,
    )
    folder = notebook.parent
    assert folder_of(DeployRequest(source=str(notebook)), store) == folder
    assert folder_of(DeployRequest(source="churn:abc"), store) == folder
    assert folder_of(DeployRequest(source="churn:other"), store) is None
    assert folder_of(ValidateRequest(notebooks=(str(notebook),)), store) == folder
    assert folder_of(ValidateRequest(notebooks=(str(folder),)), store) == folder
    assert folder_of(ValidateRequest(notebooks=("train.ipynb",)), store) is None  # of which folder?
    assert folder_of(PublishRequest(name="churn"), store) == folder
    assert folder_of(PublishRequest(name="churn", release="churn:new"), store) is None
    assert folder_of(PublishRequest(name="other"), store) is None
    assert folder_of(ListRequest(), store) is None


def test_only_the_validations_of_a_notebooks_nbdeploy_yaml_are_read(tmp_path, monkeypatch):
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


def test_the_other_settings_apply_after_the_users_agreement_to_this_content(tmp_path, monkeypatch):
    monkeypatch.delenv("NBDEPLOY_PORT", raising=False)
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    file = folder / "nbdeploy.yaml"
    file.write_text("home: /elsewhere\nBENTOML_HOME: /elsewhere\nport: 1234\nkeep_revisions: 7\n")
    default = load_settings(notebook_folder=folder, home=home)
    assert default.keep_revisions == 3
    agree(home, folder, content_digest(file.read_bytes()))
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, tmp_path / "link"):
        settings = load_settings(notebook_folder=path, home=home)
        assert (settings.keep_revisions, settings.for_target(LocalSettings).port) == (7, 1234)
        assert (settings.home, settings.bentoml_home) == (default.home, default.bentoml_home)
    assert load_settings(notebook_folder=folder).keep_revisions == 3  # no home: nobody has agreed
    (kept,) = (home / "agreements").iterdir()
    assert [one.stat().st_mode & 0o777 for one in (kept, kept.parent, home)] == [0o600, 0o700, 0o700]
    kept.write_text("[")
    assert load_settings(notebook_folder=folder, home=home).keep_revisions == 3
    agree(home, folder, content_digest(file.read_bytes()))
    file.write_text(file.read_text() + "standby: false\n")
    assert load_settings(notebook_folder=folder, home=home).keep_revisions == 3


def test_an_agreement_that_cannot_be_stored_says_where(tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write into .*agreements"):
        agree(tmp_path / "home", tmp_path, "0")


def test_the_problem_of_a_killed_job_names_its_step():
    job = SimpleNamespace(state="running", step="starting churn", kernel=None)
    assert "during the step “starting churn”" in killed_problem(job).detail
    assert "“" not in killed_problem(SimpleNamespace(state="running", step="", kernel=None)).detail
