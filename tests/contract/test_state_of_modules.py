"""What is loaded is compared with what a clean process finds, and with what a reload put in its place."""

import json
import subprocess
import sys

from jupyter_deploy.adapters.project_code import differing
from jupyter_deploy.adapters.replaying import SERVING_FOLDER
from jupyter_deploy.serving.project_code import globals_of
from tests.contract.capturing import edited, packed


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
