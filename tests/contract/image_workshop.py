"""Snapshots, a base, wheels and a package index for the tests of images."""

import base64
import http.server
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
from jupyter_deploy.container_images.layout import ImageFolder
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.images.images import labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from tests.contract.data_file_models import capture, function
from tests.contract.images.test_isolated import write_wheel
from tests.images import write_small_base

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
        return ImagePlan(snapshot, bento, base, labels_of(snapshot), **options)

    return made


def build(store, plan):
    builder = DaemonlessBuilder(store)
    builder.check(plan)
    return builder.build(plan, lambda _: None)


def moved(plan, captured, home):
    """The same snapshot of another user in another home, with a bento that is built there."""
    name, _, version = plan.snapshot.tag.partition(":")
    place = home / "models" / name / version
    shutil.copytree(plan.snapshot.path, place)
    described = (place / "model.yaml").read_text()
    before = described.partition("creation_time: '")[2][:4]
    (place / "model.yaml").write_text(described.replace(f"creation_time: '{before}", "creation_time: '2031"))
    other = {
        "user": "bo",
        "captured_at": datetime(2031, 1, 1, tzinfo=UTC),
        "source": Source(notebook="/home/bo/n.ipynb"),
    }
    manifest = plan.snapshot.manifest
    provenance = manifest.provenance.model_copy(update=other)
    manifest = manifest.model_copy(update={"provenance": provenance})
    snapshot = plan.snapshot.model_copy(update={"path": str(place), "manifest": manifest})
    bento = BentoBuilder(home).build(captured.model_copy(update={"path": str(place)}))
    return ImagePlan(snapshot, bento, plan.base, labels_of(snapshot))


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one wheel, which requires a password."""

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
