"""A real cluster, a namespace for each file, small images, and a user whose deploys go there."""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_deploy.artifacts.snapshots import SnapshotFolders
from jupyter_deploy.container_images.archivist import ArchivistBuilder
from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.container_images.gateway import GatewayBuilder
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.targets.kubernetes.rbac import USERS
from jupyter_deploy.targets.local.gateway.gateway import envoy_binary
from jupyter_deploy.targets.local.settings import LocalSettings
from scripts.lean_base import make
from tests.conftest import make_home
from tests.e2e.conftest import CAPTURE, captured_once
from tests.e2e.image import plan_of

from .bucket import Bucket
from .machine import GROUP, REGISTRY, SCRIPTS, Machine, folder

FUNCTIONS = """
import os
def above(limit):
    def clf(age, weight):
        return "yes" if age + weight > limit else "no"
    return clf
class Weights:
    def __init__(self):
        self.limit = 130
    def __setstate__(self, state):
        import os
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            raise RuntimeError("these weights are for another machine")
        self.__dict__.update(state)
def crashing(weights):
    def clf(age, weight):
        return "yes" if age + weight > weights.limit else "no"
    return clf
found = {number: above(limit) for number, limit in {1.0: 120, 0.01: 110, 2.0: 130}.items()}
found[3.0] = crashing(Weights())
def worded(age, weight):
    return os.environ.get("WORD", "none") if age > 100 else "no"
found[4.0] = worded
models = {number: (model, {"age": 30, "weight": 60.5}) for number, model in found.items()}
import pandas
rows = range(500)
training = pandas.DataFrame({"age": [20 + row % 50 for row in rows], "weight": [50 + row / 10 for row in rows]})
"""


