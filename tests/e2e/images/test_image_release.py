"""A release that runs from its published image: pulled by its digest, behind the gateway, by podman."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import psutil
import pytest

from jupyter_deploy.container_images.attachments import Registries
from jupyter_deploy.domain.images.images import Reference
from tests.conftest import make_home
from tests.e2e.conftest import ROW, Load, until
from tests.e2e.processes import processes
from tests.e2e.registry import keys
from tests.images import Engine
from tests.registries import credentials

# A Debian is fetched, an environment is installed, compiled and packed.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.exhaustive]


class World:
    """A user with the snapshots, but not the images: an empty image store, an engine with an empty storage.

    ``stable`` is a snapshot's tag that runs from its bento, ``published`` one with an image in the registry.
    """

    def __init__(self, folder, engine, registry_world, built):
        self.engine, self.folder, self.keys = engine, folder, registry_world.keys
        self.home = make_home(folder / "home")
        tags, self.home.environment["BENTOML_HOME"] = built.snapshots
        self.stable, self.published = tags[0.01], tags[1.0]
        self.place = Reference(registry=registry_world.registry.host, repository="team/churn")
        self.home.environment |= {
            "REGISTRY_AUTH_FILE": str(credentials(folder / "auth.json", registry_world.registry.host)),
            "SSL_CERT_FILE": str(registry_world.authority.certificate),
            "COSIGN_PASSWORD": "",
        }
        engines = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "PODMAN_IGNORE_CGROUPSV1_WARNING")
        self.home.environment |= {name: engine.environment[name] for name in engines}

    def deploys(self, *arguments):
        return self.home.json("deploy", *arguments, "--name", "churn", "--trust", timeout=300)

    def refused(self, *arguments, **changed):
        """The exit code and the output."""
        before = self.home.environment
        self.home.environment = before | changed
        try:
            ended = self.home.run("deploy", *arguments, "--name", "churn", "--trust", check=False)
        finally:
            self.home.environment = before
        assert ended.returncode, ended.stdout
        return ended.returncode, ended.stderr

    @property
    def url(self):
        return self.home.json("describe", "churn")["url"]

    def release(self, tag):
        """Its description."""
        return next(one for one in self.home.json("describe", "churn")["releases"] if one["tag"] == tag)

    def containers(self):
        return self.engine.run("ps", "--all", "--format", "{{.Names}}").splitlines()

    def pids(self):
        """Process ids of the engine's client, of its monitor, and of the container, where they run."""
        (name,) = self.containers()
        ids = self.engine.run("container", "inspect", "--format", "{{.State.Pid}} {{.State.ConmonPid}}", name)
        container, monitor = map(int, ids.split())
        (client,) = [one.pid for one in psutil.process_iter() if f"--name={name}" in _line(one)]
        return {"client": client, "monitor": monitor, "container": container}

    def loses_its_runtime(self, *more):
        """All its processes and these are killed at one moment, and the runtime directory is removed."""
        found = [one.pid for one in processes(self.home)]
        runtime = psutil.Process(found[0]).cwd().removesuffix("/empty")
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in {*found, *more}:
                os.kill(pid, number)
        until(lambda: not (processes(self.home) or set(more) & set(self.serving())))
        shutil.rmtree(runtime)

    def serving(self):
        """The containers' processes that serve from the image, without their child processes."""
        lines = {one.pid: " ".join(_line(one)) for one in psutil.process_iter()}
        return [pid for pid, line in lines.items() if "/serving/container.py --uds" in line and _is_first(pid)]


def _is_first(pid):
    """Whether it is the first process of a container."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    (ids,) = [line.split() for line in status.splitlines() if line.startswith("NSpid:")]
    return ids[-1] == "1"


def _line(process):
    try:
        return process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.Error:
        return []


def answered(url):
    try:
        return httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def world(tmp_path_factory, engine, registry_world, built):
    folder = tmp_path_factory.mktemp("image-release")
    made = World(folder, engine, registry_world, built)
    store, image = built.store, built.image
    told = pytest.MonkeyPatch()
    for name in ("REGISTRY_AUTH_FILE", "SSL_CERT_FILE", "COSIGN_PASSWORD"):
        told.setenv(name, made.home.environment[name])
    Registries().push(image, store.folder, made.place.at(tag="one"), print)
    made.exact = made.place.at(digest=image.digest)
    Registries().sign(made.exact, registry_world.keys[0])
    told.undo()
    yield made
    made.home.down()
    assert made.containers() == []


@pytest.fixture(scope="module")
def shadow(world):
    """The endpoint's stable release is a process; a shadow of it runs from the image, which its signer vouches for."""
    world.deploys(world.stable)
    key = str(world.keys[1])
    return world.deploys("--image", f"{world.place}:one", "--verify", key, "--resources", "memory=2GB")


