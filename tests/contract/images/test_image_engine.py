"""Images by a container engine: the daemonless builder's files, in layers that are reproducible.

The base is a real Debian, since programs run in it; the lock is two small wheels, one of a local distribution.
``tests/e2e/images/test_publish.py`` runs an image by an engine.
"""

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from jupyter_deploy.container_images import container_engines
from jupyter_deploy.container_images import wheels as wheels_module
from jupyter_deploy.container_images.engine_builder import EngineBuilder
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.container_images.package_indexes import indexes
from jupyter_deploy.domain.errors import ImageNotBuilt, InvalidInput, ToolMissing
from jupyter_deploy.domain.images.images import labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from jupyter_deploy.environments.module_origins import LocalDistribution
from tests.contract.image_workshop import Index, locked, moved, own_project, workshop
from tests.contract.images.test_isolated import write_wheel
from tests.images import Engine, shared_base
from tests.registries import Authority

__all__ = ["workshop"]

# A Debian is fetched, and every step of an engine copies it.
pytestmark = [pytest.mark.timeout(900), pytest.mark.exhaustive]

LOCK = {"own-flower": "1.0", "tiny_flower": "1.0"}


@dataclass
class Bench:
    """A folder of wheels and no index, a project, an engine, a store, and the messages of its builds."""

    folder: Path
    base: str
    engine: Engine
    store: ImageFolder
    told: list

    def plan(self, snapshot, bento, lock=LOCK):
        return ImagePlan(locked(snapshot, lock), bento, self.base, labels_of(snapshot))

    def builds(self, plan):
        builder = EngineBuilder(self.store)
        builder.check(plan)
        return builder.build(plan, self.told.append)

    def config(self, image):
        return json.loads(self.store.blob(self.store.manifest(image.digest)["config"]["digest"]).read_bytes())

    def in_engine(self):
        """The images and containers that it has."""
        return set(self.engine.run("images", "--all", "--quiet").split()), self.engine.run(
            "ps", "--all", "--external", "--quiet"
        ).split()


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    engine = Engine(folder / "engine")
    write_wheel(folder / "wheels", "1.0")
    source = own_project(folder / "own")
    temporary = folder / "tmp"  # where engines keep what they download
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", str(folder / "wheels"))
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("TMPDIR", str(temporary))
        for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"):
            patch.setenv(name, engine.environment[name])
        patch.setattr(wheels_module, "_of", lambda _: [LocalDistribution("own-flower", "1.0", source, editable=True)])
        yield Bench(folder, shared_base(tmp_path_factory), engine, ImageFolder(folder / "images"), [])
    engine.clear()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def built(bench, workshop):
    """The first image, and the one without an engine of the same plan."""
    plan = bench.plan(*workshop["first"])
    return bench.builds(plan), DaemonlessBuilder(bench.store).build(plan, lambda _: None)


def files_in(store, layer):
    """Name -> mode and content, or where a link leads; of bytecode, which another patch version wrote, that it is."""
    with tarfile.open(store.blob(layer.digest)) as tar:
        found = {}
        for member in tar:
            content = tar.extractfile(member).read() if member.isfile() else member.linkname
            if not member.isdir():
                found[member.name] = (member.mode, b"" if member.name.endswith(".pyc") else content)
            elif member.name.startswith("opt/nbdeploy/bentoml"):
                found[member.name] = member.mode, None
            assert (member.uid, member.gid, member.mtime) == (0, 0, 0), member.name
        return found


def test_it_has_the_same_files_in_the_same_layers_as_without_an_engine(bench, built):
    image, other = built
    assert (image.builder, image.snapshot, image.base, image.python) == (
        "engine",
        other.snapshot,
        other.base,
        other.python,
    )
    assert [(one.kind, one.title.split(",")[0]) for one in image.layers] == [
        (one.kind, one.title.split(",")[0]) for one in other.layers
    ]
    for one, two in zip(image.layers, other.layers, strict=True):
        if one.kind == "base":
            assert one == two
        else:
            assert files_in(bench.store, one) == files_in(bench.store, two), one.title
    names = files_in(bench.store, next(one for one in image.layers if one.kind == "dependencies"))
    assert "opt/nbdeploy/venv/bin/flower" in names, "what only exists here has come"


def test_what_it_says_of_its_containers_is_the_same(bench, built):
    one, two = (bench.config(image) for image in built)
    for what in ("User", "Env", "Entrypoint", "ExposedPorts", "Labels", "StopSignal", "WorkingDir"):
        assert one["config"].get(what) == two["config"].get(what), what
    assert not one["config"].get("Cmd")
    assert (one["os"], one["architecture"]) == (two["os"], two["architecture"])


