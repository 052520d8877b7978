"""The image of a model of R: R from Debian packages, run by podman with no rights on a root that cannot be written."""

import json
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.container_images.contents import LayerContents
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.container_images.r_layer import image_packages
from jupyter_deploy.container_images.sbom import bill_of_materials
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.images.images import labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from tests.conftest import free_port
from tests.e2e.conftest import until
from tests.images import Engine
from tests.r_sessions import captured

# A Debian with R is fetched, an environment is installed, compiled and packed.
pytestmark = pytest.mark.timeout(1500)

CARS = ("cars <- transform(mtcars, maß = wt)\nfit <- lm(mpg ~ maß + cyl, cars)", "fit", "cars[1:3, c('maß', 'cyl')]")
IRIS = ("fit <- MASS::lda(Species ~ ., iris)", "fit", "iris[c(1, 60, 120), 1:4]")


def planned(folder, base, name, fit):
    capturer = ModelCapturer(folder / "bentoml", Tolerance(), 240)
    with captured(folder / name, *fit) as live:
        snapshot = capturer.keep(capturer.replay(capturer.stage(live, name), live), lambda _: None)
    return ImagePlan(snapshot, BentoBuilder(folder / "bentoml").build(snapshot), base, labels_of(snapshot))


def built(store, plan, builder=DaemonlessBuilder):
    builder = builder(store)
    builder.check(plan)
    return builder.build(plan, print)


@contextmanager
def served(engine, store, image, *, user):
    """The URL of a container that may do nothing, and write only to /tmp, which R needs."""
    port = free_port()
    rights = ["--read-only", "--user", user, "--cap-drop", "ALL"]
    with engine.container(*rights, "--env", f"PORT={port}", engine.pull(store.folder, image.digest)) as name:

        def is_ready():
            try:
                return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        until(lambda: is_ready() or not engine.runs(name), timeout=240)
        assert engine.runs(name), engine.said(name)
        yield f"http://127.0.0.1:{port}/predict"


def require_same_answers(url, manifest):
    answer = httpx.post(url, json={"instances": manifest.instances}, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    flat = [json.dumps(one, sort_keys=True) for one in (answer.json()["predictions"], manifest.predictions)]
    assert flat[0] == flat[1] or np.allclose(answer.json()["predictions"], manifest.predictions, rtol=1e-9)


@pytest.fixture(scope="module")
def world(tmp_path_factory, base):
    """A folder, an image store, a base, and an engine."""
    folder = tmp_path_factory.mktemp("r-image")
    engine = Engine(folder / "engine")
    yield folder, ImageFolder(folder / "images"), base, engine
    engine.clear()


def test_it_answers_as_the_notebook_did_for_any_user_on_a_root_that_cannot_be_written(world):
    folder, store, base, engine = world
    plan = planned(folder, base, "cars", CARS)
    image = built(store, plan)
    assert [layer.kind for layer in image.layers][:3] == ["base", "system", "dependencies"]
    with served(engine, store, image, user="4321:0") as url:
        require_same_answers(url, plan.snapshot.manifest)
        refused = httpx.post(url, json={"instances": [{"cyl": 4}]}, trust_env=False)
        assert (refused.status_code, "maß" in str(refused.json())) == (422, True)

    bill = json.loads(bill_of_materials(plan.snapshot, image, image_packages(image, store)))
    purls = [one.get("purl", "") for one in bill["components"]]
    version = json.loads((folder / "cars" / "captured" / "about.json").read_bytes())["r"]["version"]
    assert f"pkg:generic/r@{version}" in purls
    assert [one for one in purls if one.startswith(f"pkg:deb/debian/r-base-core@{version}")]
    assert [one for one in purls if one.startswith("pkg:deb/debian/python3")], "the base's are there, too"
    files = LayerContents().read(store.folder, image.digest, ["/usr/share/doc/r-base-core/copyright"])
    assert files, "its licence is there"


@pytest.mark.exhaustive
def test_a_package_of_the_lock_comes_from_debian_by_both_builders_and_the_image_is_the_same_again(world):
    from jupyter_deploy.container_images.engine_builder import EngineBuilder

    folder, store, base, engine = world
    plan = planned(folder, base, "iris", IRIS)
    image = built(store, plan)
    with served(engine, store, image, user="65532") as url:
        require_same_answers(url, plan.snapshot.manifest)
    for note in (store.folder / "kept" / "layers").iterdir():  # the layer with R is made again, the others are kept
        if json.loads(note.read_bytes())["digest"] == image.layers[1].digest:
            note.unlink()
    assert built(store, plan).digest == image.digest

    bill = json.loads(bill_of_materials(plan.snapshot, image, image_packages(image, store)))
    purls = [one.get("purl", "") for one in bill["components"]]
    assert [one for one in purls if one.startswith("pkg:cran/MASS@")]
    assert [one for one in purls if one.startswith("pkg:deb/debian/r-cran-mass@")]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "PODMAN_IGNORE_CGROUPSV1_WARNING"):
            patch.setenv(name, engine.environment[name])
        other = built(store, plan, EngineBuilder)
    assert [layer.kind for layer in other.layers] == [layer.kind for layer in image.layers]
    with served(engine, store, other, user="65532") as url:
        require_same_answers(url, plan.snapshot.manifest)
