"""The manifest of a capture whose snapshot is already stored."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live, Staged
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import SNAPSHOT_MIME, capture, capture_details, capture_in_notebook
from tests.manifests import snapshot

OLD = snapshot(notes=("it is in train mode",), cells=["a = 1"])
LIVE = Live(None, None, Source(variable="clf"), None, (), Path())
NEW = snapshot(cells=["a = 1", "b = 2"], variable="other").manifest


NO_SECRETS = {"secrets": SimpleNamespace(values=dict), "secret_references": {}}


def provenance(manifest):
    return manifest.notes, manifest.provenance.cells, manifest.provenance.source.variable


def test_an_unchanged_model_has_its_current_notes_and_cells():
    staged = Staged(folder=Path(), manifest=NEW, fingerprint="0")
    capturer = SimpleNamespace(
        prepared=lambda _: nullcontext(),
        stage=lambda *_: staged,
        replay=lambda *_: staged,
        keep=lambda *_: OLD,
        discard=lambda _: None,
    )
    store = SimpleNamespace(remember=None, endpoint=lambda _: None)
    ports = SimpleNamespace(capturer=capturer, store=store, redact=(), **NO_SECRETS)
    found = capture(LIVE, "tumour", DeployRequest(), ports, lambda *_: None)
    assert provenance(found.manifest) == ((), ("a = 1", "b = 2"), "clf"), "the source stays as it was stored"


@pytest.mark.parametrize("is_new", [True, False])
def test_an_unchanged_model_of_a_headless_notebook_has_them_too(is_new):
    document = {"tag": OLD.tag, **(capture_details(NEW) if is_new else {})}
    notebooks = SimpleNamespace(run=lambda *_, **__: {SNAPSHOT_MIME: document})
    store = SimpleNamespace(remembered=lambda _: OLD, endpoint=lambda _: None)
    ports = SimpleNamespace(notebooks=notebooks, store=store, **NO_SECRETS)
    request = DeployRequest(source="train.ipynb", model="clf")
    found = capture_in_notebook(request, "tumour", ports, lambda *_: None)
    expected = ((), ("a = 1", "b = 2")) if is_new else (OLD.manifest.notes, ("a = 1",))
    assert provenance(found.manifest)[:2] == expected, "a kernel with a former version does not send them"
