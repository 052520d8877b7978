"""Project modules by source and by value; only captured code runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from jupyter_deploy.capture import project_code
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.pickling import write_pickle
from jupyter_deploy.capture.project_code import ProjectCode, differing
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotCapturable
from jupyter_deploy.environments.module_origins import local_distributions
from jupyter_deploy.serving.project_code import globals_of
from jupyter_deploy.system.clean_process import SERVING_FOLDER
from tests.contract.capturing import NUMBERS, capture, edited, live, packed, sources

pytestmark = pytest.mark.usefixtures("forked_replays")


def test_a_package_goes_in_whole_and_without_what_tools_leave_in_it(project, tmp_path):
    root = project(
        {
            "shelf/__init__.py": "from .core import f\n",
            "shelf/core.py": "def f(x):\n    return x\n",
            "shelf/plugins/late.py": "",
            "shelf/data/words.txt": "a",
            "shelf/__pycache__/old.pyc": "",
            "shelf/.env": "TOKEN=1",
            "shelf/.git/config": "",
            "shelf/notes.ipynb": "{}",
            "shelf/env/pyvenv.cfg": "",
            "shelf/env/lib/thing.py": "",
            "unrelated.py": "",
            "linked/rates.json": "1",
        }
    )
    (root / "shelf" / "rates.json").symlink_to(root / "linked" / "rates.json")
    (root / "shelf" / "loop").symlink_to(root / "shelf")
    import shelf

    _, files = packed(shelf.f, tmp_path / "snapshot")
    names = ["__init__.py", "core.py", "data/words.txt", "plugins/late.py", "rates.json"]
    assert sources(files) == [f"shelf/{name}" for name in names]
    assert not (tmp_path / "snapshot" / "code" / "shelf" / "rates.json").is_symlink()


def test_data_beyond_the_limit_is_not_packed_and_a_finding_says_so(project, tmp_path, monkeypatch):
    project({"heavy/__init__.py": "def f(x):\n    return x\n", "heavy/big.bin": "x" * 100})
    monkeypatch.setattr(project_code, "DATA_LIMIT", 99)
    import heavy

    code, files = packed(heavy.f, tmp_path / "snapshot")
    assert sources(files) == ["heavy/__init__.py"]
    assert any("only the code of the package heavy is packed" in finding.message for finding in code.findings)


MODULE = """
import functools

def noisy(f):
    @functools.wraps(f)
    def wrapper(x):
        return f(x)
    return wrapper

@noisy
def decorated(x):
    return x + 1

def plain(x):
    return [part for part in x if part in {"a", "b"}]

class Model:
    limit = 3
    @property
    def top(self):
        return 4
    def predict(self, x):
        return x