def test_progress_is_reported_and_the_containerfile_is_stored_with_the_image(bench, built):
    image, other = built
    assert [words for words in bench.told if "step 1 of" in words]
    recipe = bench.store.containerfile(image.digest)
    assert "FROM base AS dependencies" in recipe.read_text()
    assert {path.name for path in recipe.parent.iterdir()} == {"Containerfile", "requirements.txt", "tidy.py"}
    assert bench.store.containerfile(other.digest) is None
    bench.store.remove([image.digest], dry_run=False)
    assert bench.store.containerfile(image.digest) is None


def test_a_line_of_code_makes_one_small_layer_and_other_weights_two(bench, built, workshop):
    first, _ = built
    code, weights = (bench.builds(bench.plan(*workshop[what])) for what in ("code", "weights"))
    new = [layer for layer in code.layers if layer not in first.layers]
    assert [layer.title for layer in new] == ["bento"]
    assert new[0].size <= 64 << 10
    assert [layer.kind for layer in weights.layers if layer not in first.layers] == ["model", "code"]


BUILD = """
import json, os, sys
from pathlib import Path
from jupyter_deploy.container_images import wheels
from jupyter_deploy.container_images.engine_builder import EngineBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.environments.module_origins import LocalDistribution
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot
from jupyter_deploy.domain.images.ports import ImagePlan
given = json.loads(sys.stdin.read())
os.umask(0o077)
wheels._of = lambda _: [LocalDistribution("own-flower", "1.0", Path(given["own"]), editable=True)]
snapshot, bento = Snapshot.model_validate(given["snapshot"]), Bento.model_validate(given["bento"])
plan = ImagePlan(snapshot, bento, given["base"], given["labels"])
print(EngineBuilder(ImageFolder(Path(given["store"]))).build(plan, lambda _: None).digest)
"""


@contextlib.contextmanager
def building(plan, store, own, **environment):
    """A build in another process."""
    told = {"snapshot": plan.snapshot.model_dump(mode="json"), "bento": plan.bento.model_dump(), "base": plan.base}
    told |= {"labels": dict(plan.labels), "store": str(store), "own": str(own)}
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD], env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.communicate()


def test_another_home_folder_umask_time_zone_and_storage_make_the_same_digest(bench, built, workshop, tmp_path):
    image, _ = built
    plan = bench.plan(*workshop["first"])
    elsewhere = moved(plan, workshop["first"][0], tmp_path / "another" / "home")
    base, _, tag = bench.base.removeprefix("oci:").rpartition(":")
    shutil.copytree(base, tmp_path / "base")
    shutil.copytree(bench.folder / "wheels", tmp_path / "wheels")
    elsewhere = ImagePlan(elsewhere.snapshot, elsewhere.bento, f"oci:{tmp_path}/base:{tag}", elsewhere.labels)
    own = own_project(tmp_path / "own")
    fresh = Engine(tmp_path / "engine")  # which has kept nothing
    (tmp_path / "tmp").mkdir()
    settings = {name: fresh.environment[name] for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF")}
    settings |= {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "TMPDIR": str(tmp_path / "tmp")}
    settings |= {"PIP_FIND_LINKS": str(tmp_path / "wheels")}
    try:
        with building(elsewhere, tmp_path / "images", own, **settings) as process:
            out, said = process.communicate()
    finally:
        fresh.clear()
    assert process.returncode == 0, said
    made = ImageFolder(tmp_path / "images").image(out.strip())
    assert [layer.digest for layer in made.layers] == [layer.digest for layer in image.layers]
    assert made.digest == image.digest


@pytest.fixture
def asked(bench, monkeypatch, tmp_path):
    """The address of a package index with a password and a certificate of a private CA."""
    authority = Authority(tmp_path / "authority")
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(*authority.certified("DNS:localhost", "IP:127.0.0.1"))
    (wheel,) = (bench.folder / "wheels").glob("*.whl")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, wheel))
    server.socket = trusted.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_CERT", str(authority.certificate))
    yield f"127.0.0.1:{server.server_port}", authority.certificate
    server.shutdown()
    server.server_close()


