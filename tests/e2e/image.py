"""An image of a real model on a real Debian, built once for the tests of this folder, and podman to run it with."""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from jupyter_deploy.artifacts.snapshots import SnapshotFolders
from jupyter_deploy.container_images.archive import Entry, write_layer
from jupyter_deploy.container_images.base_image import base_source, fetch_base
from jupyter_deploy.container_images.bytecode import compiler
from jupyter_deploy.container_images.dependencies import requirements_for
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Bento
from jupyter_deploy.domain.images.images import Image, labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from tests.images import Engine, once, shared_base


@dataclass
class Built:
    """The image of one of the captured models (1.0) in a store; ``snapshots`` are those that it is one of."""

    store: ImageFolder
    image: Image
    snapshots: tuple[dict, str]
    base: str

    def plan(self, c=1.0):
        """Of the image of another one."""
        tags, bentoml_home = self.snapshots
        return plan_of(tags[c], bentoml_home, self.base)


def plan_of(tag, bentoml_home, base):
    snapshot = SnapshotFolders(Path(bentoml_home) / "models").load(tag)
    name, _, version = tag.partition(":")
    path = Path(bentoml_home) / "bentos" / name / version
    bento = Bento(tag=tag, snapshot_digest=snapshot.digest, path=str(path))
    return ImagePlan(snapshot, bento, base, labels_of(snapshot))


def keep_small_libraries(home, tag, base):
    """Have a home use a layer of one file as that of a snapshot's libraries: for an image that does not run."""
    store = ImageFolder(Path(home.environment["NBDEPLOY_HOME"]) / "images")
    plan = plan_of(tag, home.environment["BENTOML_HOME"], base)
    environment = plan.snapshot.manifest.environment
    with store.writing() as writing:
        below = fetch_base(base_source(plan.base, environment), store, writing, environment)
        needed = requirements_for(environment, below, compiled_by=compiler(environment).version)
        packed = write_layer([Entry("opt/libraries", b"none")], writing.making / "layer")
        writing.take(writing.making / "layer", packed.digest)
        writing.keep("layers", needed.key, asdict(packed))


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """Debian with the Python of these tests."""
    return shared_base(tmp_path_factory)


@pytest.fixture(scope="session")
def built(request, base, tmp_path_factory):
    """The same for all workers, with the snapshots of the one that came first."""

    def make(folder):
        tags, bentoml_home = request.getfixturevalue("snapshots")
        builder = DaemonlessBuilder(ImageFolder(folder / "images"))
        plan = plan_of(tags[1.0], bentoml_home, base)
        builder.check(plan)
        digest = builder.build(plan, print).digest
        return {"folder": str(folder / "images"), "digest": digest, "tags": list(tags.items()), "home": bentoml_home}

    found = once(tmp_path_factory, "built-image", make)
    store = ImageFolder(Path(found["folder"]))
    yield Built(store, store.image(found["digest"]), (dict(found["tags"]), found["home"]), base)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(store.folder)


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """Podman with an empty storage."""
    folder = tmp_path_factory.mktemp("engine")
    made = Engine(folder / "containers")
    yield made
    made.clear()
    shutil.rmtree(folder, ignore_errors=True)
