"""The same model, captured by others at another time and place, is the same snapshot to its last bit."""

import json
import subprocess
from datetime import UTC, datetime

import pytest

from jupyter_deploy.artifacts.snapshots import CAPTURE, MANIFEST
from jupyter_deploy.capture import capturer as capturer_module
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.images.images import labels_of
from tests.contract.capturing import NUMBERS

pytestmark = pytest.mark.usefixtures("forked_replays")

PLACES = (("ada", datetime(2026, 1, 1, tzinfo=UTC)), ("bo", datetime(2026, 2, 2, tzinfo=UTC)))
AUTHOR = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def doubled(table):
    return table["age"] * 2


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def repository(folder, user):
    """A clone of the project, in which this user has other files."""
    (folder / "notebooks").mkdir(parents=True)
    notebook = folder / "notebooks" / "train.ipynb"
    notebook.write_text("{}")
    (folder / "pyproject.toml").write_text("[project]\nname = 'p'\nlicense = 'MIT'\n")
    at = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    for command in (
        ["init", "--quiet"],
        ["remote", "add", "origin", "https://ada:secret@git.example.org/team/p.git"],
        ["add", "."],
        ["commit", "--quiet", "--message", "one"],
    ):
        subprocess.run(["git", *command], cwd=folder, env=AUTHOR | at, check=True)
    (folder / f"{user}.txt").touch()
    return notebook


def test_who_when_and_where_are_beside_the_snapshot_and_not_in_it(capturer, tmp_path, monkeypatch):
    contents, captured = [], []
    for user, time in PLACES:
        monkeypatch.setattr(capturer_module, "user_name", lambda user=user: user)
        monkeypatch.setattr(capturer_module, "now", lambda time=time: time)
        project = tmp_path / user
        notebook = repository(project, user)
        live = Live(doubled, NUMBERS, Source(notebook=str(notebook), variable="doubled"), None, ("a = 1",), project)
        staged = capturer.stage(live, "churn")
        contents.append((staged.folder / MANIFEST).read_text())
        captured.append(json.loads((staged.folder / CAPTURE).read_text())["provenance"])
        labels = labels_of(capturer.keep(staged, lambda _: None))
        capturer.discard(staged)
    assert contents[0] == contents[1]
    assert str(tmp_path) not in contents[0].replace(json.loads(contents[0])["environment"]["interpreter"], "")
    assert [one["user"] for one in captured] == ["ada", "bo"]
    assert captured[1]["source"]["notebook"] == str(tmp_path / "bo" / "notebooks" / "train.ipynb")
    assert captured[0]["git"] == {"dirty": True}
    provenance = json.loads(contents[0])["provenance"]
    assert (provenance["path"], provenance["license"]) == ("notebooks/train.ipynb", "MIT")
    assert labels["org.opencontainers.image.source"] == "https://git.example.org/team/p.git"
    assert labels["org.opencontainers.image.revision"] == provenance["git"]["commit"]
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert "org.opencontainers.image.created" not in labels


def test_a_stored_snapshot_has_both(capturer, tmp_path):
    live = Live(doubled, NUMBERS, Source(notebook="/home/ada/train.ipynb", variable="doubled"), None, (), tmp_path)
    staged = capturer.stage(live, "churn")
    kept = capturer.keep(staged, lambda _: None)
    capturer.discard(staged)
    loaded = capturer.load(kept.tag)
    assert loaded == kept
    assert loaded.manifest.provenance.source.notebook == "/home/ada/train.ipynb"
    assert loaded.manifest.provenance.path == "train.ipynb"


def test_an_example_that_is_shown_makes_another_snapshot(capturer, tmp_path):
    tags = set()
    for shown in (False, True):
        live = Live(doubled, NUMBERS, Source(variable="doubled"), None, (), tmp_path, show_example=shown)
        staged = capturer.stage(live, "churn")
        kept = capturer.keep(staged, lambda _: None)
        capturer.discard(staged)
        assert kept.manifest.show_example is shown
        tags.add(kept.tag)
    assert len(tags) == 2
