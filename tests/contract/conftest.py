"""Fixtures of the tests of capture."""

import sys

import pytest

from tests.contract.capturing import live


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write modules into a folder on the path; modules imported from it are removed afterwards."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    before = set(sys.modules)

    def write(files):
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        return root

    yield write
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def stage(capturer):
    """Stages a model with the module's own ``capturer``; the folders are gone afterwards."""
    made = []

    def staged(model, example, method=None):
        made.append(capturer.stage(live(model, example, method), "model"))
        return made[-1]

    yield staged
    for one in made:
        capturer.discard(one)
