"""Data files that a model opens: packed at capture, present and unchanged at serving."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from jupyter_deploy.capture import data_files
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidInput, ReplayFailed, Untrusted
from tests.contract.data_file_models import capture, function, served, serving, workplaces

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


MANY_WAYS = """
import glob, json, os, sqlite3
from pathlib import Path

def factor():
    if os.getpid() == PID:  # as with a cache that is warm in the notebook
        return 10
    return json.loads(Path("settings/factor.json").read_text())["factor"]

def f(x):
    import numpy as np, pandas as pd
    with open("plain.txt") as file:
        found = [int(file.read())]
    found.append(int(np.load("array.npy")[0]))
    found.append(int(pd.read_csv("../data/table.csv")["a"][0]))
    with sqlite3.connect("base.db") as base:
        found += [base.execute("SELECT a FROM t").fetchone()[0]]
    found.append(sum(int(Path(part).read_text()) for part in glob.glob("parts/*.txt")))
    found.append(len(Path("listed").read_text()) if Path("listed").is_file() else len(list(Path("listed").iterdir())))
    found.append(int((Path.cwd() / "below" / "cwd.txt").read_text()))
    found.append(int(Path(ABSOLUTE).read_text()))
    return [x * factor() * value for value in found]
"""


def write_many(project):
    import sqlite3

    import numpy as np

    notebooks = project / "notebooks"
    for name, text in {
        "plain.txt": "2",
        "../data/table.csv": "a,b\n5,6\n",
        "parts/1.txt": "11",
        "parts/2.txt": "12",
        "parts/other.md": "is matched by no pattern",
        "listed/one": "1",
        "listed/two": "2",
        "below/cwd.txt": "13",
        "../data/absolute.txt": "17",
        "settings/factor.json": '{"factor": 10}',
        "unused.csv": "nobody opens it",
    }.items():
        path = notebooks / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    np.save(notebooks / "array.npy", np.array([3]))
    with sqlite3.connect(notebooks / "base.db") as base:
        base.execute("CREATE TABLE t AS SELECT 7 AS a")
    return str(project / "data" / "absolute.txt")


def test_project_files_that_a_model_opens_are_packed_and_present_at_serving(capturer, project, tmp_path):
    model = function(MANY_WAYS, ABSOLUTE=write_many(project), PID=os.getpid())
    told = []
    snapshot = capture(capturer, model, project, told=told.append)
    answer = snapshot.manifest.predictions[0]
    assert answer == [60, 90, 150, 210, 690, 60, 390, 510]
    packed = {name.removeprefix("data/") for name in snapshot.manifest.files if name.startswith("data/")}
    assert packed == {
        *("notebooks/plain.txt", "notebooks/array.npy", "data/table.csv", "notebooks/base.db", "data/absolute.txt"),
        *("notebooks/parts/1.txt", "notebooks/parts/2.txt", "notebooks/listed/one", "notebooks/listed/two"),
        *("notebooks/below/cwd.txt", "notebooks/settings/factor.json"),
    }
    assert snapshot.manifest.findings == (), "reading a database is no side effect"
    assert any("packed, since the model opens" in note and "11" not in note for note in snapshot.manifest.notes)
    assert any("settings/factor.json" in words for words in told), "only the replay opened it"
    assert capture(capturer, model, project).tag == snapshot.tag
    (project / "notebooks" / "plain.txt").write_text("4")
    assert capture(capturer, model, project).tag != snapshot.tag, "other data, another snapshot"
    shutil.rmtree(project)
    assert served(tmp_path, snapshot, 3, 1) == [answer, [value / 3 for value in answer]]


APPENDS = """
def f(x):
    with open("counts.txt") as file:
        lines = len(file.read().split())
    with open("counts.txt.more", "a") as file:
        file.write("x")
    with open("../log.txt", "a") as file:
        file.write("x")
    if x == 0:
        with open("counts.txt", "a") as file:
            file.write(" one")
    return lines