"""


@pytest.mark.parametrize(
    ("then", "now", "what"),
    [
        ("import functools", "# a comment\n\nimport functools", None),
        ("x + 1", "x + 2", "decorated"),
        ('{"a", "b"}', '{"a", "c"}', "plain.<locals>.<listcomp>|plain"),
        ("return 4", "return 5", "Model.top"),
        ("return x\n", "return -x\n", "Model.predict"),
        ("def plain", "def plain(", "no longer valid Python"),
    ],
)
def test_modules_edited_since_their_import_are_packed_by_value_and_others_by_source(project, tmp_path, then, now, what):
    path = project({"changing.py": MODULE}) / "changing.py"
    import changing

    path.write_text(path.read_text().replace(then, now))
    code, files = packed([changing.Model(), changing.plain, changing.decorated], tmp_path / "snapshot")
    assert sources(files) == ([] if what else ["changing.py"])
    assert len(edited(code)) == (1 if what else 0)
    assert what is None or any(part in edited(code)[0] for part in what.split("|"))


def test_a_module_without_its_file_is_packed_by_value(project, tmp_path):
    path = project({"gone.py": "def f(x):\n    return x\n"}) / "gone.py"
    import gone

    path.unlink()
    code, files = packed(gone.f, tmp_path / "snapshot")
    assert sources(files) == []
    assert "its file is gone" in edited(code)[0]


def test_what_is_decided_for_the_model_holds_for_its_example_too(project, tmp_path):
    path = project({"both.py": "def f(x):\n    return x\n"}) / "both.py"
    import both

    path.write_text("def f(x):\n    return -x\n")
    code = ProjectCode()
    write_pickle(both.f, tmp_path / "model.pkl", name="model", code=code)
    write_pickle([both.f], tmp_path / "example.pkl", name="example", code=code)
    assert b"_make_function" in (tmp_path / "example.pkl").read_bytes()
    assert "both" not in cloudpickle.list_registry_pickle_by_value()


LAYERS = {
    "layers/__init__.py": "",
    "layers/low.py": "def low(x):\n    return x\n",
    "layers/middle.py": "from .low import low\n\ndef middle(x):\n    return low(x)\n",
    "layers/apart.py": "def apart(x):\n    return x\n",
    "layers/lazy.py": "def lazy(x):\n    from .low import low\n    return low(x)\n",
}


def test_what_imports_an_edited_module_goes_in_by_value_too_and_nothing_else(project, tmp_path):
    root = project(LAYERS)
    from layers import apart, middle

    (root / "layers" / "low.py").write_text("def low(x):\n    return -x\n")
    _, files = packed([middle.middle, apart.apart], tmp_path / "snapshot")
    # Nor the edited one's file: what imported it there would run what never answered.
    assert sources(files) == ["layers/__init__.py", "layers/apart.py", "layers/lazy.py"]


def test_a_function_that_imports_an_edited_module_when_it_is_called_is_refused(project, tmp_path):
    root = project(LAYERS)
    import layers.lazy
    import layers.low

    (root / "layers" / "low.py").write_text("def low(x):\n    return -x\n")
    with pytest.raises(NotCapturable, match=r"lazy\(\) imports 'layers.low' when called(.|\n)*importlib.reload"):
        packed(layers.lazy.lazy, tmp_path / "snapshot")


def test_an_instance_of_a_class_that_a_reload_replaced_is_packed_with_its_own_class_and_reported(project, tmp_path):
    import importlib

    project({"classes.py": "class Model:\n    def predict(self, x):\n        return x\n"})
    import classes

    old = classes.Model()
    assert edited(packed(old, tmp_path / "snapshot")[0]) == []
    importlib.reload(classes)
    code, files = packed([old, classes.Model()], tmp_path / "snapshot")
    assert (edited(code), sources(files)) == ([], ["classes.py"])  # it says the same: by source
    (Path(classes.__file__)).write_text("class Model:\n    def predict(self, x):\n        return -x\n")
    importlib.reload(classes)
    assert "Model was replaced there" in edited(packed(old, tmp_path / "snapshot")[0])[0]
    assert edited(packed([classes.Model(), lambda x: x], tmp_path / "snapshot")[0]) == []


def test_a_module_that_uses_nbdeploy_itself_goes_in_by_value_and_one_that_asks_its_role_does_not(project, tmp_path):
    project(
        {
            "releases.py": "from jupyter_deploy import deploy\n\ndef f(x):\n    return x\n",
            "roles.py": "from jupyter_deploy import serving_role\n\ndef f(x):\n    return serving_role()\n",
        }
    )
    import releases
    import roles

    assert sources(packed([releases.f, roles.f], tmp_path / "snapshot")[1]) == ["roles.py"]


def test_a_module_named_like_one_of_every_bento_goes_in_by_value_and_not_if_it_is_imported_late(project, tmp_path):
    project(
        {
            "serving.py": "def f(x):\n    return x\n",
            "late.py": "def g(x):\n    import serving\n    return serving.f(x)\n",
        }
    )
    import late
    import serving

    assert sources(packed(serving.f, tmp_path / "snapshot")[1]) == []
    with pytest.raises(NotCapturable, match=r"g\(\) imports 'serving' .* every bento has a module of"):
        packed(late.g, tmp_path / "snapshot")


def test_a_changed_global_function_or_attribute_is_a_difference_and_a_place_or_a_filled_cache_is_not(project):
    root = project(
        {
            "state.py": "from pathlib import Path\nimport numpy as np\nHERE = str(Path(__file__).parent)\n"
            f"HOME = {str(Path.cwd())!r}\n"
            "CACHE = None\nTOP = 5\nWEIGHTS = np.arange(3)\ndef f(x):\n    return x\nclass A:\n    limit = 1\n"
        }
    )
    import state

    there = {name: [what] for name, what in globals_of(state, (root,)).items()}
    assert differing({"state": there}) == {}
    for change in ("state.TOP = 6", "state.f = len", "state.A.limit = 2", "state.WEIGHTS[0] = 9", "state.new = 1"):
        name = change.removeprefix("state.").split(" ")[0].split("[")[0]
        copy = {key: getattr(state, key) for key in ("TOP", "f")} | {"W": state.WEIGHTS.copy()}
        exec(change, {"state": state, "len": len})
        assert name in differing({"state": there})["state"], change
        state.TOP, state.f, state.WEIGHTS, state.A.limit = copy["TOP"], copy["f"], copy["W"], 1
        vars(state).pop("new", None)
    assert differing({"state": there | {"CACHE": ["a builtins.dict", "a builtins.int"]}})


CHECKOUT = """
import json, sys
from pathlib import Path
root, folder, edit = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
sys.path.insert(0, str(root))
import parts.core
if edit:
    (root / "parts" / "core.py").write_text(edit)
