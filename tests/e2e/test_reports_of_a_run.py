"""The reports of a notebook that really ran, where all can be written and where one cannot."""

import json

import nbformat
from junitparser import JUnitXml

from jupyter_deploy.store.store import SqliteStore
from tests.disks import small_disk

CELL = """
from jupyter_deploy import metric
metric("accuracy", rows=[1] * 95 + [0] * 5)
print("token_of_the_kernel")
"""


def test_what_a_run_measured_is_in_every_report_and_one_that_cannot_be_written_loses_nothing(home, tmp_path):
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    made.metadata["nbdeploy"] = {"gates": ["accuracy >= 0.8"]}
    made.cells = [nbformat.v4.new_code_cell(CELL)]
    nbformat.write(made, tmp_path / "quality.ipynb")
    home.environment |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_WORKSPACE": str(tmp_path)}
    with small_disk(tmp_path / "disk") as disk:
        disk.fill()
        full = disk.path / "out"
        ended = home.run(
            "validate", "quality.ipynb", "--html", full, "--junit", "junit.xml", "--github", "-o", "json",
            cwd=tmp_path, check=False,
        )  # fmt: skip
        assert not list(full.glob("*"))
    told = json.loads(ended.stdout)
    assert ended.returncode == 3, ended.stderr  # the gate holds, and what was asked for is not there
    assert told["verdict"] == "pass"
    assert "cannot write into" in told["unreported"]
    (measured,) = told["runs"][0]["metrics"]
    assert measured["interval"]["low"] < 0.95 < measured["interval"]["high"]
    (kept,) = SqliteStore(home.path / "nbdeploy", "ada").validations()
    assert kept.id == told["id"]
    report = home.path / "nbdeploy" / "validations" / kept.id / "report.html"
    assert kept.report == str(report)
    assert "token_of_the_kernel" in report.read_text("utf-8")
    assert "1 gate holds" in report.read_text("utf-8")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert [(case.name, case.result) for case in suite] == [("runs to its end", []), ("gate: accuracy >= 0.8", [])]
    assert "| ✓ pass | accuracy 0.950" in (tmp_path / "summary.md").read_text("utf-8")
