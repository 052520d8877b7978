"""Images without an engine: the same wherever they are built, small when little changed, nothing private in them.

The base only says what it is, and the lock is one small wheel; ``tests/e2e/test_image_running.py`` builds what runs.
"""

import base64
import http.server
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.container_images import wheels as wheels_module
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import BaseUnfit, ImageNotBuilt, InvalidInput, ToolMissing
from jupyter_deploy.domain.images.images import labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from jupyter_deploy.environments.module_origins import LocalDistribution
from tests.contract.test_data_files import capture, function
from tests.contract.test_isolated import write_wheel
from tests.images import tar_of, unpacked, write_layout, write_small_base

READ = "def f(x):\n    return len(open('weights.bin', 'rb').read()) + {}"


def locked(snapshot, lock):
    """The snapshot as if its model needed these distributions."""
    environment = snapshot.manifest.environment.model_copy(update={"distributions": lock})
    return snapshot.model_copy(update={"manifest": snapshot.manifest.model_copy(update={"environment": environment})})


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """Three snapshots and their bentos: of one model, of it with another line of code, and with other weights."""
    root = tmp_path_factory.mktemp("workshop")
    project = root / "project"
    project.mkdir()
    capturer, builder = ModelCapturer(root / "bentoml", Tolerance(), 120), BentoBuilder(root / "bentoml")
    made = {}
    before = Path.cwd()
    os.chdir(project)
    try:
        for what, line, weights in (("first", "1", b"1"), ("code", "2", b"1"), ("weights", "1", b"22")):
            (project / "weights.bin").write_bytes(weights * (2 << 20))
            snapshot = capture(capturer, function(READ.format(line)), project)
            made[what] = snapshot, builder.build(snapshot)
    finally:
        os.chdir(before)
    return made


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder with the lock's one wheel, and no index."""
    folder = tmp_path / "wheels"
    write_wheel(folder, "1.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def base(tmp_path):
    return write_small_base(tmp_path / "base")


@pytest.fixture
def store(tmp_path):
    return ImageFolder(tmp_path / "images")


@pytest.fixture
def plan(workshop, base):
    def made(what="first", base=base, lock=None, **options):
        snapshot, bento = workshop[what]
        snapshot = locked(snapshot, lock or {"tiny_flower": "1.0"})
        return ImagePlan(snapshot, bento, base, labels_of(snapshot, validation=None), **options)

    return made


def build(store, plan):
    builder = DaemonlessBuilder(store)
    builder.check(plan)
    return builder.build(plan, lambda _: None)


def test_it_is_served_by_the_bases_python_from_the_bento(store, plan, wheels, workshop):
    image = build(store, plan())
    config = json.loads(store.blob(store.manifest(image.digest)["config"]["digest"]).read_bytes())
    about = config["config"]
    name, _, version = image.snapshot.partition(":")
    program = f"/opt/nbdeploy/bentoml/bentos/{name}/{version}/src/serving/container.py"
    assert about["Entrypoint"] == ["/opt/nbdeploy/venv/bin/python", "-P", program]
    assert (about["User"], about["StopSignal"]) == ("65532:65532", "SIGTERM")
    assert about["ExposedPorts"] == {"8080/tcp": {}}
    assert {"BENTOML_HOME=/opt/nbdeploy/bentoml", "PYTHONDONTWRITEBYTECODE=1"} < set(about["Env"])
    assert about["Env"][0].startswith("PATH=/opt/nbdeploy/venv/bin:/usr/local/sbin:")
    assert about["Labels"]["io.nbdeploy.snapshot.digest"] == workshop["first"][0].digest
    assert (image.python, image.platform.partition("/")[0]) == ("3.11.2", "linux")
    assert [layer.kind for layer in image.layers] == ["base", "dependencies", "model", "code", "code"]


def test_the_snapshots_files_are_those_that_were_captured(store, plan, wheels, workshop):
    snapshot, _ = workshop["first"]
    files = {name: content for layer in unpacked(store, build(store, plan())) for name, (_, content) in layer.items()}
    for name in ("snapshot.json", *snapshot.manifest.files):
        assert files[f"opt/nbdeploy/snapshot/{name}"] == (Path(snapshot.path) / name).read_bytes()
    assert "opt/nbdeploy/snapshot/imports.json" not in files


def test_a_line_of_code_makes_one_small_layer_and_other_weights_two(store, plan, wheels):
    first, code, weights = (build(store, plan(what)) for what in ("first", "code", "weights"))
    new = [layer for layer in code.layers if layer not in first.layers]
    assert [layer.title for layer in new] == ["bento"]
    assert new[0].size <= 64 << 10
    assert [layer.kind for layer in weights.layers if layer not in first.layers] == ["model", "code"]


BUILD = """
import json, os, sys, time
from pathlib import Path
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot
from jupyter_deploy.domain.images.ports import ImagePlan
given = json.loads(sys.stdin.read())
os.umask(int(given["umask"], 8))
seen = 0

def count(event, arguments):  # be killed before the so many-th change of the file system
    global seen
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    if writes or event in ("os.rename", "os.remove", "subprocess.Popen"):
        seen += 1
        if seen == given["die_at"]:
            os.kill(os.getpid(), 9)

sys.addaudithook(count)
snapshot, bento = Snapshot.model_validate(given["snapshot"]), Bento.model_validate(given["bento"])
plan = ImagePlan(snapshot, bento, given["base"], given["labels"])
image = DaemonlessBuilder(ImageFolder(Path(given["store"]))).build(plan, lambda _: None)
print(json.dumps([image.digest, seen]))
"""


def build_elsewhere(store, plan, umask="022", die_at=0, **environment):
    """In another process; its exit status, digest and changes of the file system."""
    told = {"snapshot": plan.snapshot.model_dump(mode="json"), "bento": plan.bento.model_dump(), "base": plan.base}
    told |= {"labels": dict(plan.labels), "store": str(store.folder), "umask": umask, "die_at": die_at}
    ended = subprocess.run(
        [sys.executable, "-c", BUILD],
        input=json.dumps(told),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode, *(json.loads(ended.stdout) if ended.stdout else (None, None))


def moved(plan, captured, home):
    """The same snapshot in another home, with a bento that is built there."""
    name, _, version = plan.snapshot.tag.partition(":")
    place = home / "models" / name / version
    shutil.copytree(plan.snapshot.path, place)
    described = (place / "model.yaml").read_text()
    before = described.partition("creation_time: '")[2][:4]
    (place / "model.yaml").write_text(described.replace(f"creation_time: '{before}", "creation_time: '2031"))
    snapshot = plan.snapshot.model_copy(update={"path": str(place)})
    bento = BentoBuilder(home).build(captured.model_copy(update={"path": str(place)}))
    return ImagePlan(snapshot, bento, plan.base, plan.labels)


def test_another_home_folder_umask_and_time_zone_make_the_same_digest(store, plan, wheels, tmp_path, workshop):
    wanted = build(store, plan())
    elsewhere = moved(plan(), workshop["first"][0], tmp_path / "another" / "home")
    (wheels / "tiny_flower-1.0-py3-none-any.whl").rename(tmp_path / "tiny_flower-1.0-py3-none-any.whl")
    shutil.copytree(tmp_path / "base", tmp_path / "moved" / "base")
    elsewhere = ImagePlan(elsewhere.snapshot, elsewhere.bento, f"oci:{tmp_path}/moved/base:base", elsewhere.labels)
    there = ImageFolder(tmp_path / "another" / "images")
    settings = {"TZ": "Asia/Tokyo", "PIP_FIND_LINKS": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache")}
    settings |= {"PYTHONHASHSEED": "7", "LC_ALL": "C"}
    _, digest, _ = build_elsewhere(there, elsewhere, umask="077", **settings)
    made = there.image(digest)
    assert unlike(store, wanted, there, made) == []
    assert made == wanted.model_copy(update={"base": made.base})  # whose name tells where it was found
    assert digest == wanted.digest


def unlike(store, one, there, other):
    """What differs in the layers of two images."""
    pairs = zip(unpacked(store, one), unpacked(there, other), strict=True)
    return [
        name
        for left, right in pairs
        for name in sorted(left.keys() | right.keys())
        if name not in left
        or name not in right
        or left[name][1] != right[name][1]
        or left[name][0].get_info() != right[name][0].get_info()
    ]


def test_a_build_that_is_killed_anywhere_leaves_a_store_that_works(store, plan, wheels, tmp_path):
    wanted = build(store, plan())
    _, digest, changes = build_elsewhere(ImageFolder(tmp_path / "whole"), plan())
    assert digest == wanted.digest
    kills = 0
    killed = ImageFolder(tmp_path / "killed")
    for step in sorted({1, 2, 3, *range(4, changes, max(1, changes // 8)), changes}):
        shutil.rmtree(killed.folder, ignore_errors=True)
        status, _, _ = build_elsewhere(killed, plan(), die_at=step)
        kills += status == -signal.SIGKILL
        assert [image.digest for image in killed.images()] in ([], [wanted.digest])
        assert build(killed, plan()) == wanted
        assert not (killed.folder / "making").exists()
        assert killed.remove([wanted.digest], dry_run=False) > 0
        assert list((killed.folder / "blobs" / "sha256").iterdir()) == []
    assert kills >= 8


def test_the_layer_of_a_lock_is_made_once_and_without_its_blob_again(store, plan, wheels):
    first = build(store, plan())
    (wheels / "tiny_flower-1.0-py3-none-any.whl").rename(wheels.parent / "tiny_flower-1.0-py3-none-any.whl")
    told = []
    DaemonlessBuilder(store).build(plan("code"), told.append)
    assert "1 distributions: kept from an earlier build" in told
    store.blob(next(layer.digest for layer in first.layers if layer.kind == "dependencies")).unlink()
    with pytest.raises(ImageNotBuilt) as failed:
        build(store, plan())
    assert "tiny-flower==1.0" in failed.value.details
    assert "pip wheel" in failed.value.remedy


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one wheel, for who has the password."""

    def __init__(self, wheel, *arguments):
        self.wheel = wheel
        super().__init__(*arguments)

    def do_GET(self):
        wanted = "Basic " + base64.b64encode(b"ada:s3cret-of-ada").decode()
        if self.headers.get("authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        page = self.path.endswith("/")
        content = f'<a href="/{self.wheel.name}">{self.wheel.name}</a>'.encode() if page else self.wheel.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_HEAD(self):
        self.send_response(405)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def index(wheels, monkeypatch):
    (wheel,) = wheels.glob("*.whl")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, wheel))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_no_credential_and_nothing_of_this_machine_is_in_a_layer_or_the_store(
    store, plan, index, monkeypatch, tmp_path
):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://ada:s3cret-of-ada@127.0.0.1:{index}/simple/")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    image = build(store, plan())
    found = unpacked(store, image)
    names = {name for layer in found for name in layer}
    assert "opt/nbdeploy/venv/lib/python3.11/site-packages/tiny_flower.py" in names
    assert not [name for name in names if name.endswith(("INSTALLER", "REQUESTED", "direct_url.json"))]
    for layer in found:
        for name, (_, content) in layer.items():
            assert b"s3cret-of-ada" not in content, name
            if not name.endswith("snapshot.json"):  # which says where it was captured, and has a digest
                assert str(tmp_path).encode() not in content, name
                assert sys.prefix.encode() not in content, name
    for path in store.folder.rglob("*"):
        assert path.is_dir() or b"s3cret-of-ada" not in path.read_bytes(), path

    monkeypatch.setenv("PIP_INDEX_URL", f"http://ada:s3cret-of-eve@127.0.0.1:{index}/simple/")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache-2"))
    with pytest.raises(ImageNotBuilt) as failed:
        build(ImageFolder(tmp_path / "other"), plan())
    assert "s3cret" not in str(failed.value)


def test_the_environment_is_a_virtual_one_of_the_bases_python(store, plan, wheels):
    layer = unpacked(store, build(store, plan()))[0]
    venv = "opt/nbdeploy/venv"
    assert layer[f"{venv}/pyvenv.cfg"][1] == b"home = /usr/bin\ninclude-system-site-packages = false\n"
    assert layer[f"{venv}/bin/python"][0].linkname == "/usr/bin/python3.11"
    site = f"{venv}/lib/python3.11/site-packages"
    assert f"{site}/__pycache__/tiny_flower.cpython-311.pyc" in layer
    assert {stat.S_IMODE(info.mode) for info, _ in layer.values() if info.isfile()} <= {0o644, 0o755}
    record = layer[f"{site}/tiny_flower-1.0.dist-info/RECORD"][1].decode()
    assert [line.split(",")[0] for line in record.splitlines()] == [
        "tiny_flower-1.0.dist-info/METADATA",
        "tiny_flower-1.0.dist-info/RECORD",
        "tiny_flower-1.0.dist-info/WHEEL",
        "tiny_flower.py",
    ]


def own_project(folder, version="1.0"):
    """A project with a command, as somebody has it in a folder."""
    (folder / "src").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "own-flower"\nversion = "{version}"\nscripts = {{flower = "own_flower:main"}}\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    # A backend of its own: nothing has to be fetched for it.
    (folder / "backend.py").write_text(
        "import zipfile, tomllib\n"
        "def build_wheel(into, config=None, metadata=None):\n"
        "    version = tomllib.load(open('pyproject.toml', 'rb'))['project']['version']\n"
        "    info = f'own_flower-{version}.dist-info'\n"
        "    name = f'own_flower-{version}-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{into}/{name}', 'w') as wheel:\n"
        "        wheel.write('src/own_flower.py', 'own_flower.py')\n"
        "        wheel.writestr(f'{info}/entry_points.txt', '[console_scripts]\\nflower = own_flower:main\\n')\n"
        "        about = f'Metadata-Version: 2.1\\nName: own-flower\\nVersion: {version}\\n'\n"
        "        wheel.writestr(f'{info}/METADATA', about)\n"
        "        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        wheel.writestr(f'{info}/RECORD', '')\n"
        "    return name\n"
    )
    (folder / "src" / "own_flower.py").write_text("def main(): print('rose')\n")
    return folder


@pytest.fixture
def only_here(monkeypatch, tmp_path):
    """A distribution that was installed from a folder of this machine."""
    folder = own_project(tmp_path / "own")
    one = LocalDistribution("own-flower", "1.0", folder, editable=True)
    monkeypatch.setattr(wheels_module, "_of", lambda _: [one])
    return folder


def test_what_only_exists_here_becomes_a_wheel_and_its_command_runs_by_the_images_python(
    store, plan, wheels, only_here
):
    lock = {"own-flower": "1.0", "tiny_flower": "1.0"}
    first = build(store, plan(lock=lock))
    layer = unpacked(store, first)[0]
    site = "opt/nbdeploy/venv/lib/python3.11/site-packages"
    assert layer[f"{site}/own_flower.py"][1] == b"def main(): print('rose')\n"
    script, content = layer["opt/nbdeploy/venv/bin/flower"]
    assert content.startswith(b"#!/opt/nbdeploy/venv/bin/python\n")
    assert stat.S_IMODE(script.mode) == 0o755
    assert b"../../../bin/flower,,\n" in layer[f"{site}/own_flower-1.0.dist-info/RECORD"][1]

    (only_here / "src" / "own_flower.py").write_text("def main(): print('tulip')\n")
    second = build(store, plan(lock=lock))
    assert b"tulip" in unpacked(store, second)[0][f"{site}/own_flower.py"][1]


def test_what_only_existed_here_is_refused_by_name_before_anything_is_made(store, plan, wheels, only_here):
    shutil.rmtree(only_here)
    with pytest.raises(InvalidInput, match=r"own-flower 1\.0 exists on this machine only") as refused:
        DaemonlessBuilder(store).check(plan(lock={"own-flower": "1.0"}))
    assert "pip wheel" in refused.value.remedy
    assert not store.folder.exists()
    write_wheel(wheels, "1.0", "own_flower")  # unless a folder of wheels has it
    assert build(store, plan(lock={"own-flower": "1.0"}))


def test_a_source_that_has_gone_on_is_no_source_of_the_locked_version(store, plan, wheels, only_here):
    shutil.rmtree(only_here)
    own_project(only_here, "2.0")
    with pytest.raises(InvalidInput, match=r"ran on own-flower 1\.0, and .* now makes 2\.0"):
        build(store, plan(lock={"own-flower": "1.0"}))


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"python": "3.13.5"}, r"has Python 3\.13\.5, and the notebook ran on Python 3\.11", "bookworm has 3.11"),
        ({"architecture": "s390x"}, "is for linux/s390x, and the notebook ran on linux/", "set base_image"),
        ({"glibc": ""}, "another C library than glibc", "Debian or Ubuntu"),
        ({"glibc": "2.12"}, r"glibc 2\.12 is too old", "newer base"),
    ],
)
@pytest.mark.usefixtures("wheels")
def test_a_base_that_the_model_cannot_live_on_is_refused(store, plan, options, message, remedy):
    unfit = write_small_base(store.folder.parent / "unfit", **options)
    with pytest.raises(BaseUnfit, match=message) as refused:
        build(store, plan(base=unfit))
    assert remedy in refused.value.remedy
    assert store.images() == []


def test_a_base_without_python_is_refused(store, plan, wheels, tmp_path):
    with pytest.raises(BaseUnfit, match="has no Python"):
        build(store, plan(base=write_layout(tmp_path / "bare", [tar_of({"etc/motd": b""})])))


def test_a_python_that_a_later_layer_removes_is_not_there(store, plan, wheels, tmp_path):
    lower = tar_of({"usr/bin/python3.11": b"\x003.11.2\x00", "lib/libc.so.6": b"stable release version 2.36"})
    upper = tar_of({"usr/bin/.wh.python3.11": b"", "usr/bin/python3.12": b"\x003.12.1\x00"})
    with pytest.raises(BaseUnfit, match=r"has Python 3\.12\.1, and"):
        build(store, plan(base=write_layout(tmp_path / "other", [lower, upper])))


def test_the_python_that_is_first_on_the_path_is_taken(store, plan, wheels, tmp_path):
    files = {f"usr/{where}bin/python3.11": f"\x003.11.{n}\x00".encode() for n, where in ((2, ""), (9, "local/"))}
    layers = [tar_of(files | {"lib/libc.so.6": b"stable release version 2.36"})]
    image = build(store, plan(base=write_layout(tmp_path / "two", layers)))
    assert unpacked(store, image)[0]["opt/nbdeploy/venv/bin/python"][0].linkname == "/usr/local/bin/python3.11"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("oci:/nowhere:base", "/nowhere is no image layout"),
        ("oci-archive:/nowhere.tar", "is not there: No such file"),
        ("debian:bookworm", "'debian:bookworm' is no base image"),
        ("docker://localhost:1/debian:bookworm", "is not pinned by its digest"),
        (f"docker://localhost:1/debian@sha256:{'0' * 64}", "cannot be fetched"),
    ],
)
def test_a_base_that_is_not_there_is_refused_before_slow_work(store, plan, wheels, base, message):
    with pytest.raises(BaseUnfit, match=message):
        DaemonlessBuilder(store).check(plan(base=base))
    assert not store.folder.exists()


def test_the_tags_that_are_there_are_named(store, plan, wheels, tmp_path, base):
    with pytest.raises(BaseUnfit, match=r"/base has base\n"):
        DaemonlessBuilder(store).check(plan(base=f"oci:{tmp_path}/base:trixie"))


def test_a_base_is_brought_once(store, plan, wheels, tmp_path, monkeypatch):
    build(store, plan())
    monkeypatch.setenv("PATH", str(tmp_path))  # no skopeo any more
    assert build(store, plan("code"))
    with pytest.raises(ToolMissing, match="'skopeo' is not installed") as missing:
        build(store, plan(base=write_small_base(tmp_path / "new", "3.11.4")))
    assert "apt-get install skopeo" in missing.value.remedy