from jupyter_deploy.artifacts.fingerprints import fingerprint
from jupyter_deploy.capture.pickling import write_pickle
from jupyter_deploy.capture.project_code import ProjectCode
code = ProjectCode()
write_pickle(parts.core.f, folder / "model.pkl", name="model", code=code)
print(json.dumps([fingerprint(folder / "model.pkl"), code.pack(folder)]))
"""


@pytest.mark.parametrize("edit", ["", "def f(x):\n    return 0\n"], ids=["by source", "by value"])
def test_another_checkout_of_the_same_code_is_the_same_snapshot(tmp_path, edit):
    found = []
    for name in ("here", "there"):
        root, folder = tmp_path / name, tmp_path / f"{name}-snapshot"
        (root / "parts").mkdir(parents=True)
        folder.mkdir()
        (root / "parts" / "__init__.py").touch()
        (root / "parts" / "core.py").write_text("def f(x):\n    return x\n")
        command = [sys.executable, "-c", CHECKOUT, root, folder, edit]
        found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert found[0] == found[1]
    assert bool(found[0][1]) is not bool(edit)


def test_a_changed_line_is_another_snapshot(project, tmp_path):
    import importlib

    path = project({"lines.py": "def f(x):\n    return x\n"}) / "lines.py"
    import lines

    first = packed(lines.f, tmp_path / "snapshot")[1]
    assert packed(lines.f, tmp_path / "snapshot")[1] == first
    path.write_text("def f(x):\n    return 10 * x\n")
    importlib.reload(lines)
    assert packed(lines.f, tmp_path / "snapshot")[1] != first


RUN = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from serving.project_code import install, unlisted_files
folder, files = Path(sys.argv[2]), json.loads(sys.argv[3])
print(unlisted_files(folder, files))
install(folder, files)
import safe
print(safe.ANSWER, safe.__file__)
"""


def run(folder, files):
    command = [sys.executable, "-P", "-c", RUN, SERVING_FOLDER.parent, folder, json.dumps(files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=clean())


def clean():
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}


def test_only_the_very_source_that_was_captured_is_run(project, tmp_path):
    project({"safe.py": "ANSWER = 1\n\ndef f(x):\n    return x\n"})
    import safe

    folder = tmp_path / "snapshot"
    _, files = packed(safe.f, folder)
    source = folder / "code" / "safe.py"
    assert run(folder, files).stdout.split() == ["[]", "1", str(source)]
    assert not (folder / "code" / "__pycache__").exists()

    # A compiled file that Python would take for the source's own.
    planted = "import py_compile, os, sys; p = sys.argv[1]; t = os.stat(p); s = open(p).read(); open(p, 'w').write("
    planted += "s.replace('= 1', '= 2')); os.utime(p, ns=(t.st_atime_ns, t.st_mtime_ns)); py_compile.compile(p); "
    planted += "open(p, 'w').write(s); os.utime(p, ns=(t.st_atime_ns, t.st_mtime_ns))"
    subprocess.run([sys.executable, "-c", planted, source], check=True)
    assert next((folder / "code" / "__pycache__").iterdir()).suffix == ".pyc"
    assert run(folder, files).stdout.split() == ["[]", "1", str(source)]

    (folder / "code" / "written-by-it.txt").write_text("")
    assert run(folder, files).stdout.startswith("[]")
    (folder / "code" / "json.py").write_text("")
    assert run(folder, files).stdout.startswith("['code/json.py']")
    source.write_text("ANSWER = 3\n")
    assert "differs from the captured file" in run(folder, files).stderr


def test_a_module_that_cannot_be_imported_again_is_packed_as_loaded_and_reported(project, tmp_path):
    root = project({"once.py": "from pathlib import Path\nLIMIT = int(Path('limit.txt').read_text())\n"
                    "def old(frame):\n    return (frame['age'] > LIMIT).tolist()\n"})  # fmt: skip
    (root / "limit.txt").write_text("35")
    here = Path.cwd()
    os.chdir(root)
    try:
        import once
    finally:
        os.chdir(here)
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    snapshot = capture(capturer, once.old, NUMBERS)
    assert snapshot.manifest.predictions == [False, True, True, True]
    assert sources(snapshot.manifest.files) == []
    assert [finding.check for finding in snapshot.manifest.findings] == ["edited-module"]
    assert "after a new import" in snapshot.manifest.findings[0].message


def test_local_distributions_are_distinguished_from_those_of_an_index(tmp_path, monkeypatch):
    for name, origin in [
        ("here", {"url": "file:///home/ada/here", "dir_info": {"editable": True}}),
        ("wheel", {"url": "file:///tmp/a%20b/wheel-1.whl", "archive_info": {}}),
        ("web", {"url": "https://example.org/web-1.whl", "archive_info": {}}),
        ("index", None),
    ]:
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        if origin:
            (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = [(one.name, str(one.source), one.editable) for one in local_distributions()]
    assert found == [("here", "/home/ada/here", True), ("wheel", "/tmp/a b/wheel-1.whl", False)]


def test_a_secret_that_the_notebook_gave_a_module_is_found_where_that_goes_in_by_value(project, tmp_path):
    root = project({"remote.py": "TOKEN = None\ndef scaled(x):\n    return x * 2 if TOKEN else x\n"})
    import remote

    remote.TOKEN = "hf_" + "qWErtYuiOPasDFghjk1234567890zxCVbn"
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=60)
    handed_over = live(remote.scaled, 3.0, project=root)
    staged = capturer.stage(handed_over, "churn")
    try:
        findings = capturer.replay(staged, handed_over).manifest.findings
    finally:
        capturer.discard(staged)
    (finding,) = [finding for finding in findings if finding.check == "secrets"]
    assert "TOKEN" in finding.message
    assert remote.TOKEN not in str(findings)
