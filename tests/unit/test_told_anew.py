"""What is told of a capture whose very snapshot was stored before."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.ports import Staged
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import SNAPSHOT_MIME, capture, capture_details, capture_in_notebook
from tests.manifests import snapshot

OLD = snapshot(notes=("it is in train mode",), cells=["a = 1"])
NEW = snapshot(cells=["a = 1", "b = 2"], variable="other").manifest


def told(manifest):
    return manifest.notes, manifest.provenance.cells, manifest.provenance.source.variable


def test_an_unchanged_model_is_told_of_as_it_is_now():
    staged = Staged(folder=Path(), manifest=NEW, fingerprint="0")
    capturer = SimpleNamespace(
        stage=lambda *_: staged, replay=lambda *_: staged, keep=lambda *_: OLD, discard=lambda _: None
    )
    ports = SimpleNamespace(capturer=capturer, store=SimpleNamespace(remember=None))
    found = capture(None, "tumour", DeployRequest(), ports, lambda *_: None)
    assert told(found.manifest) == ((), ("a = 1", "b = 2"), "clf"), "where it came from stays as it was stored"


@pytest.mark.parametrize("is_new", [True, False])
def test_so_it_is_where_a_notebook_ran_headless(is_new):
    document = {"tag": OLD.tag, **(capture_details(NEW) if is_new else {})}
    notebooks = SimpleNamespace(run=lambda *_, **__: {SNAPSHOT_MIME: document})
    ports = SimpleNamespace(notebooks=notebooks, store=SimpleNamespace(remembered=lambda _: OLD))
    request = DeployRequest(source="train.ipynb", model="clf")
    found = capture_in_notebook(request, "tumour", ports, lambda *_: None)
    expected = ((), ("a = 1", "b = 2")) if is_new else (OLD.manifest.notes, ("a = 1",))
    assert told(found.manifest)[:2] == expected, "a kernel with a former version does not say it"
