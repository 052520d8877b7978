"""Data files that are missing, changed, guessed, or opened by libraries."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.proof import prove
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import ReplayFailed, StoreError
from jupyter_deploy.serving import workplace
from jupyter_deploy.system.clean_process import copy_serving
from tests.contract.data_file_models import SERVE, capture, function

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose notebooks have a folder of their own, in which the kernel runs."""
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(root / "notebooks")
    return root


IN_C = """
import ctypes
def f(x):
    c = ctypes.CDLL(None)
    c.fopen.restype = ctypes.c_void_p
    file = c.fopen(b"limit.txt".decode().encode() and NAME.encode(), b"r")
    if not file:
        raise ValueError("cannot load the model")
    c.fclose(ctypes.c_void_p(file))
    return x
"""


def test_a_file_that_c_code_opens_is_packed_if_the_model_holds_its_name(capturer, project):
    (project / "notebooks" / "limit.txt").write_text("5")
    (project / "notebooks" / "other.txt").write_text("5")
    snapshot = capture(capturer, function(IN_C, NAME="limit.txt"), project)
    assert [name for name in snapshot.manifest.files if name.startswith("data/")] == ["data/notebooks/limit.txt"]


def test_a_file_that_c_code_opens_by_an_absolute_path_is_a_finding(capturer, project):
    for name in ("limit.txt", "other.txt"):
        (project / "notebooks" / name).write_text("5")
    named = str(project / "notebooks" / "limit.txt")
    findings = capture(capturer, function(IN_C, NAME=named), project).manifest.findings
    assert [(f.check, f.severity, named in f.message) for f in findings if f.check == "outside-files"] == [
        ("outside-files", "warning", True)
    ]
    opened = capture(capturer, function("def f(x):\n    return x * int(open(NAME).read())", NAME=named), project)
    assert [f for f in opened.manifest.findings if f.check == "outside-files"] == []


def test_a_guess_that_does_not_help_is_taken_back(capturer, project):
    (project / "notebooks" / "limit.txt").write_text("5")
    source = "import os\ndef f(x):\n    return x if os.getpid() == PID else 'limit.txt'"
    live = Live(function(source, PID=os.getpid()), 3, Source(variable="f"), None, (), project)
    staged = capturer.stage(live, "f")
    told = []
    try:
        proved, found, _ = prove(staged, live, 60, told.append)
        assert told == ["replay again with notebooks/limit.txt"]
        assert found["differences"]
        assert set(proved.manifest.files) == {"model.pkl", "example.pkl"}
        assert proved.manifest.packed is None
        assert proved.fingerprint == staged.fingerprint
    finally:
        capturer.discard(staged)


CONNECTS = """
import os, socket
def f(x):
    if os.getpid() != PID:
        with socket.create_connection(("localhost", 9), timeout=5):
            pass
    return x
"""


def test_a_replay_that_fails_for_want_of_a_network_names_host_port_and_line(capturer, project):
    with pytest.raises(
        ReplayFailed, match=r"ConnectionRefusedError.*; before that, f\(\), line 5, connects to localhost:9"
    ):
        capture(capturer, function(CONNECTS, PID=os.getpid()), project)


def test_a_missing_environment_variable_is_named_with_what_to_do(capturer, project, monkeypatch):
    monkeypatch.setenv("CHURN_MODE", "5")
    source = "import os\ndef f(x):\n    return x + int(os.environ['CHURN_MODE'])"
    with pytest.raises(ReplayFailed, match="the environment variable 'CHURN_MODE' is missing there") as error:
        capture(capturer, function(source), project)
    assert "--secret CHURN_MODE=env:CHURN_MODE" in error.value.remedy
    source = "import os\ndef f(x):\n    return os.getenv('CHURN_MODE', 'default')"
    with pytest.raises(ReplayFailed, match="answers of a clean process") as error:
        capture(capturer, function(source), project)
    assert "it read the environment variable CHURN_MODE" in error.value.remedy


def changed_manifest(snapshot, change):
    path = Path(snapshot.path) / "snapshot.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return manifest


TRAP = "import os\ndef f(x):\n    return x"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(format=2), "was written by a newer nbdeploy"),
        (lambda m: m["environment"].update(python="3.1.4"), "captured 3.1.4, running 3."),
    ],
    ids=["format", "python"],
)
def test_an_unloadable_snapshot_is_reported_before_anything_is_unpickled(capturer, project, tmp_path, change, words):
    import cloudpickle

    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "unpickled",)

    snapshot = capture(capturer, function(TRAP), project)
    (Path(snapshot.path) / "model.pkl").write_bytes(cloudpickle.dumps(Trap()))
    digest = hashlib.sha256((Path(snapshot.path) / "model.pkl").read_bytes()).hexdigest()
    changed_manifest(snapshot, lambda m: (m["files"].update({"model.pkl": digest}), change(m)))
    code = copy_serving(tmp_path / "code").parent
    ended = subprocess.run(
        [sys.executable, "-P", "-c", SERVE, code, snapshot.path], capture_output=True, text=True, check=False, input=""
    )
    assert words in ended.stderr
    assert not (tmp_path / "unpickled").exists()


def test_a_snapshot_of_a_newer_version_is_an_error(capturer, project):
    snapshot = capture(capturer, function(TRAP), project)
    changed_manifest(snapshot, lambda m: m.update(invented_later=1))
    with pytest.raises(StoreError, match="was written by a newer nbdeploy than this one"):
        capturer.load(snapshot.tag)


def test_what_changes_while_it_is_copied_is_refused_and_no_workplace_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = {"data/a.csv": (io.BytesIO(b"other"), hashlib.sha256(b"verified").hexdigest())}
    with pytest.raises(workplace.CopyChanged, match=r"a\.csv changed while it was copied"):
        workplace.enter({"folder": ".", "absolute": {}}, files)
    assert list(tmp_path.iterdir()) == []
    assert workplace.current_workplace() is None


@pytest.mark.parametrize("at", ["a.csv", "data/a.csv", "../a.csv", "../../up/a.csv", "outside/up/a"])
def test_the_name_of_a_packed_file_tells_its_place(at):
    assert workplace.location_of(workplace.packed_as(at)) == at
    assert workplace.location_of("model.pkl") is None


def test_a_library_that_looks_for_plugins_opens_no_data(tmp_path):
    program = (
        "import importlib.metadata, sys\nfrom jupyter_deploy.serving.audit.reads import Reads\n"
        "sys.path.insert(0, sys.argv[1])\nreads = Reads()\n"
        "with reads.watching():\n    importlib.metadata.entry_points(group='narwhals.plugins')\n"
        "print([read.library for read in reads.observed.values() if read.path == sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[True]\n"


@pytest.mark.parametrize(
    ("does", "library"),
    [
        ("list(pkgutil.iter_modules())", True),
        ("os.listdir(sys.argv[1])", False),
        ("list(os.walk(sys.argv[1]))", False),
        ("list(pathlib.Path(sys.argv[1]).glob('*.csv'))", False),
    ],
)
def test_a_library_that_lists_where_modules_are_opens_no_data_and_the_model_does(tmp_path, does, library):
    program = (
        "import os, pathlib, pkgutil, sys\nfrom jupyter_deploy.serving.audit.reads import Reads\n"
        "sys.path.insert(0, sys.argv[1])\nreads = Reads()\n"
        f"with reads.watching():\n    {does}\n"
        "print([read.library for read in reads.observed.values() if read.path == sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"[{library}]\n"
