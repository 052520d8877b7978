"""The image of a model of R: R from Debian packages, run by podman with no rights on a root that cannot be written."""

import hashlib
import json
import os
import shutil
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.container_images.contents import LayerContents
from jupyter_deploy.container_images.cran_mirror import CranMirror
from jupyter_deploy.container_images.engine_builder import EngineBuilder
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.container_images.r_layer import image_packages
from jupyter_deploy.container_images.r_library import recorded_sources
from jupyter_deploy.container_images.sbom import bill_of_materials
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.images.images import labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from tests.conftest import Home, free_port, make_home
from tests.e2e.registry import World, publishing
from tests.images import Engine
from tests.r_mirrors import install, users_library, write_mirror, write_package
from tests.r_sessions import captured

# A Debian with R is fetched, an environment is installed, compiled and packed.
pytestmark = pytest.mark.timeout(1500)

CARS = (
    "cars <- transform(mtcars, maß = wt)\nmodel <- lm(mpg ~ maß + cyl, cars)\n"
    "fit <- function(df) doubling::twice(predict(model, df))",
    "fit",
    "cars[1:3, c('maß', 'cyl')]",
)
ADDED = ("fit <- function(df) adding::both(df$cyl)", "fit", "mtcars[1:3, 'cyl', drop = FALSE]")
TWICE = "twice <- function(x) 2 * x\n"
BOTH = """
plus <- function(x) .C("plus_one", as.double(x), length(x), PACKAGE = "adding")[[1L]]
both <- function(x) plus(doubling::twice(x))
"""
PLUS = "void plus_one(double *x, int *n) { for (int i = 0; i < *n; i++) x[i] += 1; }\n"
SITE = "usr/local/lib/R/site-library"
IRIS = ("fit <- MASS::lda(Species ~ ., iris)", "fit", "iris[c(1, 60, 120), 1:4]")


@dataclass
class Machine:
    """A user's home, engine and registry, a base for images, and the HOME with the user's packages of R."""

    folder: Path
    home: Home
    base: str
    engine: Engine
    registry: World
    user: Path

    @contextmanager
    def with_packages(self):
        """R finds the user's packages."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(self.user))
            yield

    @property
    def store(self):
        """The images of the home."""
        return ImageFolder(self.home.path / "nbdeploy" / "images")

    def planned(self, name, fit):
        """The plan of a captured model's image."""
        models = Path(self.home.environment["BENTOML_HOME"])
        capturer = ModelCapturer(models, Tolerance(), 240)
        with self.with_packages(), captured(self.folder / name, *fit) as live:
            snapshot = capturer.keep(capturer.replay(capturer.stage(live, name), live), lambda _: None)
        return ImagePlan(snapshot, BentoBuilder(models).build(snapshot), self.base, labels_of(snapshot))


def path_without_r(folder):
    """A PATH with links to the programs of this machine's, but for those of R."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).glob("*"):
            if program.name not in ("R", "Rscript"):
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
    return str(folder)


def built(store, plan, builder=DaemonlessBuilder, mirror=None):
    builder = builder(store, mirror)
    builder.check(plan)
    return builder.build(plan, print)


@contextmanager
def served(engine, pulled, *, user):
    """The URL of a container that may do nothing, and write only to /tmp, which R needs."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    rights = ["--read-only", "--user", user, "--cap-drop", "ALL"]
    with engine.container(*rights, "--env", f"PORT={port}", pulled) as name:
        engine.wait_until_ready(name, url)
        yield f"{url}/predict"


def require_same_answers(url, manifest):
    answer = httpx.post(url, json={"instances": manifest.instances}, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    flat = [json.dumps(one, sort_keys=True) for one in (answer.json()["predictions"], manifest.predictions)]
    assert flat[0] == flat[1] or np.allclose(answer.json()["predictions"], manifest.predictions, rtol=1e-9)


@pytest.fixture(scope="module")
def machine(tmp_path_factory, base, registry_world):
    folder = tmp_path_factory.mktemp("r-image")
    made = Machine(folder, make_home(folder / "home"), base, Engine(folder / "engine"), registry_world, folder / "user")
    made.home.environment |= publishing(folder, registry_world, base)
    made.engine.environment |= made.home.environment
    yield made
    made.engine.clear()
    made.home.down()


@pytest.fixture(scope="module")
def doubling(machine):
    """The source of a package that Debian lacks, which is installed where the notebook runs."""
    source = write_package(machine.folder / "packages", "doubling", TWICE)
    with machine.with_packages():
        install(users_library(), source)
    return source


def variables_of(engine):
    """The variables by which nbdeploy uses this engine's storage."""
    names = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "PODMAN_IGNORE_CGROUPSV1_WARNING")
    return {name: engine.environment[name] for name in names}


def recorded(image, store):
    """The packages of an image for its bill of materials: Debian's, and those from source."""
    return image_packages(image, store), recorded_sources(image, store)


def forget_layer(store, layer):
    """Have the next build make a layer again; the others are kept."""
    for note in (store.folder / "kept" / "layers").iterdir():
        if json.loads(note.read_bytes())["digest"] == layer.digest:
            note.unlink()


def names_in(store, image):
    with tarfile.open(store.blob(image.layers[1].digest)) as tar:
        return set(tar.getnames())


