"""Reports for CI systems: JUnit's XML, and GitHub's annotations and summary."""

import html
import io
import re
from xml.etree import ElementTree as ET

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from nbformat.v4 import new_code_cell

from jupyter_deploy.domain.validation.validation import CellError, Check
from jupyter_deploy.validation.reports import ValidationReports, github
from tests.validations import RAISED, executed, gate, metric, run, validation


@pytest.fixture
def reports(tmp_path):
    return ValidationReports(tmp_path)


JUNIT = (
    validation(
        run("/repo/good.ipynb", parameters={"seed": 1, "api_token": "hunter2"}),
        run(
            "/repo/bad.ipynb",
            checks=(Check(name="no gaps", passed=False, detail="3 \x1b[31mrows\x00"),),
            gates=(gate("fail"), gate("inconclusive", "accuracy[sex=F] >= 0.9"), gate("pass", "log_loss <= 1")),
        ),
        run("/repo/raised.ipynb", status="raised", error=RAISED, gates=(), checks=()),
        run("/repo/died.ipynb", status="died", detail="the kernel was killed", gates=(), checks=()),
        run("/repo/later.ipynb", status="not run", detail="bad.ipynb failed before", gates=(), checks=()),
        live=(gate("fail", "agreement >= 0.99"),),
    )
)  # fmt: skip


@pytest.fixture
def junit(reports, tmp_path):
    reports.junit(JUNIT, tmp_path / "junit.xml")
    return tmp_path / "junit.xml"


def test_junit_has_failures_errors_and_skipped_runs(junit):
    suites = list(JUnitXml.fromfile(str(junit)))
    assert [suite.name for suite in suites] == [
        "good.ipynb [seed=1, api_token=(hidden)]", "bad.ipynb", "raised.ipynb", "died.ipynb", "later.ipynb",
        "live traffic",
    ]  # fmt: skip
    kinds = [[type(case.result[0]) if case.result else None for case in suite] for suite in suites]
    assert kinds == [[None] * 3, [None, Failure, Failure, Failure, None], [Error], [Error], [Skipped], [Failure]]
    assert [(s.tests, s.failures, s.errors, s.skipped) for s in suites] == [
        (3, 0, 0, 0), (5, 3, 0, 0), (1, 0, 1, 0), (1, 0, 1, 0), (1, 0, 0, 1), (1, 1, 0, 0),
    ]  # fmt: skip
    bad = list(suites[1])
    assert bad[1].result[0].message == "3 �[31mrows�"
    assert [case.result[0].type for case in bad[1:4]] == ["check", "gate", "inconclusive"]
    assert bad[2].result[0].message == gate("fail").sentence
    assert next(iter(suites[2])).result[0].message == "cell 5: ValueError: row 3: 'age' is missing"
    properties = {one.name: one.value for one in suites[0].properties()}
    assert properties["metric: accuracy"] == "0.947"
    assert properties["snapshot"] == JUNIT.snapshot
    assert "hunter2" not in junit.read_text("utf-8")


def test_junit_satisfies_the_schemas_of_jenkins_and_ant(junit):
    """The rules of Jenkins' junit-10.xsd, and the stricter ones of Ant's: order and required elements."""
    root = ET.fromstring(junit.read_text("utf-8"))
    assert root.tag == "testsuites"
    assert set(root.attrib) <= {"name", "time", "tests", "failures", "errors"}
    attributes = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"}
    time = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
    for suite in root:
        assert set(suite.attrib) == attributes
        assert time.fullmatch(suite.get("time"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        children = [child.tag for child in suite]
        count = int(suite.get("tests"))
        assert children == ["properties", *["testcase"] * count, "system-out", "system-err"]
        for case in suite.iter("testcase"):
            assert set(case.attrib) == {"name", "classname", "time"}
            assert len(case) <= 1
            assert all(set(result.attrib) == {"type", "message"} for result in case)
    assert sum(int(suite.get("tests")) for suite in root) == int(root.get("tests"))


@pytest.fixture
def told(tmp_path, capsys, monkeypatch):
    """The output of a validation in a GitHub job: its commands, and its summary."""
    target = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "repo"))

    def tell(made, before=""):
        target.write_text(before)
        ValidationReports(tmp_path / "home").github(made)
        said = capsys.readouterr()
        assert said.out == ""
        return said.err.splitlines(), target.read_text("utf-8")

    return tell


