"""Checks as a user meets them: in a real kernel, in a shell, in the history."""

import re

import pytest

from tests.notebooks import run, texts, write

# In two parts, so that the cell itself does not hold it and no scanner takes it for a real one.
TOKEN = ("ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")

# As JupyterLab saves it, after 'scale = 2' was written into a cell that had run.
EDITED_AND_SAVED = """
import json, os, pathlib
file = pathlib.Path(os.environ["NBDEPLOY_NOTEBOOK"])
document = json.loads(file.read_text())
for number, cell in enumerate(document["cells"], 1):
    cell["execution_count"] = number
document["cells"][3]["source"] = "scale = 2"
file.write_text(json.dumps(document))
"""

CELLS = [
    "%load_ext jupyter_deploy",
    f"TOKEN = '{TOKEN[0]}' + '{TOKEN[1]}'\nscale = 1",
    "def predict(x):\n    return float(len(TOKEN) + x * scale)",
    "scale = scale + 1",
    "print(1)\nprint(scale.nothing)",
    "%deploy predict --name scaled --example 2.0",
    "%deploy predict --name scaled --example 2.0 --waive secrets --reason tested",
    EDITED_AND_SAVED,
    "%deploy predict --name scaled --example 2.0 --strict --waive secrets --reason tested",
]


@pytest.fixture(scope="module")
def ran(shared_home):
    """The notebook's cells as they came out."""
    path = write(shared_home.path / "scaled.ipynb", *CELLS)
    return texts(run(path, shared_home.environment, allow_errors=True))


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_captured_secret_refuses_the_deploy_by_its_path_and_is_shown_nowhere(ran):
    refused = plain(ran[5])
    assert "secrets: 1 finding against this deploy" in refused
    assert "predict → global 'TOKEN' holds a GitHub Token" in refused
    assert '--waive secrets --reason "…"' in refused
    assert not any(TOKEN[0] + TOKEN[1] in text for text in ran)


def test_a_waived_check_is_deployed_shown_and_kept_in_the_history(ran, shared_home):
    assert "scaled:" in ran[6], ran[6]
    assert "[waived] secrets" in ran[6]
    assert "stale-kernel" not in ran[6]
    (revision,) = shared_home.json("history", "scaled")
    assert revision["change"].endswith("secrets waived")
    assert revision["reason"] == "tested"
    (release,) = shared_home.json("describe", "scaled")["releases"]
    waivers = [(f["check"], f["severity"], f["waived"]) for f in release["findings"] if f["check"] == "secrets"]
    # In the function's globals, and in the cell that gives it its value.
    assert waivers == [("secrets", "error", "tested"), ("secrets", "warning", "tested")]
    assert "what the checks found" in shared_home.run("describe", "scaled").stdout


def test_strict_refuses_warnings_such_as_of_a_stale_kernel_in_a_real_kernel(ran):
    refused = plain(ran[8])
    assert "stale-kernel: 1 finding against this deploy" in refused
    assert "In [4] (`scale = scale + 1`) was edited after it ran" in refused


def test_a_snapshot_is_judged_by_its_tag_too_and_a_later_waiver_makes_a_revision(ran, shared_home):
    (release,) = shared_home.json("describe", "scaled")["releases"]
    tag = release["tag"]
    again = shared_home.json("deploy", tag, "--name", "scaled", "--strict")
    assert again["changed"] is False, "the waiver is known with the snapshot"
    later = shared_home.json("deploy", tag, "--name", "scaled", "--waive", "secrets", "--reason", "key was revoked")
    assert later["changed"] is True
    newest, first = shared_home.json("history", "scaled")
    assert (newest["change"], newest["reason"]) == (f"{tag}: secrets waived", "key was revoked")
    assert first["state"]["releases"][0]["findings"][0]["waived"] == "tested", "what was waived before stays"


def test_an_unknown_check_or_a_missing_reason_is_an_error_before_the_start(shared_home):
    unknown = shared_home.run("deploy", "scaled:0123", "--waive", "secret", "--reason", "x", check=False)
    assert (unknown.returncode, "there is no check 'secret'" in unknown.stderr) == (2, True)
    silent = shared_home.run("deploy", "scaled:0123", "--waive", "secrets", check=False)
    assert (silent.returncode, "needs a reason" in silent.stderr) == (2, True)