def test_published_it_answers_where_no_r_is_as_the_notebook_did_for_any_user_on_a_root_that_cannot_be_written(
    machine, doubling
):
    """A package of the model is built from a mirror's source, and only its library is shipped."""
    home, engine, store = machine.home, machine.engine, machine.store
    plan = machine.planned("cars", CARS)
    own = dict(home.environment)
    home.environment |= {"HOME": str(machine.user)}
    home.json("deploy", plan.snapshot.tag, "--trust", "--name", "cars")
    mirror = write_mirror(machine.folder / "mirror", doubling)
    own |= {"PATH": path_without_r(machine.folder / "programs"), "NBDEPLOY_CRAN_MIRROR": str(mirror)}
    assert shutil.which("podman", path=own["PATH"])
    assert not shutil.which("R", path=own["PATH"])
    home.environment = own | variables_of(engine)
    engine.environment["PATH"] = own["PATH"]
    place = f"{machine.registry.registry.host}/team/cars"
    published = home.json("publish", "cars", "--to", place, timeout=600)["publication"]
    image = store.image(published["image"]["digest"])
    assert [layer.kind for layer in image.layers][:3] == ["base", "system", "dependencies"]
    assert image.layers[1].title.endswith(", 1 built from source")
    with served(engine, engine.run("pull", "--quiet", f"{place}@{image.digest}"), user="4321:0") as url:
        require_same_answers(url, plan.snapshot.manifest)
        refused = httpx.post(url, json={"instances": [{"cyl": 4}]}, trust_env=False)
        assert (refused.status_code, "maß" in str(refused.json())) == (422, True)
    names = names_in(store, image)
    assert f"{SITE}/doubling/DESCRIPTION" in names
    assert not [name for name in names if name.startswith("build") or name.endswith(("/gawk", ".tar.gz"))]

    bill = json.loads(bill_of_materials(plan.snapshot, image, *recorded(image, store)))
    assert hashlib.sha256(f"{json.dumps(bill, indent=2)}\n".encode()).hexdigest() == published["bill_of_materials"]
    purls = {one.get("purl", ""): one for one in bill["components"]}
    archive = mirror / "src" / "contrib" / "doubling_1.0.0.tar.gz"
    source = {"alg": "SHA-256", "content": hashlib.sha256(archive.read_bytes()).hexdigest()}
    assert purls["pkg:cran/doubling@1.0.0"]["hashes"] == [source]
    version = json.loads((machine.folder / "cars" / "captured" / "about.json").read_bytes())["r"]["version"]
    assert f"pkg:generic/r@{version}" in purls
    assert [one for one in purls if one.startswith(f"pkg:deb/debian/r-base-core@{version}")]
    assert [one for one in purls if one.startswith("pkg:deb/debian/python3")], "the base's are there, too"
    files = LayerContents().read(store.folder, image.digest, ["/usr/share/doc/r-base-core/copyright"])
    assert files, "its licence is there"


@pytest.mark.exhaustive
def test_a_package_with_code_in_c_is_compiled_by_both_builders_and_the_image_is_the_same_again(
    machine, doubling, monkeypatch
):
    engine, store = machine.engine, machine.store
    adding = write_package(machine.folder / "packages", "adding", BOTH, imports=["doubling"], c_code=PLUS)
    with machine.with_packages():
        install(users_library(), adding)
    mirror = CranMirror(str(write_mirror(machine.folder / "both", doubling, adding)))
    plan = machine.planned("added", ADDED)
    for name, value in variables_of(engine).items():
        monkeypatch.setenv(name, value)
    image = built(store, plan, mirror=mirror)
    names = names_in(store, image)
    assert {f"{SITE}/adding/libs/adding.so", f"{SITE}/doubling/R/doubling.rdb"} < names
    assert not [name for name in names if name.endswith(("bin/make", "/stdio.h")) or "bin/gcc" in name]
    with served(engine, engine.pull(store.folder, image.digest), user="65532") as url:
        require_same_answers(url, plan.snapshot.manifest)
    forget_layer(store, image.layers[1])
    assert built(store, plan, mirror=mirror).digest == image.digest
    other = built(store, plan, EngineBuilder, mirror)
    with served(engine, engine.pull(store.folder, other.digest), user="65532") as url:
        require_same_answers(url, plan.snapshot.manifest)
    assert recorded_sources(other, store) == recorded_sources(image, store)


@pytest.mark.exhaustive
def test_a_package_of_the_lock_comes_from_debian_by_both_builders_and_the_image_is_the_same_again(machine):
    engine, store = machine.engine, machine.store
    plan = machine.planned("iris", IRIS)
    image = built(store, plan)
    with served(engine, engine.pull(store.folder, image.digest), user="65532") as url:
        require_same_answers(url, plan.snapshot.manifest)
    forget_layer(store, image.layers[1])
    assert built(store, plan).digest == image.digest

    bill = json.loads(bill_of_materials(plan.snapshot, image, *recorded(image, store)))
    purls = [one.get("purl", "") for one in bill["components"]]
    assert [one for one in purls if one.startswith("pkg:cran/MASS@")]
    assert [one for one in purls if one.startswith("pkg:deb/debian/r-cran-mass@")]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables_of(engine).items():
            patch.setenv(name, value)
        other = built(store, plan, EngineBuilder)
    assert [layer.kind for layer in other.layers] == [layer.kind for layer in image.layers]
    with served(engine, engine.pull(store.folder, other.digest), user="65532") as url:
        require_same_answers(url, plan.snapshot.manifest)