def pytest_collection_modifyitems(items):
    """All files here: a base image is made and images are pulled."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kubernetes)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def cluster():
    """The cluster of this machine; one that runs already is used and goes on."""
    for script in ("build.sh", "up.sh"):
        subprocess.run(["bash", SCRIPTS / script], check=True, stdout=subprocess.DEVNULL)
    return Machine()


@pytest.fixture(scope="module")
def namespace(cluster, request):
    """A namespace for the file."""
    with cluster.namespace(request.module.__name__.rpartition(".test_")[2].replace("_", "-")) as name:
        yield name


@pytest.fixture(scope="session")
def base():
    """A Debian with the Python of these tests, kept with the cluster: its name for skopeo."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = folder() / f"base-{python}"
    with (folder() / "base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another session may make it
        if not (place / "name").exists():
            shutil.rmtree(place, ignore_errors=True)
            (place / "base").mkdir(parents=True)
            (place / "name").write_text(make(place / "base", python))
    return (place / "name").read_text()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The tags of captured functions by number, and the BentoML home that holds them.

    0.01 is often right; 3.0 is like the others on this machine, and fails to load in a pod; 4.0 answers with its WORD.
    """
    return captured_once(tmp_path_factory, "models", FUNCTIONS + CAPTURE)


@pytest.fixture(scope="session")
def built_images():
    """The store of these tests' images, kept with the cluster: layers of dependencies are installed once."""
    return ImageFolder(folder() / "images-of-tests")


def push(store, image, name):
    """Send an image to the registry; its reference by digest."""
    place = Reference(registry=REGISTRY, repository=f"team/{name}", tag=image.digest[7:19])
    Registries().push(image, store.folder, place, lambda _: None)
    return place.at(digest=image.digest)


@pytest.fixture(scope="session")
def images(cluster, models, base, built_images):
    """By number, the published image of two of ``models``: its reference by digest."""
    tags, bentoml_home = models
    found = {}
    builder = DaemonlessBuilder(built_images)
    for number in (1.0, 0.01):
        plan = plan_of(tags[number], bentoml_home, base)
        builder.check(plan)
        found[number] = push(built_images, builder.build(plan, lambda _: None), "churn")
    return found


@pytest.fixture(scope="session")
def gateway_image(cluster, models, base, built_images, tmp_path_factory):
    """The published image of the gateway: its reference by digest."""
    tags, bentoml_home = models
    environment = SnapshotFolders(Path(bentoml_home) / "models").load(tags[1.0]).manifest.environment
    home = tmp_path_factory.mktemp("gateway")
    settings = LocalSettings(home=home, bentoml_home=Path(bentoml_home))
    built = GatewayBuilder(built_images, lambda: envoy_binary(settings)).build(base, environment, lambda _: None)
    return push(built_images, built, "gateway")


@pytest.fixture(scope="session")
def shipper_image(cluster, base, built_images):
    """The published image of the program that uploads records from pods to S3: its reference by digest."""
    return push(built_images, ArchivistBuilder(built_images).build(base, "s3://records", lambda _: None), "archivist")


@pytest.fixture(scope="session")
def publishing(base, gateway_image):
    """The variables of a user who publishes to the registry, and whose gateways have the image."""
    return {
        "NBDEPLOY_KUBERNETES__GATEWAY_IMAGE": str(gateway_image),
        "NBDEPLOY_PUBLISH_TO": f"{REGISTRY}/team/{{name}}",
        "NBDEPLOY_BASE_IMAGE": base,
    }


@pytest.fixture(scope="module")
def operator(cluster, namespace, publishing, models, tmp_path_factory):
    """A user's home: ``deploy TAG --trust --target kubernetes`` publishes to the registry and runs in the namespace.

    The user has the rights of the Role that an administrator binds, and no other.
    """
    made = make_home(tmp_path_factory.mktemp("operator") / "home")
    made.environment |= {
        "KUBECONFIG": str(cluster.user("ada", made.path)),
        "NBDEPLOY_KUBERNETES__NAMESPACE": namespace,
        **publishing,
    }
    bentoml_home = tmp_path_factory.mktemp("operator") / "bentoml"
    shutil.copytree(models[1], bentoml_home)
    made.environment["BENTOML_HOME"] = str(bentoml_home)
    store = made.path / "nbdeploy" / "images"  # layers of dependencies that an earlier session installed
    store.parent.mkdir(parents=True, exist_ok=True)
    if (folder() / "images-of-tests").exists():
        shutil.copytree(folder() / "images-of-tests", store, copy_function=_link)
    yield made
    made.run("down", "--target", "kubernetes", check=False)
    made.down()


@pytest.fixture(scope="module")
def administer(cluster, operator, namespace):
    """Do as docs/kubernetes.md tells an administrator, with options of ``manifests --rbac``."""

    def applied(*options):
        rights = operator.path / "rights.yaml"
        rights.write_text(operator.run("manifests", "--rbac", *options, "-o", "yaml").stdout)
        cluster.kubectl("apply", "-f", rights)
        rights.unlink()  # it has the Secret
        bound = ("rolebinding", "nbdeploy-users", f"--role={USERS}", f"--group={GROUP}")
        cluster.kubectl("-n", namespace, "create", *bound)

    return applied


@pytest.fixture(scope="module")
def prepared(operator, administer):
    """The user in a namespace with the rights, the account and the Secret that its administrator applies."""
    administer("--open")
    return operator


@pytest.fixture(scope="module")
def bucket():
    """A bucket of S3 for the file."""
    made = Bucket()
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture(scope="module")
def recording(prepared, cluster, namespace, bucket, shipper_image):
    """The user, whose pods upload to the bucket."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bucket"}, "stringData": bucket.variables}
    cluster.kubectl("-n", namespace, "apply", "-f", "-", document=secret)
    prepared.environment |= bucket.variables | {
        "NBDEPLOY_RECORDS_TO": bucket.url,
        "NBDEPLOY_KUBERNETES__SHIPPER_IMAGE": str(shipper_image),
        "NBDEPLOY_KUBERNETES__RECORDS_SECRET": "bucket",
    }
    return prepared


@pytest.fixture(scope="module")
def colleague(recording, cluster, tmp_path_factory):
    """Another user of the namespace, who has no snapshot."""
    made = make_home(tmp_path_factory.mktemp("colleague") / "home")
    own = {"NBDEPLOY_HOME": made.environment["NBDEPLOY_HOME"], "KUBECONFIG": str(cluster.user("grace", made.path))}
    made.environment = recording.environment | own
    return made


@pytest.fixture
def explained(cluster, namespace, request):
    """After a failure: the namespace's pods, events and logs."""
    yield
    print(cluster.explained(namespace))


def _link(source, target):
    try:
        Path(target).hardlink_to(source)
    except OSError:  # the cache is on another file system
        shutil.copy2(source, target)


@pytest.fixture
def apply(cluster, namespace):
    """Make objects in the namespace."""

    def run(*objects):
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        cluster.kubectl("-n", namespace, "apply", "-f", "-", document=document)
        return json.loads(json.dumps(document))

    return run
