"""The settings of a notebook's folder in forms, and the route by which a user agrees that jobs read them."""

import hashlib
import json

import pytest

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.jobs import ENDED
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.faces.server.rest.exchange import HttpRequest
from jupyter_deploy.faces.server.rest.router import Router
from jupyter_deploy.faces.views.requests import NotebookContextRequest, PublishFormRequest
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.system.folder_agreements import agree, content_digest
from jupyter_deploy.wiring import Wiring
from tests import manifests, notebooks
from tests.e2e.conftest import until
from tests.job_runners import opened
from tests.releases import release


@pytest.fixture
def ports(home, monkeypatch):
    """The ports of a server, which works elsewhere than where the notebooks lie."""
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.path)
    return Wiring().ports


@pytest.fixture
def notebook(tmp_path):
    """In a folder with a file of settings."""
    folder = tmp_path / "project"
    folder.mkdir()
    text = "publish_to: registry.example/team/{name}\nsign_key: cosign.key\nhome: /elsewhere\nvalidate: []\n"
    (folder / "nbdeploy.yaml").write_text(text)
    return notebooks.write(folder / "train.ipynb", "model = 1")


@pytest.fixture
def agrees(ports, tmp_path):
    """The answer of the route to an agreement."""
    router = Router(ports, None, tmp_path)

    def send(folder, digest):
        body = json.dumps({"folder": str(folder), "digest": digest}).encode()
        answer = router.answer(HttpRequest("POST", "agreements", body=body))
        return answer.status, json.loads(answer.body)

    return send


def shown(notebook, ports):
    return VIEWS["notebook_context"].function(NotebookContextRequest(path=str(notebook)), ports).settings


def test_the_dialog_shows_what_an_agreement_adds_until_the_user_agrees(ports, notebook, agrees):
    before = shown(notebook, ports)
    assert before.content == "publish_to: registry.example/team/{name}\nsign_key: cosign.key\n"
    assert (before.agreed, before.folder) == (False, str(notebook.parent))
    assert before.digest == hashlib.sha256((notebook.parent / "nbdeploy.yaml").read_bytes()).hexdigest()
    status, document = agrees(notebook.parent, before.digest)
    assert (status, document["agreed"]) == (200, True)
    assert shown(notebook, ports).agreed
    (notebook.parent / "nbdeploy.yaml").write_text("publish_to: elsewhere.example/{name}\n")
    assert not shown(notebook, ports).agreed


def test_a_user_agrees_to_what_was_shown_alone(ports, notebook, agrees):
    for folder, digest in ((notebook.parent, "0" * 64), ("project", shown(notebook, ports).digest), ("/nowhere", "")):
        status, problem = agrees(folder, digest)
        assert (status, problem["code"]) == (409, "settings_changed")
    assert not shown(notebook, ports).agreed


def test_a_folder_without_other_settings_asks_for_nothing(ports, notebook):
    (notebook.parent / "nbdeploy.yaml").write_text("home: /elsewhere\ntolerance: {float32_rtol: 0.1}\n")
    assert shown(notebook, ports) is None
    (notebook.parent / "nbdeploy.yaml").unlink()
    assert shown(notebook, ports) is None


def test_secrets_of_the_file_are_not_shown(ports, notebook):
    (notebook.parent / "nbdeploy.yaml").write_text("registry_password: hunter2\n")
    assert "hunter2" not in shown(notebook, ports).content


def test_a_publication_reads_the_folder_of_the_releases_notebook_after_the_agreement(ports, notebook, agrees):
    source = Source(notebook=str(notebook), variable="model")
    ports.store.save(Endpoint.first(release("1", name="price", source=source)), based_on=0, reason="", change="")
    known = manifests.snapshot("price:1")
    provenance = known.manifest.provenance.model_copy(update={"source": source})
    manifest = known.manifest.model_copy(update={"provenance": provenance})
    ports.store.remember(known.model_copy(update={"manifest": manifest}))

    def form():
        return VIEWS["publish_form"].function(PublishFormRequest(name="price"), ports)

    assert (form().to, form().settings.agreed) == ("", False)
    agrees(notebook.parent, form().settings.digest)
    assert (form().to, form().settings.agreed) == ("registry.example/team/price", True)


def test_a_job_reads_the_other_settings_once_the_user_has_agreed_to_them(shared_home, tmp_path):
    notebook = notebooks.write(tmp_path / "checks.ipynb", "from jupyter_deploy import metric\nmetric('accuracy', 0.5)")
    file = tmp_path / "nbdeploy.yaml"
    with opened(shared_home) as runner:

        def ended(text):
            file.write_text(f"home: {tmp_path}/elsewhere\n{text}")
            request = {"notebooks": [str(notebook)], "cold": True}
            job = runner.jobs.create("validate", request, title="validate", endpoint=None)
            runner.start(job)
            until(lambda: runner.jobs.job(job.id).state in ENDED, 120)
            return runner.jobs.job(job.id)

        before = ended("keep_revisions: -1\n")
        assert before.state == "done", before.problem
        agree(shared_home.path / "nbdeploy", tmp_path, content_digest(file.read_bytes()))
        after = ended("keep_revisions: -1\n")
        assert (after.state, after.problem.code) == ("failed", "invalid_input")
        assert "keep_revisions" in after.problem.details
        changed = ended("keep_revisions: -2\n")
        assert changed.state == "done", changed.problem
