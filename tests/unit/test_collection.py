"""Every test file is collected: a folder that falls out of ``testpaths`` would be a test that never runs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_folder_with_tests_is_collected():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    collected = [ROOT / path for path in settings["tool"]["pytest"]["ini_options"]["testpaths"]]

    # Tests of a cluster need one, which '.ci/kubernetes' builds and starts.
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "test-kubernetes: " in makefile
    assert "make test-kubernetes" in (ROOT / ".ci/kubernetes").read_text("utf-8")
    collected += [ROOT / path for path in re.findall(r"\$\(PYTEST\)[^\n]*[ ,](tests/\w+)\b", makefile)]

    folders = {file.parent for file in (ROOT / "tests").rglob("test_*.py")}
    missed = [folder for folder in folders if not any(folder.is_relative_to(path) for path in collected)]

    assert folders
    assert missed == [], "add these folders to testpaths in pyproject.toml"
