"""An image of a real model on a real Debian, built once for the tests of this folder, and podman to run it with."""

import shutil
from pathlib import Path

import pytest

from jupyter_deploy.adapters.images.assembling import DaemonlessBuilder
from jupyter_deploy.adapters.images.layout import ImageFolder
from jupyter_deploy.adapters.snapshots import SnapshotFolders
from jupyter_deploy.domain.artifacts import Bento
from jupyter_deploy.domain.image_ports import ImagePlan
from jupyter_deploy.domain.images import labels_of
from tests.images import Engine, shared_base


def plan_of(tag, bentoml_home, base):
    snapshot = SnapshotFolders(Path(bentoml_home) / "models").load(tag)
    name, _, version = tag.partition(":")
    path = Path(bentoml_home) / "bentos" / name / version
    bento = Bento(tag=tag, snapshot_digest=snapshot.digest, path=str(path))
    return ImagePlan(snapshot, bento, base, labels_of(snapshot, validation=None))


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """Debian with the Python of these tests."""
    return shared_base(tmp_path_factory)


@pytest.fixture(scope="session")
def built(snapshots, base, tmp_path_factory):
    """A store with the image of one of the captured models (C=1.0), and how it was made."""
    tags, bentoml_home = snapshots
    folder = tmp_path_factory.mktemp("images")
    store = ImageFolder(folder / "images")
    plan = plan_of(tags[1.0], bentoml_home, base)
    DaemonlessBuilder(store).check(plan)
    yield store, plan, DaemonlessBuilder(store).build(plan, print)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """Podman with an empty storage."""
    folder = tmp_path_factory.mktemp("engine")
    made = Engine(folder / "containers")
    yield made
    made.clear()
    shutil.rmtree(folder, ignore_errors=True)
