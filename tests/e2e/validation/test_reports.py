"""Reports: the page in Chromium, offline, light and dark, wide and narrow; and all formats of a real run."""

import contextlib
import json
import os
import socket
import threading
from types import SimpleNamespace

import nbformat
import pytest
from junitparser import JUnitXml

from jupyter_deploy.domain.validation.validation import Check, GateResult
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.validation.reports import ValidationReports
from tests.disks import small_disk
from tests.e2e.conftest import until
from tests.validations import RAISED, executed, gate, history, hostile, metric, run, validation

# What a person could not read: a text's colour on what lies behind it, by WCAG's formula; below 4.5, for large ones 3.
FAINT = """() => {
    const channels = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const luminance = rgb => rgb.slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const rgb = channels(getComputedStyle(at).backgroundColor);
            if (rgb.length === 3 || rgb[3] > 0.99) return rgb;
        }
        return [255, 255, 255];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('style')) continue;
        const style = getComputedStyle(element);
        const [a, b] = [channels(element.closest('svg') ? style.fill : style.color), behind(element)].map(luminance);
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const large = parseFloat(style.fontSize) >= 24;
        if (ratio < (large ? 3 : 4.5)) found.push([walker.currentNode.data.trim().slice(0, 40), ratio.toFixed(2)]);
    }
    return found;
}"""

# What a screen reader could not tell: pictures, frames and regions without names, cells without heads, and so on.
NAMELESS = """() => {
    const found = [];
    const all = selector => [...document.querySelectorAll(selector)];
    const check = (selector, is) => found.push(...all(selector).filter(e => !is(e)).map(e => e.outerHTML.slice(0, 80)));
    check('svg', e => e.getAttribute('role') === 'img' && e.getAttribute('aria-label').length > 20);
    check('svg > *', e => e.getAttribute('aria-hidden') === 'true');
    check('iframe', e => e.title);
    check('[role=region]', e => e.getAttribute('aria-label') && e.tabIndex === 0);
    check('th', e => e.scope);
    check('table', e => e.caption);
    check('[aria-labelledby]', e => document.getElementById(e.getAttribute('aria-labelledby')));
    const levels = all('h1,h2,h3').map(e => +e.tagName[1]);
    levels.forEach((level, i) => level - (levels[i - 1] || 0) > 1 && found.push(`h${level} skips a level`));
    const ids = all('[id]').map(e => e.id);
    if (new Set(ids).size < ids.length) found.push('an id stands twice');
    return found;
}"""


# Words of a table that stand in several lines.
BROKEN = """() => [...document.querySelectorAll('th, td')].filter(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return !/\\s/.test(cell.innerText) && range.getClientRects().length > 1;
}).map(cell => cell.innerText)"""