def test_github_annotations_are_at_the_cells_line_and_messages_contain_no_commands(told, tmp_path):
    folder = tmp_path / "repo" / "checks"
    folder.mkdir(parents=True)
    executed(folder / "q, 1.ipynb", new_code_cell("clf.predict(X_wrong)"), failing=True)  # two begin alike
    error = CellError(cell=6, ename="ValueError", evalue="100% wrong\n::error::mine\r\n::stop-commands::x")
    made = validation(
        run(
            folder / "q, 1.ipynb",
            status="raised",
            error=error,
            gates=(gate("inconclusive"),),
        ),
        run("/elsewhere/other.ipynb", gates=(gate("fail"),)),
    )
    commands, _ = told(made)
    source = (folder / "q, 1.ipynb").read_text("utf-8").splitlines()
    line = [number for number, text in enumerate(source, 1) if '"clf.predict(X_wrong)"' in text][-1]
    assert commands[0] == (
        f"::error file=checks/q%2C 1.ipynb,line={line},title=q%2C 1.ipynb%3A failed::"
        "ValueError: 100%25 wrong%0A::error::mine%0D%0A::stop-commands::x"
    )
    assert commands[2].startswith("::warning file=checks/q%2C 1.ipynb,line=")
    assert commands[1].startswith("::error title=gate fails%3A accuracy >= stable - 0.01::accuracy 0.947")
    assert len(commands) == 3


def test_the_github_annotation_of_a_gate_is_at_the_cell_of_its_metric(told, tmp_path):
    path = executed(tmp_path / "repo-q.ipynb")
    lines = github._lines(path)
    metrics = (
        metric("acc", 0.5, cell=1),
        metric("accuracy", 0.9, cell=2, sex="M"),
        metric("accuracy", 0.9, cell=3, sex="F"),
        metric("accuracy", 0.9, cell=4),
    )
    expressions = ("accuracy >= 0.95", "accuracy[sex=F] >= 0.95", "accuracy[sex=X] >= 1", "acc >= 1", "none >= 1", "?")
    made = validation(run(path, metrics=metrics, gates=tuple(gate("fail", one) for one in expressions)))
    found = list(github._annotations(made, tmp_path))
    assert [one.line for one in found] == [lines[3], lines[2], lines[1], lines[0], 1, 1]


def test_github_annotations_have_the_cause_and_not_its_consequences(told):
    error = CellError(cell=6, ename="ValueError", evalue="no rows")
    without = gate("fail", "auc >= 0.9", value=0.0).model_copy(update={"value": None})
    commands, _ = told(validation(run("/elsewhere/a.ipynb", status="raised", error=error, gates=(without, without))))
    assert commands == [
        "::error title=a.ipynb%3A failed::ValueError: no rows; 2 gates could not be judged",
    ]


def test_github_gets_at_most_the_annotations_that_it_shows_of_a_kind(told):
    made = validation(
        *(run(f"/elsewhere/{number}.ipynb", gates=(gate("fail"), gate("inconclusive"))) for number in range(30))
    )
    commands, summary = told(made)
    assert [sum(line.startswith(f"::{kind} ") for line in commands) for kind in ("error", "warning")] == [10, 10]
    assert "::error title=21 more::21 more are in the job's summary" in commands
    assert summary.count("✗ fail | accuracy") == 30


def test_githubs_summary_is_markdown_that_the_notebooks_text_cannot_leave(told):
    nasty = "a|b `c` <script>x</script> @everyone **bold** [l](http://x) #1\n\n# title"
    made = validation(
        run(checks=(Check(name=nasty, passed=False, detail=nasty),), parameters={"password": "hunter2"}), forced=nasty
    )
    _, summary = told(made, before="an earlier step's line\n")
    assert summary.startswith("an earlier step's line\n## ✗ FAIL: churn:7f3ac21b9d20")
    (row,) = [line for line in summary.splitlines() if line.startswith("| ✗ fail | a")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    for said in ("<script", "@everyone", " `c`", "**bold**", "](http", "\n# title", "hunter2"):
        assert said not in summary.replace("**Done all the same:**", "")
    assert "| accuracy | all rows | 0.947 [0.927, 0.963] | 0.953 | 400 |" in summary.replace("\\", "")
    assert html.unescape(summary).count("<script") > 1


def test_githubs_summary_ends_before_its_limit_with_a_note(told):
    made = validation(*(run(f"/x/{'n' * 3000}{n}.ipynb", gates=(gate("fail"),) * 30, checks=()) for n in range(90)))
    _, summary = told(made, before="x" * 500_000)
    assert 900_000 < len(summary.encode()) < 1024 * 1024
    assert summary.endswith("The HTML report has all of it.*\n")


def test_outside_of_github_the_annotations_are_printed(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr("sys.stderr", said)
    github.write(validation(run(gates=(gate("fail"),))), {})
    lines = said.getvalue().splitlines()
    assert lines[0] == "nbdeploy: no GitHub workflow runs here; it would be told:"
    assert lines[1].startswith("::error ")
    assert any(line.startswith("## ✗ FAIL") for line in lines)
