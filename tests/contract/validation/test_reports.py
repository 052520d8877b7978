"""The HTML report of a validation; also of a hostile or huge notebook, and on a full disk."""

import json
from html.parser import HTMLParser
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from jupyter_deploy.domain.charts import MIME
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.validation.chart import figures, validation_chart
from jupyter_deploy.domain.validation.validation import CellError, Check, GateResult
from jupyter_deploy.faces.render.render import charted_bundles
from jupyter_deploy.validation.reports import KEPT, ValidationReports
from tests.disks import small_disk
from tests.validations import executed, gate, history, metric, run, validation

PLACES = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Page(HTMLParser):
    """The text of a page, its links, and the documents in its frames."""

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


def test_a_notebooks_text_is_shown_and_never_markup(page):
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


def test_numbers_that_cannot_be_drawn_are_in_the_table(page):
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


def test_jupyterlab_shows_the_table_and_the_charts_of_the_most_urgent_metrics():
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


def test_a_full_disk_is_an_error_and_leaves_the_former_page(tmp_path):
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


def test_a_published_page_links_to_the_notebooks_in_its_folder(page, reports, tmp_path):
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
