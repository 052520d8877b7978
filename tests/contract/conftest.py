"""Fixtures of the tests of capture, and of the trust in images."""

import sys

import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.faces.kernel.predictor import Predictor
from jupyter_deploy.system.digests import file_sha256
from tests import forks
from tests.contract.capturing import live
from tests.contract.trusted_images import make_image_world, make_keys
from tests.registries import registry


@pytest.fixture(scope="module")
def forked_replays():
    """Replay in forks: for files whose subject is not what a clean process has or lacks."""
    with forks.replays():
        yield


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


@pytest.fixture(scope="module")
def predictor_of(tmp_path_factory):
    """A predictor of a model that is staged once for all tests of a file."""
    capturer = ModelCapturer(tmp_path_factory.mktemp("predictors"), Tolerance(), replay_timeout=120)
    made = {}

    def predictor(model, example, method=None, keep=()):
        key = (id(model), method)
        if key not in made:
            made[key] = capturer.stage(live(model, example, method), "model")
        folder = made[key].folder
        return Predictor("model:1", f"sha256:{file_sha256(folder / 'snapshot.json')}", str(folder), keep)

    yield predictor
    for one in made.values():
        capturer.discard(one)


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """A repository of a registry on this machine."""
    with registry(tmp_path_factory.mktemp("repository") / "registry") as running:
        yield Reference(registry=running.host, repository="team/tumour")


@pytest.fixture(scope="session")
def signing_key(tmp_path_factory):
    """The folder of a pair: ``cosign.key`` and ``cosign.pub``."""
    return make_keys(tmp_path_factory.mktemp("signing-key"))


@pytest.fixture
def image_world(tmp_path, monkeypatch, repository):
    """Snapshots, an image store and a repository; the target starts nothing."""
    return make_image_world(tmp_path, monkeypatch, repository)
