"""The context of a notebook: only notebooks that the server's file browser shows to this client."""

import json

import pytest

from tests import notebooks
from tests.lab.test_rest_access import Allowed

VALIDATES = "from jupyter_deploy import model, metric\nmetric('accuracy', 0.9)"


@pytest.fixture
def outside(tmp_path):
    """A folder outside of the server's, with a notebook that validates."""
    folder = tmp_path / "of-somebody-else"
    folder.mkdir()
    notebooks.write(folder / "secret.ipynb", VALIDATES)
    return folder


@pytest.fixture
def context_of(ask):
    async def by(path):
        status, document, _ = await ask("POST", "views/notebook_context", None, {"path": path})
        by_query = await ask("GET", "views/notebook_context", {"path": path})
        assert by_query[:2] == (status, document)
        return status, document

    return by


async def test_notebooks_in_the_servers_folder_are_listed(context_of, jp_root_dir):
    notebooks.write(jp_root_dir / "checks.ipynb", VALIDATES)
    for path in ("train.ipynb", str(jp_root_dir / "train.ipynb"), "./sub/../train.ipynb"):
        status, found = await context_of(path)
        assert status == 200, found
        assert [one["path"] for one in found["notebooks"]] == [str(jp_root_dir / "checks.ipynb")]


async def test_notebooks_outside_and_hidden_ones_are_not(context_of, jp_root_dir, outside):
    (jp_root_dir / ".hidden").mkdir()
    notebooks.write(jp_root_dir / ".hidden" / "secret.ipynb", VALIDATES)
    climbs = "../" * 30 + str(outside / "train.ipynb").lstrip("/")
    paths = (
        str(outside / "train.ipynb"),
        climbs,
        ".hidden/train.ipynb",
        "~/train.ipynb",
        "~nobody-at-all/x.ipynb",
        "a\0b.ipynb",
        "/",
    )
    for path in paths:
        status, found = await context_of(path)
        assert (status, found["code"]) == (404, "unknown_notebook"), path
        assert "secret" not in json.dumps(found)


async def test_a_link_to_a_folder_outside_is_shown_as_the_file_browser_does(context_of, jp_root_dir, outside):
    (outside / "below").mkdir()
    (jp_root_dir / "linked").symlink_to(outside)
    (jp_root_dir / "deep").symlink_to(outside / "below")
    status, found = await context_of("linked/train.ipynb")
    assert (status, len(found["notebooks"])) == (200, 1)
    status, found = await context_of("deep/../train.ipynb")  # in the server's folder, not above the link's target
    assert (status, found["notebooks"]) == (200, [])


async def test_hidden_notebooks_are_listed_if_the_server_shows_hidden_files(context_of, jp_root_dir, jp_serverapp):
    jp_serverapp.contents_manager.allow_hidden = True
    (jp_root_dir / ".hidden").mkdir()
    notebooks.write(jp_root_dir / ".hidden" / "checks.ipynb", VALIDATES)
    status, found = await context_of(".hidden/train.ipynb")
    assert (status, len(found["notebooks"])) == (200, 1)


async def test_without_permission_to_read_the_contents_none_is_listed(context_of, jp_serverapp):
    class OfNbdeploy(Allowed):
        def is_authorized(self, handler, user, action, resource):
            return super().is_authorized(handler, user, action, resource) and resource == "nbdeploy"

    jp_serverapp.web_app.settings["authorizer"] = OfNbdeploy("read", "write")
    status, found = await context_of("train.ipynb")
    assert (status, found["code"]) == (403, "forbidden")
    assert "contents" in found["detail"]


async def test_a_request_without_a_notebook_names_the_wrong_field(ask):
    for body in ({}, {"path": 5}):
        status, found, _ = await ask("POST", "views/notebook_context", None, body)
        assert (status, found["errors"][0]["loc"]) == (422, ["path"])
