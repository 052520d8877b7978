"""The extension in a Jupyter server within the test's process (pytest-jupyter), for cases that need it. pytest-
jupyter's fixtures and hooks are named here and not as a plugin, so they apply to this folder alone. Its event loop
exists in every test of its scope, and Playwright's tests have their own.
"""

import json

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - pytest finds fixtures and hooks by their names
from tornado.httpclient import HTTPClientError

from tests.conftest import make_home


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home that the server's environment names."""
    made = make_home(tmp_path / "of-nbdeploy")
    for name in ("NBDEPLOY_HOME", "BENTOML_HOME", "NBDEPLOY_PORT"):
        monkeypatch.setenv(name, made.environment[name])
    return made


@pytest.fixture
def jp_server_config(home):
    return {"ServerApp": {"jpserver_extensions": {"jupyter_deploy.faces.server": True}}}


@pytest.fixture
def ask(jp_fetch, jp_serverapp, jp_asyncio_loop):
    """Ask a route; the status, the document and the headers, whatever the status."""

    async def fetch(method, path, query=None, body=None, headers=None):
        sent = json.dumps(body or {}) if method == "POST" else None
        try:
            answer = await jp_fetch("nbdeploy", path, params=query, method=method, body=sent, headers=headers or {})
        except HTTPClientError as error:
            answer = error.response
        text = answer.body.decode() if answer.body else ""
        return answer.code, json.loads(text) if text.startswith(("{", "[")) else text, answer.headers

    yield fetch
    if client := jp_serverapp.web_app.settings.get("nbdeploy_worker"):
        jp_asyncio_loop.run_until_complete(client.stop())