@pytest.fixture(scope="module")
def promoted(world, shadow):
    """The shadow got requests for a while, was compared and promoted, and no client noticed."""
    with Load(world.url) as load:
        load.wait_for(30)
        until(lambda: world.home.json("compare", "churn")["pairs"] >= 30)
        compared = world.home.json("compare", "churn")
        world.home.run("promote", "churn")
        load.wait_for(30)
    return load, compared


def test_what_the_image_says_is_deployed_by_its_digest_with_no_rights_at_all(world, shadow):
    assert (shadow["release"], shadow["role"], shadow["image"]) == (world.published, "shadow", str(world.exact))
    assert world.release(world.published)["image"] == shadow["image"]
    assert world.release(world.stable)["image"] is None
    (name,) = world.containers()
    said = world.engine.run("container", "inspect", "--format", "{{json .}}", name)
    for words in ('"NetworkMode":"none"', '"ReadonlyRootfs":true', '"Memory":2000000000', '"User":"65532:65532"'):
        assert words in said.replace('": ', '":')
    assert '"EffectiveCaps":[]' in said or '"EffectiveCaps":null' in said
    assert world.engine.run("container", "inspect", "--format", "{{.ImageName}}", name) == shadow["image"]


def test_it_is_compared_like_any_other_and_promoted_while_no_request_fails(world, shadow, promoted):
    load, compared = promoted
    assert load.failures == []
    assert {version for _, version in load.answers} == {world.stable, world.published}
    assert load.answers[-1][1] == world.published
    assert compared["candidate"] == world.published
    assert compared["pairs"] >= 30
    assert compared["agreement"]["value"] > 0.5, "two models of the same data"
    records = world.home.json("logs", "churn", "--role", "shadow", "--limit", "100")
    answered = [one for one in records if one["status"] == 200]  # the promotion may cut a copy off before it is read
    assert {one["release"] for one in answered} == {world.published}
    assert all("weight" in one["inputs"][0] for one in answered), "with what was asked"
    changes = [one["change"] for one in world.home.json("history", "churn")]
    assert any(f"runs from {shadow['image']}" in change for change in changes)


def test_gc_knows_that_the_endpoint_uses_the_image(world, promoted):
    (one,) = world.home.json("images")["images"]
    assert "churn (stable)" in one["used_by"]
    assert world.home.json("gc")["removed"] == []


@pytest.mark.parametrize("who", ["client", "monitor", "container"])
def test_whoever_is_killed_it_comes_back_and_never_runs_twice(world, promoted, who):
    before = world.pids()
    os.kill(before[who], signal.SIGKILL)

    def another():
        serving = world.serving()
        assert len(serving) <= 1
        return serving and before["container"] not in serving and answered(world.url)

    until(another, timeout=120)
    after = world.pids()
    assert not set(before.values()) & set(after.values())
    until(lambda: world.release(world.published)["healthy"])


def test_moved_to_its_bento_and_back_no_request_fails(world, promoted):
    with Load(world.url) as load:
        world.deploys(world.published)
        assert (world.release(world.published)["image"], world.containers()) == (None, [])
        world.home.run("rollback", "churn")
        load.wait_for(10)
    assert load.failures == []
    assert world.release(world.published)["image"] == str(world.exact)
    assert len(world.containers()) == 1


def test_after_a_reboot_reconcile_brings_it_back(world, promoted):
    url = world.url
    world.loses_its_runtime(*world.pids().values())
    assert world.serving() == []
    world.home.run("reconcile")
    assert answered(url)
    assert len(world.containers()) == 1


def test_with_several_workers_it_is_started_beside_what_runs_and_a_killed_worker_is_replaced(world, promoted):
    with Load(world.url) as load:
        world.deploys("--image", str(world.exact), "--resources", "workers=2")
        load.wait_for(10)
    assert load.failures == []
    assert any("2 workers, in one container" in line for line in world.release(world.published)["limits"])
    assert len(world.containers()) == 1

    def workers():
        """Children of the process that they are forked from, the first one's only child."""
        (pool,) = psutil.Process(world.serving()[0]).children()
        return {one.pid for one in pool.children()}

    before = workers()
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    until(lambda: len(workers()) == 2 and min(before) not in workers())
    assert answered(world.url)


def test_down_ends_a_container_also_where_its_runtime_directory_was_removed(world, promoted):
    world.loses_its_runtime()
    assert len(world.serving()) == 1
    world.home.run("down")
    assert (world.containers(), world.serving()) == ([], [])
    world.home.run("reconcile")
    assert len(world.containers()) == 1