"""


def test_each_process_has_copies_of_its_own_and_the_snapshot_stays_as_it_is(capturer, project, tmp_path):
    (project / "notebooks" / "counts.txt").write_text("one")
    snapshot = capture(capturer, function(APPENDS), project)
    effects = [f.message.partition("writes ")[2] for f in snapshot.manifest.findings if f.check == "side-effects"]
    assert effects == ["counts.txt.more", "../log.txt"]
    with serving(tmp_path, snapshot, 0, 0, 1) as first:
        assert json.loads(first.stdout.readline()) == [1, 2, 3]
        folder, records = first.stdout.readline().split()
        assert folder.endswith("/project/notebooks")
        assert records == "/records", "what was relative to where the server began still is"
        assert served(tmp_path, snapshot, 0, 1) == [1, 2], "another worker's appendix is its own"
        assert len(workplaces(tmp_path)) == 1, "the second one has cleared up"
        (mine,) = workplaces(tmp_path)
        assert mine.stat().st_mode & 0o777 == 0o700
        first.send_signal(signal.SIGKILL)
    assert capturer.load(snapshot.tag) == snapshot
    assert len(workplaces(tmp_path)) == 1, "what was killed leaves its folder"
    with serving(tmp_path, snapshot, 1) as next_one:
        next_one.stdout.readline()
        assert workplaces(tmp_path) != [mine], "the next one clears it away"
        assert len(workplaces(tmp_path)) == 1
        next_one.stdin.close()
    assert workplaces(tmp_path) == []


def test_a_changed_data_file_is_detected_before_anything_is_unpickled(capturer, project, tmp_path):
    (project / "notebooks" / "limit.txt").write_text("5")
    snapshot = capture(capturer, function("def f(x):\n    return x + int(open('limit.txt').read())"), project)
    packed = Path(snapshot.path) / "data" / "notebooks" / "limit.txt"
    packed.write_text("6")
    with pytest.raises(Untrusted, match=r"limit\.txt has changed since"):
        capturer.load(snapshot.tag)
    with serving(tmp_path, snapshot, 1) as process:
        assert process.communicate(timeout=120)[0] == ""
        assert process.returncode == 1
    assert workplaces(tmp_path) == []


MAKES = """
import os, sqlite3
def f(x):
    with sqlite3.connect("cache.db") as base:
        base.execute("CREATE TABLE IF NOT EXISTS t (x)")
        base.execute("INSERT INTO t VALUES (1)")
    with open("made.txt", "w") as file:
        file.write("1")
    with open("made.txt") as file:
        return x + int(file.read())
"""


def test_what_a_model_writes_itself_is_no_data_of_its(capturer, project):
    first = capture(capturer, function(MAKES), project)
    again = capture(capturer, function(MAKES), project)
    assert first.manifest.packed is None
    assert again.tag == first.tag


OUTSIDE = """
def f(x):
    with open(PATH) as file:
        return x * int(file.read())
"""


def test_a_file_outside_the_project_needs_include_and_is_redirected_to_its_copy(capturer, project, tmp_path):
    outside = tmp_path / "shared" / "limits" / "limit.txt"
    outside.parent.mkdir(parents=True)
    outside.write_text("7")
    model = function(OUTSIDE, PATH=str(outside))
    asked = capture(capturer, model, project)  # nobody has judged the finding here
    (finding,) = asked.manifest.findings
    assert (finding.check, finding.severity) == ("outside-files", "error")
    assert finding.message.startswith(f"f(), line 3, opens {outside}, which is outside the project {project}")
    assert f"--include {outside}" in finding.remedy
    assert asked.manifest.packed is None
    included = capture(capturer, model, project, include=(tmp_path / "shared",))
    assert included.manifest.findings == ()
    assert included.manifest.packed.absolute == {str(tmp_path / "shared"): "../shared"}
    assert "outside/1/shared/limits/limit.txt" in included.manifest.files
    outside.write_text("8")
    assert served(tmp_path, included, 2) == [14]
    relative = function(OUTSIDE, PATH="../../shared/limits/limit.txt")
    with pytest.raises(ReplayFailed, match="is missing there") as error:
        capture(capturer, relative, project)
    assert f"f(), line 3, opens {outside}, which is outside" in error.value.remedy
    assert f"--include {outside}" in error.value.remedy
    snapshot = capture(capturer, relative, project, include=(outside,))
    shutil.rmtree(tmp_path / "shared")
    assert served(tmp_path, snapshot, 2) == [16]
    with pytest.raises(InvalidInput, match="to include"):
        capture(capturer, relative, project, include=(outside,))


def test_the_original_of_an_included_file_cannot_be_read_except_through_its_copy(capturer, project, tmp_path):
    (tmp_path / "outside.txt").write_text("7")
    around = function(
        "import io\ndef f(x):\n    with io.FileIO(PATH) as file:\n        return x * int(file.read())",
        PATH=str(tmp_path / "outside.txt"),
    )
    with pytest.raises(ReplayFailed, match=r"the file '.*outside\.txt' is missing there"):
        capture(capturer, around, project, include=(tmp_path / "outside.txt",))


@pytest.mark.parametrize(("name", "why"), [(".env", "is hidden"), ("large.bin", r"has 0\.0 GiB")])
def test_hidden_and_large_files_need_include(capturer, project, monkeypatch, name, why):
    monkeypatch.setattr(data_files, "FILE_LIMIT", 10)
    path = project / "notebooks" / name
    path.write_text("5" + " " * 10)
    model = function(OUTSIDE, PATH=name)
    with pytest.raises(ReplayFailed, match="is missing there") as error:
        capture(capturer, model, project)
    assert why.replace("\\", "") in error.value.remedy
    assert capture(capturer, model, project, include=(path,)).manifest.packed is not None
