"""Reports of validations from a Jupyter server, in Debian's Chromium: readable, and without any rights there."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import sync_playwright

from jupyter_deploy.domain.jobs import Problem
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.validation.validated import Validated
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.validation.reports import ValidationReports
from tests.conftest import make_home
from tests.e2e.jupyter import TOKEN, jupyter_server, problem_in
from tests.e2e.lab import launch
from tests.releases import release
from tests.validations import executed, history, run, validation

HOSTILE = """<!doctype html><title>a report</title><h1>report</h1><script>
document.title = "scripts run";
fetch("/user/ada/api/contents", {method: "POST", body: "{}"});
</script><img src="/user/ada/nbdeploy/list">
<form action="/user/ada/nbdeploy/down" method="post"><button>down</button></form>"""


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A home whose release tumour:1 has a report as nbdeploy writes it, tumour:2 a hostile one, tumour:3 none."""
    home = make_home(tmp_path_factory.mktemp("reports") / "home")
    folder = home.path / "nbdeploy"
    reports = ValidationReports(folder)
    place = reports.folder("one")
    ran = executed(place / "quality.ipynb")
    page = reports.html(validation(run(executed=ran, executed_stable=ran), name="one"), history(3), place)
    hostile = reports.folder("two") / "report.html"
    hostile.write_text(HOSTILE)
    releases = [
        release("1", validation=validated(page)),
        release("2", validation=validated(hostile)),
        release("3"),
        release("4", validation=validated(folder / "gone.html")),
    ]
    endpoint = Endpoint(
        name="tumour", target="local", revision=1, releases=tuple(releases), traffic=Traffic(stable="tumour:1")
    )
    SqliteStore(folder, "ada").save(endpoint, based_on=0, reason="", change="made")
    return home, page


def validated(page):
    return Validated(id="one", at=datetime(2026, 1, 1, tzinfo=UTC), verdict="pass", said="", lines=(), report=str(page))


@pytest.fixture(scope="module")
def server(reported):
    with jupyter_server(reported[0]) as started:
        yield started


@pytest.fixture(scope="module")
def client(server):
    with server.client() as made:
        yield made


@pytest.fixture
def browse(server):
    """Open a path in a browser that has the server's cookie; the answers are recorded."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_context().new_page()
        page.goto(f"{server.url}login?token={TOKEN}")
        asked, said = [], []
        parts = (f"{server.url}nbdeploy", f"{server.url}api")  # and not what the page of the login still loads
        # Answers, since what a policy refuses is a request for Playwright too.
        page.on("response", lambda one: asked.append(one.url) if one.url.startswith(parts) else None)
        page.on("console", lambda message: said.append(message.text))

        def open_(path):
            asked.clear()
            page.goto(f"{server.url}nbdeploy/{path}")
            return page, asked, said

        yield open_
        browser.close()


def test_the_page_of_a_release_is_shown_as_it_is_on_disk(browse):
    page, asked, said = browse("reports/tumour/1")
    assert page.get_by_role("heading", level=1).inner_text().startswith("PASS")
    frame = page.frame_locator("iframe").first
    page.locator("iframe").first.scroll_into_view_if_needed()
    assert frame.locator("img").first.evaluate("e => e.naturalWidth") == 420
    assert len(asked) == 1  # itself
    assert said == []
    with page.expect_download() as download:
        page.locator("a[download]").first.click()
    assert download.value.suggested_filename == "quality.ipynb"


def test_within_a_tab_of_lab_its_notebooks_can_be_had_too(browse, server):
    page, _, _ = browse("reports/tumour/1")
    page.goto(f"{server.url}login")
    page.evaluate(
        """url => {
            const frame = document.createElement('iframe');
            frame.sandbox = 'allow-downloads allow-popups';  // as labextension/src/report.ts has it
            frame.src = url;
            document.body.append(frame);
        }""",
        f"{server.url}nbdeploy/reports/tumour/1",
    )
    with page.expect_download() as download:
        page.frame_locator("iframe").locator("a[download]").first.click()
    assert download.value.suggested_filename == "quality.ipynb"


def test_a_page_can_run_no_script_and_send_no_request_as_its_reader(browse):
    page, asked, _ = browse("reports/tumour/2")
    assert page.get_by_role("heading", level=1).inner_text() == "report"
    assert page.title() == "a report"
    page.get_by_role("button").click()
    page.screenshot()  # it is drawn: what it would ask for it has asked for
    assert [url.rpartition("nbdeploy/")[2] for url in asked] == ["reports/tumour/2"]
    assert page.evaluate("window.origin") == "null"


def test_the_report_that_refused_a_job_is_shown_by_the_jobs_id(client, reported):
    home, page = reported
    jobs = SqliteJobs(home.path / "nbdeploy")
    job = jobs.create("deploy", {"source": "tumour:1"}, title="deploy tumour:1", endpoint="tumour")
    jobs.end(job.id, "failed", problem=Problem(code="gate_failed", title="", status=409, report=str(page)))
    answer = client.get("reports", params={"job": job.id})
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert f'href="?job={job.id}&amp;file=quality.ipynb"' in answer.text
    notebook = client.get("reports", params={"job": job.id, "file": "quality.ipynb"})
    assert notebook.json()["nbformat"] == 4
    assert "attachment" in notebook.headers["content-disposition"]


@pytest.mark.parametrize(
    "path",
    [
        "reports/tumour/3",
        "reports/tumour/4",
        "reports/tumour/5",
        "reports/nobody/1",
        "reports?job=none",
        "reports/tumour/1?file=none.ipynb",
        "reports/tumour/1?file=../../state.sqlite",
        "reports/tumour/1?file=report.html",
        "reports/tumour/1?file=%00.ipynb",
    ],
)
def test_a_report_that_is_not_there_is_a_problem(path, client):
    problem_in(client.get(path), 404)
