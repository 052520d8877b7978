"""The importers of modules, and unneeded imports: each in its own process, since modules are loaded once."""

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_deploy import serving

LOADED = f"""
import sys
sys.path.insert(0, {str(Path(serving.__file__).parent)!r})
from imports import Imports, foreign_modules, importable
noted = Imports()
noted.preload({{names}})
"""


def ended(names, code, cwd=None):
    script = LOADED.format(names=names) + code
    return subprocess.run(
        [sys.executable, "-P", "-S", "-c", script], capture_output=True, text=True, check=True, cwd=cwd
    ).stdout.strip()


def left(names, code, cwd=None):
    return ended(names, f"{code}\nprint(*noted.unused())", cwd).split()


def test_what_nobody_asks_for_is_left():
    assert {"wave", "xml.dom.minidom", "xml.dom", "xml"} <= set(left(["wave", "xml.dom.minidom"], ""))


@pytest.mark.parametrize(
    "asking",
    [
        "import xml.dom.minidom",
        "from xml.dom import minidom",
        "import importlib; importlib.import_module('xml.dom.minidom')",
        "import importlib; importlib.import_module('.minidom', 'xml.dom')",
        "import pickle; pickle.loads(b'cxml.dom.minidom\\nparse\\n.')",  # C code asks
        "import xml.dom.expatbuilder",  # it asks for that one itself
    ],
)
def test_requested_modules_are_never_left_out(asking):
    assert left(["xml.dom.minidom"], asking) in ([], ["xml.dom.xmlbuilder"])


def test_what_is_only_there_by_another_import_is_left():
    # It works by accident: nobody has imported the attribute that is used.
    assert "xml.dom.minidom" in left(["xml.dom.minidom"], "import xml.dom\nxml.dom.minidom.parse")


def test_what_a_module_had_imported_counts_with_it():
    assert left(["csv"], "import csv") == []


def test_a_relative_import_is_reported_by_its_full_name(tmp_path):
    package = tmp_path / "parcel"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("")
    (package / "outer.py").write_text("from . import inner\n")
    (package / "lazy.py").write_text("def ask():\n    from .outer import inner\n")
    setting = (
        f"sys.path.insert(0, {str(tmp_path)!r})\nnoted = Imports()\nnoted.preload(['parcel.lazy', 'parcel.outer'])\n"
    )
    assert left([], f"{setting}import parcel.lazy") == ["parcel.inner", "parcel.outer"]
    assert left([], f"{setting}import parcel.lazy\nparcel.lazy.ask()") == []


def test_one_that_cannot_be_imported_is_passed_over_and_an_error_is_raised_as_ever():
    code = """
try:
    import no_such_module
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert ended(["no_such_module", "csv"], code) == "no_such_module"


def test_closed_it_is_as_before():
    code = """
noted.close()
import builtins, importlib
print(builtins.__import__.__name__, importlib.import_module.__name__)
"""
    assert ended(["csv"], code) == "__import__ import_module"


def test_what_is_no_installed_module_is_a_stranger_and_not_importable(tmp_path):
    (tmp_path / "mine.py").write_text("")
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
import mine, os, wave
known = (os.path.dirname(os.__file__),)
from pathlib import Path
names = importable(known)
print(foreign_modules(known, Path({str(Path(serving.__file__).parent)!r})))
print(*(name in names for name in ("wave", "mine", "__main__", "os.path")))
"""
    assert ended([], code) == "['mine']\nTrue False False False"


def test_a_module_that_code_made_is_no_stranger():
    """torch.ops has the file "_ops.py", which is none."""
    code = f"""
import types, os
from pathlib import Path
sys.modules["made"] = types.ModuleType("made")
sys.modules["made"].__file__ = "_made.py"
print(foreign_modules((os.path.dirname(os.__file__),), Path({str(Path(serving.__file__).parent)!r})))
"""
    assert ended([], code) == "[]"


def test_of_the_imports_those_by_c_code_at_run_time_are_not_recorded():
    code = """
noted = Imports()
noted.preload(["csv"])
import sys, _imp
import wave
sys.modules["by_c"] = type(sys)("by_c")
names = noted.names()
print("wave" in names, "csv" in names, "by_c" in names)
"""
    assert ended([], code) == "True True False"
