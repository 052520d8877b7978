"""Reports of validations: what CI systems and browsers are given; also of what is hostile, huge, cannot be written."""

import html
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import nbformat
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from nbformat.v4 import new_code_cell, new_notebook, new_output

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.validation.chart import figures, validation_chart
from jupyter_deploy.domain.validation.validation import CellError, Check, GateResult
from jupyter_deploy.faces.render.charts import MIME
from jupyter_deploy.faces.render.render import charted_bundles
from jupyter_deploy.validation.reports import KEPT, ValidationReports, github
from tests.disks import small_disk
from tests.validations import RAISED, executed, gate, history, metric, run, validation

PLACES = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Page(HTMLParser):
    """The text of a page, what it points to, and the documents in its frames."""

    def __init__(self, source):
        super().__init__()
        self.words, self.places, self.frames, self.tags, self.images = [], [], [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.places += [value for name, value in attributes if name in PLACES]
        if tag == "iframe":
            self.frames.append(given)
        if given.get("role") == "img":
            self.images.append(given["aria-label"])

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def reports(tmp_path):
    return ValidationReports(tmp_path)


@pytest.fixture
def page(reports):
    def write(made, earlier=()):
        path = reports.html(made, earlier, reports.folder(made.id))
        return Page(path.read_text("utf-8")), path

    return write


def test_a_page_is_private_needs_nothing_but_itself_and_names_what_fails_first(page, reports):
    made = validation(
        run(
            executed=executed(reports.folder("x") / "quality.ipynb"),
            gates=(gate("pass", "log_loss <= 0.2"), gate("inconclusive", "accuracy[sex=F] >= 0.9"), gate("fail")),
            checks=(Check(name="all seen", passed=True), Check(name="no gaps", passed=False, detail="3 rows")),
        ),
        name="x",
    )
    seen, path = page(made, history(12))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [place for place in seen.places if urlsplit(place).scheme not in ("", "data")] == []
    assert "script" not in seen.tags
    (frame,) = seen.frames
    inside = Page(frame["srcdoc"])
    assert frame["sandbox"] == ""
    assert "Quality of the churn model" in inside.text
    assert [p for p in inside.places if p != "data.csv" and not p.startswith(("data:", "#"))] == []
    order = [seen.text.index(words) for words in ("FAIL: 1 of 3 gates", "✗ fail", "? inconclusive", "✓ pass", "3 rows")]
    assert order == sorted(order)
    assert seen.text.index("3 rows") < seen.text.index("all seen")
    assert any("accuracy. all rows: candidate 0.947 [0.927, 0.963], stable 0.953" in image for image in seen.images)
    assert any("accuracy over 13 validations" in image for image in seen.images)


def test_what_a_notebook_says_is_shown_and_never_markup(page):
    nasty = "<img src=x onerror=alert(1)>\"'</script>"
    made = validation(
        run(
            f"/repo/{nasty}.ipynb".replace("/script", "script"),
            status="raised",
            error=CellError(cell=2, ename=nasty, evalue=nasty, traceback=nasty),
            metrics=(metric(nasty, 0.5, sex=nasty),),
            checks=(Check(name=nasty, passed=False, detail=nasty),),
            gates=(GateResult(expression=nasty, verdict="fail", sentence=nasty, method=nasty, origin=nasty),),
            parameters={"rows": nasty, "api_key": "hunter2"},
            kernel=nasty,
            detail=nasty,
        ),
        forced=nasty,
        notes=(nasty,),
    )
    seen, path = page(made)
    source = path.read_text("utf-8")
    assert "img" not in seen.tags
    assert "<img" not in source
    assert seen.text.count("onerror=alert(1)") > 10
    assert "hunter2" not in source
    assert "(hidden)" in seen.text


def test_a_notebook_of_50_megabytes_makes_a_page_that_opens(page, reports):
    folder = reports.folder("big")
    outputs = [
        new_output("stream", text="START" + "x" * 10_000_000 + "END"),
        new_output("display_data", {"image/png": "A" * 20_000_000, "text/plain": "<Figure>"}),
        new_output("display_data", {"text/html": "<p>y</p>" * 2_500_000, "text/plain": "a table"}),
        *(new_output("display_data", {"text/html": "<p>z</p>" * 2_000, "text/plain": "t"}) for _ in range(200)),
    ]
    nbformat.write(new_notebook(cells=[new_code_cell("show()", outputs=outputs)]), folder / "big.ipynb")
    assert (folder / "big.ipynb").stat().st_size > 50_000_000
    seen, path = page(validation(run(executed=str(folder / "big.ipynb")), name="big"))
    assert path.stat().st_size < 8_000_000
    inside = Page(seen.frames[0]["srcdoc"]).text
    assert "START" in inside
    assert "END" in inside
    assert "9,960,008 characters left out" in inside
    assert "long outputs are shortened or left out" in seen.text


def test_many_notebooks_share_the_pages_room_and_failing_ones_come_first(page, reports):
    folder = reports.folder("many")
    for number in range(6):
        image = {"image/png": "A" * 1_900_000}
        cell = new_code_cell("show()", outputs=[new_output("display_data", image), new_output("display_data", image)])
        nbformat.write(new_notebook(cells=[cell]), folder / f"{number}.ipynb")
    runs = [
        run(
            f"/repo/{number}.ipynb",
            executed=str(folder / f"{number}.ipynb"),
            gates=(gate("fail"),) if number == 5 else (),
        )
        for number in range(6)
    ]
    seen, path = page(validation(*runs, name="many"))
    assert path.stat().st_size < 13_000_000
    assert "The notebooks before it have filled this page." in seen.text
    assert any("5.ipynb" in frame["title"] for frame in seen.frames)
    assert len(seen.frames) < 6


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no longer there"), ("{", "cannot be read"), ("big", "too much for this page")],
    ids=["gone", "not a notebook", "too big"],
)
def test_a_notebook_that_cannot_be_shown_is_linked_and_the_report_is_written(page, reports, content, said):
    file = reports.folder("odd") / "odd one.ipynb"
    if content == "big":
        with file.open("wb") as stream:
            stream.truncate(65 * 1024**2)
    elif content:
        file.write_text(content)
    seen, _ = page(validation(run(executed=str(file)), name="odd"))
    assert said in seen.text
    assert "odd%20one.ipynb" in seen.places
    assert seen.frames == []


def test_numbers_that_cannot_be_drawn_are_told_in_the_table(page):
    odd = (metric("loss", float("nan"), 0), metric("ratio", float("inf"), 0), metric("loss", 0.5, sex="F"))
    made = validation(run(metrics=odd, stable_metrics=(), gates=(gate("fail", "loss <= 1", threshold=float("nan")),)))
    seen, _ = page(made, [made.model_copy(update={"id": "before"})])
    assert "nan" in seen.text
    assert "inf" in seen.text
    json.dumps(validation_chart(made), allow_nan=False)


def test_forty_metrics_have_pictures_up_to_a_number_and_the_table_has_all(page):
    metrics = tuple(
        m for n in range(40) for m in (metric(f"m{n}", 0.9), *(metric(f"m{n}", 0.8, region=str(r)) for r in range(20)))
    )
    seen, _ = page(validation(run(metrics=metrics, stable_metrics=(), gates=(gate("fail", "m39 >= 0.95"),))))
    assert len(seen.images) == 18
    assert seen.images[0].startswith("m39.")
    assert "22 more metrics without a picture" in seen.text
    assert "9 more subgroups" in seen.text
    assert seen.text.count("region=19") == 40


def test_jupyterlab_is_shown_the_table_and_the_pictures_of_what_is_most_urgent():
    metrics = tuple(metric(f"m{n}", 0.9) for n in range(12))
    table, chart = charted_bundles(validation(run(metrics=metrics, gates=(gate("fail", "m11 >= 0.95"),))))
    assert "FAIL" in table["text/plain"]
    names = [one["title"]["text"] for one in chart[MIME]["vconcat"]]
    assert names == ["m11", *(f"m{n}" for n in range(7))]
    nothing = validation(run(metrics=(metric("m", float("nan"), 0),), stable_metrics=()))
    assert len(charted_bundles(nothing)) == 1


def test_history_is_of_the_same_notebook_parameters_and_endpoint():
    now = validation(run())
    others = [
        *history(3),
        now,
        *(one.model_copy(update={"endpoint": "other"}) for one in history(2)),
        *history(2, parameters={"rows": 1}),
        *history(2, notebook="/repo/checks/another.ipynb"),
    ]
    (accuracy,) = [figure for figure in figures(now, others) if figure.name == "accuracy"]
    assert [past.now for past in accuracy.history] == [False, False, False, True]
    alone = now.model_copy(update={"endpoint": None})
    of_other_models = [one.model_copy(update={"endpoint": None, "snapshot": "price:1"}) for one in history(3)]
    assert [len(figure.history) for figure in figures(alone, of_other_models)] == [1, 1, 1]


def test_a_full_disk_is_said_and_leaves_the_former_page(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        reports = ValidationReports(disk.path)
        made = validation(run())
        folder = reports.folder(made.id)
        path = reports.html(made, (), folder)
        before = path.read_text("utf-8")
        disk.fill()
        with pytest.raises(StoreError, match="cannot write into"):
            reports.html(made, (), folder)
        assert path.read_text("utf-8") == before
        assert [file.name for file in folder.iterdir()] == ["report.html"]
        with pytest.raises(StoreError, match="cannot write into"):
            reports.junit(made, disk.path / "junit.xml")
        assert not (disk.path / "junit.xml").exists()


def test_a_published_page_links_to_the_notebooks_beside_it(page, reports, tmp_path):
    elsewhere = tmp_path / "executed"
    elsewhere.mkdir()
    made = validation(run(executed=executed(elsewhere / "a b.ipynb"), executed_stable=executed(elsewhere / "s.ipynb")))
    seen, path = page(made)
    assert (elsewhere / "a b.ipynb").as_uri() in seen.places
    index = reports.publish(made.model_copy(update={"report": str(path)}), tmp_path / "site" / "deep")
    assert index == tmp_path / "site" / "deep" / "index.html"
    assert {"a%20b.ipynb", "s.ipynb"} <= set(Page(index.read_text("utf-8")).places)
    assert str(elsewhere) not in index.read_text("utf-8")
    assert {file.name for file in index.parent.iterdir()} == {"index.html", "a b.ipynb", "s.ipynb"}


def test_old_folders_go_and_those_of_releases_stay(reports):
    names = [f"20260101T{number:06}-x" for number in range(KEPT + 5)]
    for name in names:
        (reports.folder(name) / "report.html").write_text("x")
    reports.clear({names[0], names[2]})
    left = sorted(folder.name for folder in reports.folder(names[-1]).parent.iterdir())
    assert left == [names[0], names[2], *names[5:]]


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


def test_junit_tells_failures_errors_and_what_was_not_run(junit):
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


def test_junit_is_what_the_schemas_of_jenkins_and_ant_allow(junit):
    """The rules of Jenkins' junit-10.xsd, and those of Ant's that are stricter: order, and what has to be there."""
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
    """What a GitHub job would be told of a validation: its commands, and its summary."""
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


def test_github_is_told_at_the_cells_line_and_nothing_in_a_message_is_a_command(told, tmp_path):
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


def test_github_is_told_of_a_gate_at_the_cell_of_its_very_metric(told, tmp_path):
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


def test_github_is_told_the_cause_and_not_what_came_of_it(told):
    error = CellError(cell=6, ename="ValueError", evalue="no rows")
    without = gate("fail", "auc >= 0.9", value=0.0).model_copy(update={"value": None})
    commands, _ = told(validation(run("/elsewhere/a.ipynb", status="raised", error=error, gates=(without, without))))
    assert commands == [
        "::error title=a.ipynb%3A failed::ValueError: no rows; 2 gates could not be judged",
    ]


def test_github_is_told_at_most_what_it_shows_of_a_kind(told):
    made = validation(
        *(run(f"/elsewhere/{number}.ipynb", gates=(gate("fail"), gate("inconclusive"))) for number in range(30))
    )
    commands, summary = told(made)
    assert [sum(line.startswith(f"::{kind} ") for line in commands) for kind in ("error", "warning")] == [10, 10]
    assert "::error title=21 more::21 more are in the job's summary" in commands
    assert summary.count("✗ fail | accuracy") == 30


def test_githubs_summary_is_markdown_that_the_notebooks_words_cannot_leave(told):
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


def test_outside_of_github_it_is_printed_what_github_would_be_told(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr("sys.stderr", said)
    github.tell(validation(run(gates=(gate("fail"),))), {})
    lines = said.getvalue().splitlines()
    assert lines[0] == "nbdeploy: no GitHub workflow runs here; it would be told:"
    assert lines[1].startswith("::error ")
    assert any(line.startswith("## ✗ FAIL") for line in lines)