def test_stopped_or_taken_down_no_container_is_left(world, promoted):
    world.home.run("down")
    assert world.containers() == []
    world.home.run("reconcile")
    assert len(world.containers()) == 1
    world.home.run("stop", "churn")
    assert world.containers() == []
    world.home.run("rollback", "churn")
    assert answered(world.url)


def test_an_image_of_another_snapshot_is_refused(world, promoted):
    code, said = world.refused(world.stable, "--image", f"{world.place}:one")
    assert code == 1
    assert f"{world.exact} is of {world.published}, not of {world.stable}" in said


def test_an_image_that_is_not_there_is_refused(world):
    code, said = world.refused("--image", f"{world.place}:two")
    assert code == 2
    assert f"there is no image {world.place}:two" in said


def test_an_image_that_somebody_else_signed_is_refused_and_nothing_starts(world, promoted, tmp_path):
    _, other = keys(tmp_path / "other")
    before = world.home.json("describe", "churn")["revision"]
    code, said = world.refused("--image", str(world.exact), "--verify", str(other))
    assert code == 1
    assert "NOT signed" in said
    assert world.home.json("describe", "churn")["revision"] == before


def test_without_an_engine_the_error_names_programs_to_install(world, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "skopeo").symlink_to(shutil.which("skopeo"))
    code, said = world.refused("--image", str(world.exact), PATH=str(bare))
    assert code == 3
    assert "neither podman nor docker is installed" in said


def test_what_a_container_cannot_have_is_refused(world):
    code, said = world.refused("--image", str(world.exact), "--resources", "gpu=0")
    assert code == 2
    assert "has no GPU, and gpu=0 is requested" in said


ROOT = os.geteuid() == 0
USER = 54321 if ROOT else os.geteuid()

# /etc says in a mount namespace of its own, and nowhere else, that there is a user with ids below.
AS_USER = """
for file in passwd group subuid subgid; do mount --bind "$HOME/etc/$file" "/etc/$file"; done
exec setpriv --reuid=$0 --regid=$0 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search "$@"
"""

LIFE = """
"$0" -m jupyter_deploy deploy --image "$1" --trust -o json
"$0" -m jupyter_deploy predict churn -o json
podman ps --format '{{.Image}}'
"$0" -m jupyter_deploy down
podman ps --all --quiet
"""


def test_without_root_it_runs_too_and_its_records_are_the_users(built):
    folder = Path(tempfile.mkdtemp(prefix="nbd-rootless-", dir="/tmp"))
    home = make_home(folder)
    for name, line in {"passwd": f"bo:x:{USER}:{USER}::{folder}:/bin/sh", "group": f"bo:x:{USER}:",
                       "subuid": "bo:200000:65536", "subgid": "bo:200000:65536"}.items():  # fmt: skip
        (folder / "etc").mkdir(exist_ok=True)
        (folder / "etc" / name).write_text(f"{Path('/etc', name).read_text()}{line}\n")
    (folder / "run").mkdir()
    (folder / ".config" / "containers").mkdir(parents=True)
    (folder / ".config" / "containers" / "storage.conf").write_text('[storage]\ndriver = "vfs"\n')
    shutil.copytree(built.store.folder, folder / "nbdeploy" / "images")
    shutil.copytree(Path(built.snapshots[1]) / "models", folder / "bentoml" / "models")
    engine = Engine(folder / "engine")
    for path in (folder, *folder.rglob("*")) if ROOT else ():
        os.lchown(path, USER, USER)
    environment = home.environment | engine.environment | {
        "HOME": str(folder), "USER": "bo", "XDG_RUNTIME_DIR": str(folder / "run"), "TMPDIR": str(folder / "run"),
    }  # fmt: skip
    del environment["CONTAINERS_STORAGE_CONF"]
    image = f"localhost:1/team/churn@{built.image.digest}"
    as_user = ["unshare", "--mount", "sh", "-e", "-c", AS_USER, str(USER)] if ROOT else []
    try:
        ended = subprocess.run(
            [*as_user, "sh", "-e", "-c", LIFE, sys.executable, image],
            env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        deployed, predicted, running, *rest = ended.stdout.splitlines()
        assert (json.loads(deployed)["image"], json.loads(predicted)["status"], running) == (image, 200, image)
        assert "1 endpoint" in rest[0]
        assert len(rest) == 1, "no container is left"
        (records,) = (folder / "nbdeploy" / "records" / "churn").glob("*/*")
        assert records.stat().st_uid == USER
    finally:
        for pause in (folder / "run").rglob("pause.pid"):
            os.kill(int(pause.read_text()), signal.SIGKILL)
        shutil.rmtree(folder)