def test_no_layer_argument_or_history_holds_a_password_or_the_companys_certificate(
    bench,
    workshop,
    asked,
    monkeypatch,
    tmp_path,
):
    place, certificate = asked
    noted = tmp_path / "netrc"
    noted.write_text("machine other.example login ada password s3cret-of-netrc\n")
    monkeypatch.setenv("NETRC", str(noted))
    monkeypatch.setenv("PIP_INDEX_URL", f"https://ada:s3cret-of-ada@{place}/simple/")
    plan = bench.plan(*workshop["first"], {"tiny_flower": "1.0"})
    image = bench.builds(plan)
    assert "tiny_flower.py" in str(files_in(bench.store, image.layers[1]).keys())
    body = certificate.read_text().splitlines()[1].encode()
    secrets = (b"s3cret", body)
    for layer in image.layers:
        with tarfile.open(bench.store.blob(layer.digest)) as tar:
            for member in tar:
                content = tar.extractfile(member).read() if member.isfile() else b""
                assert not [one for one in secrets if one in content], member.name
                assert not member.name.startswith(("run/secrets", "build", "code", "var/cache/uv")), member.name
    for path in bench.store.folder.rglob("*"):
        assert path.is_dir() or not [one for one in secrets if one in path.read_bytes()], path
    history = bench.engine.run(
        "history", "--no-trunc", "--format", "json", f"localhost/nbdeploy/{plan.snapshot.manifest.name}"
    )
    assert "s3cret" not in history

    monkeypatch.setenv("PIP_INDEX_URL", f"https://ada:s3cret-of-eve@{place}/another/")
    with pytest.raises(ImageNotBuilt, match="could not be installed") as failed:
        bench.builds(plan)
    assert "tiny-flower" in failed.value.details
    assert "s3cret" not in str(failed.value)
    assert "pip wheel" in failed.value.remedy


def test_what_is_cut_off_leaves_no_process_container_or_image(bench, built, workshop, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    plan = bench.plan(*workshop["first"], {"tiny_flower": "1.0", "never": "1.0"})
    before = bench.in_engine()
    with socket.create_server(("127.0.0.1", 0)) as index:  # it takes a call, and never answers
        index.settimeout(300)
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple/"
        settings = {"PIP_INDEX_URL": address, "NO_PROXY": "127.0.0.1"}
        with building(plan, bench.store.folder, bench.folder / "own", **settings) as process:
            call, _ = index.accept()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
        assert process.returncode
        assert "KeyboardInterrupt" in said
        call.settimeout(60)
        while call.recv(4096):  # who called has gone
            pass
        call.close()
    after = bench.in_engine()
    assert (after[0] ^ before[0], after[1]) == (set(), before[1])
    assert not (bench.store.folder / "making").exists()
    assert bench.builds(bench.plan(*workshop["first"])).digest == built[0].digest


def test_without_an_engine_the_error_names_programs_and_the_default_builder(bench, workshop, monkeypatch, tmp_path):
    plan = bench.plan(*workshop["first"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="no container engine is installed") as missing:
        EngineBuilder(bench.store).check(plan)
    assert "apt-get install buildah" in missing.value.remedy
    assert "daemonless" in missing.value.remedy
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    with pytest.raises(ToolMissing, match="no container engine answers") as silent:
        container_engines.find()
    assert silent.value.details == "docker: Cannot connect to the Docker daemon"


def test_an_index_that_is_a_folder_is_refused_before_anything_is_built(bench, workshop, monkeypatch, tmp_path):
    monkeypatch.setenv("UV_INDEX", f"mine=file://{tmp_path}")
    with pytest.raises(InvalidInput, match="is a folder of this machine") as refused:
        EngineBuilder(bench.store).check(bench.plan(*workshop["first"]))
    assert "PIP_FIND_LINKS" in refused.value.remedy


def test_an_engine_builds_for_this_machines_processor_alone(bench, workshop):
    snapshot, bento = workshop["first"]
    environment = snapshot.manifest.environment.model_copy(update={"platform": "linux-s390x"})
    manifest = snapshot.manifest.model_copy(update={"environment": environment})
    with pytest.raises(InvalidInput, match="ran on linux-s390x, and an engine here builds for"):
        EngineBuilder(bench.store).check(bench.plan(snapshot.model_copy(update={"manifest": manifest}), bento))


def test_settings_of_pip_and_uv_apply_in_a_build_except_local_ones(bench, monkeypatch, tmp_path):
    for name in ("PIP_NO_INDEX", "SSL_CERT_FILE", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    for name, content in (("netrc", "machine a.example login ada password of-netrc\n"), ("ca.pem", "")):
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} https://wheels.example/all")
    monkeypatch.setenv("PIP_INDEX_URL", "https://ada:it%27s@a.example/simple")
    monkeypatch.setenv("UV_INDEX_MINE_PASSWORD", "of-mine")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    found = indexes()
    assert found.folders == (tmp_path,)
    assert {"netrc", "ca"} <= found.files.keys()
    told = json.loads(found.settings)
    wanted = {
        "UV_DEFAULT_INDEX": "https://ada:it%27s@a.example/simple",
        "UV_FIND_LINKS": "/build/tools/wheels,https://wheels.example/all",
        "UV_INDEX_MINE_PASSWORD": "of-mine",
        "NETRC": "/run/secrets/netrc",
        "SSL_CERT_FILE": "/run/secrets/ca",
    }
    assert {name: told.get(name) for name in wanted} == wanted
    assert "UV_CACHE_DIR" not in told
    assert {"it's", "it%27s", "of-mine", "of-netrc"} <= found.hidden
