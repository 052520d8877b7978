"""The state of loaded modules, compared with a clean process and after a reload."""

import json
import os
import subprocess
import sys

import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.frameworks.base import Framework
from jupyter_deploy.capture.project_code import differing
from jupyter_deploy.capture.reachable import names_reached
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import ReplayFailed
from jupyter_deploy.serving.descriptions import describe_value
from jupyter_deploy.serving.project_code import globals_of
from jupyter_deploy.system.clean_process import SERVING_FOLDER
from tests.contract.capturing import capture, edited, packed, sources


def test_a_class_whose_inherited_code_a_reload_has_replaced_is_not_the_same(project, tmp_path):
    import importlib

    source = "class Base:\n    def predict(self, x):\n        return x\nclass Model(Base):\n    pass\n"
    path = project({"inherited.py": source}) / "inherited.py"
    import inherited

    old = inherited.Model()
    importlib.reload(inherited)
    assert edited(packed(old, tmp_path / "snapshot")[0]) == []
    path.write_text(source.replace("return x", "return -x"))
    importlib.reload(inherited)
    assert "Model was replaced there" in edited(packed(old, tmp_path / "snapshot")[0])[0]


STATE = """
import collections, dataclasses, functools, logging, pathlib, random, re, threading, types
import numpy as np
import pandas as pd
@dataclasses.dataclass
class Settings:
    limit: int = 1
class Plain:
    __slots__ = ("limit",)
NAMES = types.SimpleNamespace(limit=1, within=[types.SimpleNamespace(a=1)])
DATA = Settings()
SLOTS = Plain()
SLOTS.limit = 1
COUNTS = collections.defaultdict(int, a=1)
ORDER = collections.OrderedDict(a=1)
RECENT = collections.deque([1])
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
SERIES = pd.Series([1, 2], name="s")
TEXTS = np.array(["a", None], dtype=object)
FOLDER = pathlib.Path(__file__).parent / "data"
PART = functools.partial(int, base=2)
PATTERN = re.compile("a")
SOME = frozenset({"a", "b", "c"})
LOG = logging.getLogger("state")
LOCK = threading.Lock()
CHANCE = random.Random()
DRAWS = np.random.default_rng()
LOOP = [1]
LOOP.append(LOOP)
def f(x):
    return x
"""

ELSEWHERE = """
import json, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from serving.project_code import globals_of
import objects
print(json.dumps(globals_of(objects, (Path(sys.argv[2]),))))
"""


def test_what_an_object_of_a_module_holds_is_compared_with_what_it_holds_in_another_process(project, tmp_path):
    root = project({"objects.py": STATE})
    other = tmp_path / "other"
    other.mkdir()
    (other / "objects.py").write_text(STATE)
    command = [sys.executable, "-c", ELSEWHERE, SERVING_FOLDER.parent, other]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    there = {"objects": {name: [what] for name, what in json.loads(ended.stdout).items()}}
    import objects

    objects.CHANCE.random()
    objects.DRAWS.random()
    assert differing(there) == {}
    changes = [
        "NAMES.limit = 2", "NAMES.within[0].a = 2", "DATA.limit = 2", "SLOTS.limit = 2", "COUNTS['a'] = 2",
        "ORDER['a'] = 2", "RECENT.append(2)", "FRAME.loc[0, 'a'] = 2", "FRAME.columns = ['a', 'c']", "SERIES[0] = 2",
        "TEXTS[0] = 'b'", "FOLDER = objects.FOLDER / 'b'", "PART = objects.PART.func",
        "PATTERN = __import__('re').compile('b')", "SOME = objects.SOME - {'a'}", "LOOP[0] = 2",
    ]  # fmt: skip
    for change in changes:
        exec(f"objects.{change}", {"objects": objects})
    wanted = {change.split(" ")[0].split(".")[0].split("[")[0] for change in changes}
    here = globals_of(objects, (root,))
    assert {name for name, what in here.items() if [what] != there["objects"][name]} == wanted


def test_tensors_are_compared_by_their_bytes():
    torch = pytest.importorskip("torch")

    def told(value):
        return describe_value(value, str, {})

    weights = torch.nn.Linear(2, 3).to(torch.bfloat16)
    before = told(weights)
    assert told(weights) == before
    with torch.no_grad():
        weights.bias[0] += 1
    assert told(weights) != before
    assert told(torch.zeros(2)) != told(torch.zeros(1, 2))
    assert told(torch.tensor(1.0)) != told(torch.tensor(2.0))


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