@pytest.fixture(scope="module")
def listener():
    """Somebody who waits for a connection, and notes each."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            while True:
                try:
                    connection, who = server.accept()
                except OSError:
                    return
                connection.close()
                came.append(who)

        threading.Thread(target=accept, daemon=True).start()
        yield SimpleNamespace(came=came, url=f"http://127.0.0.1:{server.getsockname()[1]}")


def groups(name, value):
    return (metric(name, value), metric(name, value - 0.02, 0.04, sex="F"), metric(name, value + 0.01, 0.03, sex="M"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory, listener):
    """A page of each kind, by name."""
    reports = ValidationReports(tmp_path_factory.mktemp("home"))
    ran = executed(reports.folder("pass") / "quality.ipynb")
    failed = executed(reports.folder("raised") / "quality.ipynb", failing=True)
    taken = executed(reports.folder("hostile") / "quality.ipynb", *hostile(listener.url))
    gates = (
        gate("pass", "log_loss <= 0.2", threshold=0.2),
        gate("inconclusive", "accuracy[sex=F] >= 0.9"),
        gate("fail"),
    )
    missing = GateResult(expression="accuracy >= 0.9", verdict="fail", sentence="accuracy was not recorded: fail")
    nothing = {"metrics": (), "stable_metrics": (), "checks": ()}
    many = [
        run(f"/repo/{n}.ipynb", executed=ran if n < 3 else None, gates=(gate("fail" if n == 7 else "pass"),))
        for n in range(30)
    ]
    forty = tuple(one for n in range(40) for one in groups(f"metric_{n}", 0.9 - n / 100))
    wrong = Check(name="no negative prices", passed=False, detail="3 of 400 are below 0", cell=7)
    made = {
        "pass": (run(executed=ran, executed_stable=ran), history(50)),
        "fail": (run(executed=ran, metrics=groups("accuracy", 0.92), gates=gates, checks=(wrong,)), history(2)),
        "inconclusive": (run(executed=ran, gates=gates[:2]), history(1)),
        "raised": (run(executed=failed, status="raised", error=RAISED, gates=(missing,), **nothing), ()),
        "died": (run(status="died", detail="the kernel died in cell 4", gates=(), **nothing), ()),
        "one metric": (run(metrics=(metric("rmse", 12345.678, 0),), stable_metrics=(), gates=(), checks=()), ()),
        "forty metrics": (run(metrics=forty, stable_metrics=forty, gates=(gate("pass", "metric_3 >= 0.5"),)), ()),
        "thirty notebooks": (*many, ()),
        "hostile": (run(executed=taken), ()),
    }
    found = {}
    for name, (*runs, earlier) in made.items():
        one = validation(*runs, name=name, notes=("one note",), forced="a customer waits" if name == "fail" else None)
        found[name] = reports.html(one, earlier, reports.folder(name))
    return found


@pytest.fixture(params=[("light", 1280), ("dark", 400), ("dark", 1280), ("light", 400)], ids=lambda p: f"{p[0]}-{p[1]}")
def opened(request, browser, pages):
    """Open a page in a browser; its requests and complaints are recorded."""
    scheme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, asked, said = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: one.url.startswith(("data:", "about:", "file:")) or asked.append(one.url))

    def open_(name):
        page.goto(pages[name].as_uri())
        if folder := os.environ.get("NBDEPLOY_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/report-{name}-{scheme}-{width}.png", full_page=True)
        return SimpleNamespace(page=page, asked=asked, said=said, width=width, scheme=scheme)

    yield open_
    context.close()


SAID = {
    "pass": ("PASS: 1 gate and 1 check hold", "✓ pass"),
    "fail": ("FAIL: 1 of 3 gates does not hold; 1 of 1 check failed; 1 of 3 gates is undecided", "✗ fail"),
    "inconclusive": ("INCONCLUSIVE: 1 of 2 gates is undecided", "? inconclusive"),
    "raised": ("FAIL: 1 of 1 gate does not hold; 1 of 1 run did not come to its end", "✗ fail"),
    "died": ("FAIL: 1 of 1 run did not come to its end", "its kernel died"),
    "one metric": ("PASS: 1 run came to its end; no gate was given", "12,346"),
    "forty metrics": ("PASS: 1 gate and 1 check hold", "22 more metrics without a picture"),
    "thirty notebooks": ("FAIL: 1 of 30 gates does not hold", "29 gates hold"),
}


def test_every_report_can_be_read_asks_for_nothing_and_complains_of_nothing(opened):
    for name, (headline, words) in SAID.items():
        seen = opened(name)
        heading = seen.page.get_by_role("heading", level=1)
        assert heading.is_visible(), name
        assert heading.inner_text().startswith(headline), name
        assert seen.page.get_by_text(words).first.is_visible(), name
        assert seen.page.get_by_role("heading", name="Gates", exact=True).is_visible(), name
        for details in seen.page.locator("details").all():
            details.evaluate("e => e.open = true")
        assert seen.page.evaluate(FAINT) == [], name
        assert seen.page.evaluate(NAMELESS) == [], name
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= seen.width, name
        assert (seen.asked, seen.said) == ([], []), name


def test_the_notebook_is_there_as_it_ran_and_as_light_or_dark_as_the_page(opened):
    seen = opened("pass")
    seen.page.locator("iframe").first.scroll_into_view_if_needed()
    frame = seen.page.frame_locator("iframe").first
    assert frame.get_by_role("heading", name="Quality of the churn model").is_visible()
    assert frame.get_by_text("UserWarning").is_visible()
    assert frame.locator("img").evaluate("e => e.naturalWidth") == 420
    ink = frame.locator("body").evaluate("e => getComputedStyle(e).color")
    assert ink == ("rgb(230, 232, 235)" if seen.scheme == "dark" else "rgb(28, 32, 36)")
    inside = seen.page.frames[1]
    assert inside.evaluate(FAINT.replace("[255, 255, 255]", "[20, 23, 26]") if seen.scheme == "dark" else FAINT) == []
    assert inside.evaluate(BROKEN) == []
    assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the table scrolls, and not the frame"
    assert (seen.asked, seen.said) == ([], [])


def test_a_hostile_notebook_runs_nothing_asks_nothing_and_stays_in_its_frame(opened, listener):
    seen = opened("hostile")
    frame = seen.page.frame_locator("iframe").first
    frame.get_by_text("remote").or_(frame.locator("img[alt=remote]")).first.wait_for(state="attached")
    seen.page.locator("iframe").first.scroll_into_view_if_needed()
    seen.page.frames[1].wait_for_load_state("load")
    # Its network need never be idle.
    assert listener.came == []
    assert seen.page.title().startswith("pass")
    assert len(seen.page.frames) >= 2
    assert seen.page.frames[1].url == "about:srcdoc"
    assert seen.page.get_by_role("heading", level=1).inner_text().startswith("PASS")


def test_a_connection_to_the_listener_of_the_hostile_notebook_is_noticed(listener):
    with contextlib.closing(socket.create_connection(("127.0.0.1", int(listener.url.rpartition(":")[2])))):
        until(lambda: listener.came)
    listener.came.clear()


CELL = """
from jupyter_deploy import metric
metric("accuracy", rows=[1] * 95 + [0] * 5)
print("token_of_the_kernel")
"""


def test_the_metrics_of_a_run_are_in_every_report_and_a_failed_report_loses_nothing(home, tmp_path):
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
