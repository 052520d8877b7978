"""What lies beside a notebook is told of no more than the server's file browser shows, and to nobody else."""

import json

import pytest

from tests import notebooks
from tests.lab.test_rest_access import Allowed

VALIDATES = "from jupyter_deploy import model, metric\nmetric('accuracy', 0.9)"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder outside of the server's, with a notebook that validates."""
    folder = tmp_path / "of-somebody-else"
    folder.mkdir()
    notebooks.write(folder / "secret.ipynb", VALIDATES)
    return folder


@pytest.fixture
def beside(ask):
    async def by(path):
        status, document, _ = await ask("POST", "views/notebook_context", None, {"path": path})
        by_query = await ask("GET", "views/notebook_context", {"path": path})
        assert by_query[:2] == (status, document)
        return status, document

    return by


async def test_notebooks_in_the_servers_folder_are_told(beside, jp_root_dir):
    notebooks.write(jp_root_dir / "checks.ipynb", VALIDATES)
    for path in ("train.ipynb", str(jp_root_dir / "train.ipynb"), "./sub/../train.ipynb"):
        status, found = await beside(path)
        assert status == 200, found
        assert [one["path"] for one in found["notebooks"]] == [str(jp_root_dir / "checks.ipynb")]


async def test_those_elsewhere_are_not(beside, jp_root_dir, elsewhere):
    (jp_root_dir / ".hidden").mkdir()
    notebooks.write(jp_root_dir / ".hidden" / "secret.ipynb", VALIDATES)
    climbs = "../" * 30 + str(elsewhere / "train.ipynb").lstrip("/")
    paths = (
        str(elsewhere / "train.ipynb"),
        climbs,
        ".hidden/train.ipynb",
        "~/train.ipynb",
        "~nobody-at-all/x.ipynb",
        "a\0b.ipynb",
        "/",
    )
    for path in paths:
        status, found = await beside(path)
        assert (status, found["code"]) == (404, "unknown_notebook"), path
        assert "secret" not in json.dumps(found)


async def test_a_folder_that_links_to_elsewhere_is_shown_as_the_file_browser_does(beside, jp_root_dir, elsewhere):
    (elsewhere / "below").mkdir()
    (jp_root_dir / "linked").symlink_to(elsewhere)
    (jp_root_dir / "deep").symlink_to(elsewhere / "below")
    status, found = await beside("linked/train.ipynb")
    assert (status, len(found["notebooks"])) == (200, 1)
    status, found = await beside("deep/../train.ipynb")  # in the server's folder, and not above where the link leads
    assert (status, found["notebooks"]) == (200, [])


async def test_hidden_ones_are_where_the_server_shows_hidden_files(beside, jp_root_dir, jp_serverapp):
    jp_serverapp.contents_manager.allow_hidden = True
    (jp_root_dir / ".hidden").mkdir()
    notebooks.write(jp_root_dir / ".hidden" / "checks.ipynb", VALIDATES)
    status, found = await beside(".hidden/train.ipynb")
    assert (status, len(found["notebooks"])) == (200, 1)


async def test_who_may_not_read_the_contents_is_told_none(beside, jp_serverapp):
    class OfNbdeploy(Allowed):
        def is_authorized(self, handler, user, action, resource):
            return super().is_authorized(handler, user, action, resource) and resource == "nbdeploy"

    jp_serverapp.web_app.settings["authorizer"] = OfNbdeploy("read", "write")
    status, found = await beside("train.ipynb")
    assert (status, found["code"]) == (403, "forbidden")
    assert "contents" in found["detail"]


async def test_a_request_without_a_notebook_says_what_is_wrong(ask):
    for body in ({}, {"path": 5}):
        status, found, _ = await ask("POST", "views/notebook_context", None, body)
        assert (status, found["errors"][0]["loc"]) == (422, ["path"])