USES = """
import threading, time, uuid
import names
LOCK = threading.Lock()
MEMO = {}
START = time.time()
RUN = uuid.uuid4().hex
def reported(x):
    return f"{RUN} {START} {x}"
class Scale:
    def scaled(self, x):
        return x * names.SETTINGS["factor"]
SCALES = [Scale()]
def f(x):
    with LOCK:
        return MEMO.setdefault(x, SCALES[0].scaled(x))
def late(x):
    return globals()["f"](x)
"""


class Unwilling(dict):
    def items(self):
        raise RuntimeError


def test_only_globals_that_the_code_names_which_answers_are_compared(project):
    project({"uses.py": USES, "names.py": "SETTINGS = {'factor': 2}\nOTHER = 1\n"})
    import uses

    reached = names_reached([uses.f], 3)
    assert {"MEMO", "SCALES", "SETTINGS", "LOCK"} < reached
    assert reached.isdisjoint({"START", "RUN", "OTHER"})
    assert names_reached(uses.late) is None, "it looks names up by itself"
    assert names_reached([Unwilling()]) is None
    there = {"uses": {name: [what] for name, what in globals_of(uses).items()}}
    uses.START, uses.RUN = 0, ""
    assert "START" in differing(there)["uses"]
    assert differing(there, reached) == {}
    uses.SCALES = []
    assert differing(there, reached) == {"uses": "SCALES was changed"}


def warned(snapshot):
    return [finding.message for finding in snapshot.manifest.findings if finding.check == "edited-module"]


def test_a_file_that_answers_alike_is_kept_where_what_is_loaded_cannot_be_captured(project, tmp_path, capturer):
    root = project({"uses.py": USES, "names.py": "SETTINGS = {'factor': 2}\n"})
    import uses

    snapshot = capture(capturer, uses.f, 3, project=root)
    assert (sources(snapshot.manifest.files), warned(snapshot)) == (["names.py", "uses.py"], [])
    assert capture(capturer, uses.f, 3, project=root).tag == snapshot.tag, "and says so of itself in each process"
    uses.f(17)
    again = capture(capturer, uses.f, 3, project=root)
    assert again.tag == snapshot.tag
    (message,) = warned(again)
    assert message.startswith("the module uses differs from its file (MEMO was changed); the file was captured")
    assert "LOCK" in message
    assert capturer.load(again.tag).digest == again.digest, "all its files are there"


def test_a_changed_module_is_named_where_neither_way_answers(project, capturer):
    source = "import os\nPID = None\nTOP = 1\ndef f(x):\n    return x + TOP + (PID == os.getpid())\n"
    root = project({"neither.py": source})
    import neither

    neither.PID, neither.TOP = os.getpid(), 5
    with pytest.raises(ReplayFailed) as failed:
        capture(capturer, neither.f, 3, project=root)
    assert "the module neither differs from its file (PID, TOP were changed)" in failed.value.remedy


OPENS_BESIDE = """
import csv
from pathlib import Path
HERE = Path(__file__).parent
with open(HERE / "at-import.txt") as file:
    FACTOR = int(file.read())
def f(x):
    more = sum(int(path.read_text()) for path in (HERE / "parts").iterdir())
    return x * FACTOR + int((HERE / "lookup.csv").read_text()) + more
"""


def test_data_next_to_a_module_is_next_to_it_in_the_snapshot(project, capturer, tmp_path):
    root = project({"opens.py": OPENS_BESIDE, "at-import.txt": "2", "lookup.csv": "10", "parts/a": "100", "b": "1"})
    import opens

    snapshot = capture(capturer, opens.f, 3, project=root)
    assert snapshot.manifest.predictions == [116]
    assert sources(snapshot.manifest.files) == ["at-import.txt", "lookup.csv", "opens.py", "parts/a"]
    assert not {finding.check for finding in snapshot.manifest.findings} - {"project-code"}, "nothing to warn of"
    assert any("code/lookup.csv" in note for note in snapshot.manifest.notes)
    assert capture(capturer, opens.f, 3, project=root).tag == snapshot.tag


def test_by_value_too_it_is_written_what_is_deployed_of_a_model(project, capturer, monkeypatch):
    """As of a session of onnxruntime, which cannot be pickled itself."""
    root = project({"given.py": "TOP = 1\ndef f(x):\n    return x + TOP\n"})
    import given

    class Session:
        def __reduce__(self):
            raise TypeError

    monkeypatch.setattr(Framework, "deployed", lambda _, model: given.f if isinstance(model, Session) else model)
    given.TOP = 5
    snapshot = capture(capturer, Session(), 3, project=root)
    assert (snapshot.manifest.predictions, sources(snapshot.manifest.files)) == ([8], [])
