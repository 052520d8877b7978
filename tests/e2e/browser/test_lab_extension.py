"""The extension as a person uses it: a real JupyterLab, browser, kernel and Envoy, from a trained model to a shadow."""

import contextlib
import re

import httpx
import pytest
from playwright.sync_api import TimeoutError as Missed
from playwright.sync_api import expect
from sklearn.datasets import load_breast_cancer

from tests.brokers import RedisServer, running
from tests.e2e.candidate_cells import CHOICE, COMPARED
from tests.e2e.conftest import until
from tests.e2e.lab import KERNEL_READY, started
from tests.e2e.person import DEPLOY_SECONDS, NARROW, TRAIN, VIEWPORT, until_deployed
from tests.e2e.streams.test_stream import row
from tests.notebooks import write

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    written = {"churn": TRAIN, "choice": CHOICE, "compare": COMPARED}
    notebooks = [write(folder / f"{name}.ipynb", *cells) for name, cells in written.items()]
    table = load_breast_cancer(as_frame=True).frame.iloc[:300, [0, 1, 2, 3, -1]]
    table.to_parquet(folder / "tumours.parquet")
    with started(shared_home, *notebooks, folder / "tumours.parquet") as server:
        yield server


def test_from_a_trained_model_to_a_shadow_in_the_sidebar_by_mouse(person):
    person.opens()
    with person.page.expect_response(re.compile("/nbdeploy/worker")) as prepared:  # in the pause after the cells
        person.runs(0, 1)
    assert prepared.value.status == 204
    person.clicks_on(person.toolbar_button)
    ready = person.dialog.get_by_role("button", name="Deploy", exact=True)
    expect(ready).to_be_enabled(timeout=60_000)
    person.has_nothing_serious("dialog")
    person.clicks_on(ready)
    assert person.clicks == 2
    person.clicks_on(until_deployed(person))
    expect(person.sidebar.get_by_text("stable 100 %").first).to_be_visible()
    assert person.clicks <= 4
    described = person.home.json("describe", "churn")
    assert [release["role"] for release in described["releases"]] == ["stable"]

    person.clicks = 0
    person.runs(2)
    person.clicks_on(person.toolbar_button)
    expect(ready).to_be_enabled(timeout=60_000)
    person.clicks_on(ready)
    until_deployed(person)
    person.shoots("job")
    person.clicks_on(until_deployed(person))
    expect(person.switch).to_have_attribute("aria-checked", "true")
    assert person.clicks <= 4
    assert person.home.json("describe", "churn")["traffic"]["shadows"]
    assert person.errors == []


def test_the_shadow_switch_and_what_others_change_meet_in_one_state(person):
    person.opens()
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open', {name: 'churn'})")
    expect(person.switch).to_have_attribute("aria-checked", "true", timeout=60_000)
    person.has_nothing_serious("sidebar")
    person.switch.click()
    expect(person.switch).to_have_attribute("aria-checked", "false")
    described = person.home.json("describe", "churn")
    assert described["traffic"]["shadows"] == {}
    # Somebody else, in a terminal: seen without a reload.
    tag = next(r["tag"] for r in described["releases"] if r["role"] != "stable")
    person.home.json("traffic", "churn", "--shadow", f"{tag}=100")
    expect(person.switch).to_have_attribute("aria-checked", "true")
    assert person.errors == []


def test_the_second_of_two_concurrent_changes_is_a_conflict_and_overwrites_nothing(person):
    person.opens()
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open', {name: 'churn'})")
    promote = person.sidebar.get_by_role("button", name=re.compile("^Promote"))
    promote.first.click()
    confirm = person.sidebar.get_by_role("button", name="Confirm", exact=True)
    expect(confirm).to_be_visible(timeout=60_000)
    asked = person.sidebar.get_by_role("dialog", name="Promote")
    box, sidebar = asked.bounding_box(), person.page.locator("#jp-left-stack").bounding_box()
    assert box["width"] > sidebar["width"], "the dialog is not within the sidebar"
    expect(asked).to_contain_text("stable 100 %")
    person.has_nothing_serious_as_it_is("preview")
    before = person.home.json("describe", "churn")
    person.home.json("traffic", "churn", "--record", "meta")
    expect(person.sidebar.get_by_text("Conflict:").first).to_be_visible(timeout=60_000)
    after = person.home.json("describe", "churn")
    assert after["traffic"] == before["traffic"]
    person.page.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    person.home.json("traffic", "churn", "--record", "full")


def test_every_part_of_an_endpoint_is_shown_and_accessible(person):
    described = person.home.json("describe", "churn")
    with httpx.Client(trust_env=False) as client:
        for number in range(60):
            body = {"instances": [{"age": 20 + number, "weight": 60.0 + number / 3}]}
            client.post(f"{described['url']}/predict", json=body).raise_for_status()
        client.post(f"{described['url']}/predict", json={"instances": [{"age": "<b>no</b>"}]})
    person.opens()
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open', {name: 'churn'})")
    for tab, seen in (
        ("Compare", ".vega-embed canvas, .vega-embed svg"),
        ("Live", ".vega-embed canvas, .vega-embed svg"),
        ("Records", '[aria-label="Records, newest first"]'),
        ("Try it", "button:has-text('Send')"),
        ("History", ".nbd-History, [class*=History]"),
    ):
        person.sidebar.get_by_role("tab", name=tab).click()
        expect(person.sidebar.locator(seen).first).to_be_visible(timeout=60_000)
        if tab == "Compare":
            verdict = person.sidebar.get_by_role("region", name="Verdict")
            # Of a machine that is busy with other tests the shadow's answers may be slow.
            decided, slow = r"usually decided by [\d,]+ requests", "because of the candidate's slow answers"
            expect(verdict).to_contain_text(re.compile(f"How long still: ({decided}|not decided by .*, {slow})"))
        person.has_nothing_serious(tab.lower().replace(" ", "-"))
    assert person.errors == []


def test_a_job_goes_on_while_the_tab_is_reloaded_and_the_kernel_started_anew(person):
    person.opens()
    person.runs(0, 1)
    revision = person.home.json("describe", "churn")["revision"]
    person.page.evaluate(
        """async code => {
            const {content} = window.jupyterapp.shell.currentWidget;
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            await kernel.requestExecute({code}).done;
        }""",
        "clf = LogisticRegression(C=0.5).fit(X_train, y_train)",
    )
    person.toolbar_button.click()
    ready = person.dialog.get_by_role("button", name="Deploy", exact=True)
    expect(ready).to_be_enabled(timeout=60_000)
    ready.click()
    expect(person.dialog.get_by_text("Building the bento").first).to_be_visible(timeout=120_000)
    (job,) = [one for one in person.jobs() if one["state"] == "running"]
    person.page.reload()
    person.page.wait_for_function("window.jupyterapp")
    person.page.evaluate(KERNEL_READY)
    person.page.evaluate("async () => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open')")
    listed = person.sidebar.get_by_text(job["title"]).first
    expect(listed).to_be_attached(timeout=60_000)
    if not listed.is_visible():  # it has ended already, and so its list is closed
        person.sidebar.get_by_text("Jobs", exact=True).click()
        expect(listed).to_be_visible()
    until(lambda: person.job(job["id"])["state"] == "done", DEPLOY_SECONDS)
    assert person.home.json("describe", "churn")["revision"] > revision


def test_by_keyboard_alone_a_model_is_deployed_and_its_shadow_switched_off(person):
    person.opens()
    person.runs(0, 1)
    keyboard = person.page.keyboard
    until(lambda: _chooses(person, "Deploy Model"))
    keyboard.press("Enter")
    expect(person.dialog).to_be_visible(timeout=60_000)
    ready = person.dialog.get_by_role("button", name="Deploy", exact=True)
    expect(ready).to_be_enabled(timeout=60_000)
    _tab_to(person, ready)
    keyboard.press("Enter")
    opens = until_deployed(person)
    _tab_to(person, opens)
    keyboard.press("Enter")
    expect(person.switch).to_be_visible(timeout=60_000)
    before = person.switch.get_attribute("aria-checked")
    _tab_to(person, person.switch)
    keyboard.press("Space")
    expect(person.switch).not_to_have_attribute("aria-checked", before)


def test_a_row_of_twelve_candidates_is_deployed_as_a_shadow_from_its_cells_output(person):
    person.opens("choice.ipynb")
    person.runs(0, 1, 2, 3)
    page = person.page
    view = page.get_by_role("region", name="Candidates")
    expect(view.get_by_role("rowheader")).to_have_count(12)
    expect(view.locator(".vega-embed svg").first).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-OutputArea .vega-embed:visible")).to_have_count(1)
    view.scroll_into_view_if_needed()
    person.has_nothing_serious("candidates")

    view.locator("figure").scroll_into_view_if_needed()
    person.shoots("candidates-chart")

    view.get_by_label("Constraints").fill("accuracy >= 0.895, latency_p50_ms <= 1 h")
    expect(view.get_by_role("status").first).to_have_text("12 models in 12 rows: 2 meet the constraints")
    expect(view.get_by_role("rowheader").last).to_contain_text("violates accuracy >= 0.895 (0.7)")
    narrow = page.add_style_tag(content=f".nbd-CandidatesHost {{ width: {NARROW}px !important; }}")
    person.has_nothing_serious_as_it_is("candidates-250")
    assert view.evaluate("one => one.scrollWidth - one.clientWidth") == 0
    narrow.evaluate("one => one.remove()")

    view.get_by_role("button", name="Deploy model 11…").press("Enter")
    dialog = page.get_by_role("dialog", name="Deploy model 11")
    expect(dialog.get_by_role("radio", name="stable")).to_be_checked()
    dialog.get_by_label("Endpoint", exact=True).fill("churn")
    expect(dialog.get_by_role("radio", name="shadow")).to_be_checked()
    person.has_nothing_serious_as_it_is("candidates-deploy")
    dialog.get_by_label("Endpoint", exact=True).press("Enter")
    expect(view.get_by_role("button", name="Open churn")).to_be_visible(timeout=DEPLOY_SECONDS * 1000)
    (chosen,) = [one["choice"] for one in person.home.json("describe", "churn")["releases"] if one["choice"]]
    assert (chosen["chosen"], len(chosen["candidates"])) == ("model 11", 12)
    assert chosen["constraints"] == ["accuracy >= 0.895", "latency_p50_ms <= 1 h"]
    assert "model 11 chosen among 12 models" in person.home.json("history", "churn")[0]["reason"]

    page.evaluate("async () => window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("async () => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.reload()
    expect(view.get_by_role("rowheader")).to_have_count(12, timeout=90_000)
    assert person.errors == []


def test_models_of_the_kernel_are_compared_by_a_form_and_a_row_of_its_job_is_deployed(person):
    person.opens("compare.ipynb")
    person.runs(0, 1)
    page = person.page
    person.looks_after()
    person.sidebar.get_by_role("button", name="Compare…").click()
    form = page.get_by_role("dialog", name=re.compile("Compare candidates"))
    expect(form.get_by_role("checkbox", checked=True)).to_have_count(12, timeout=60_000)
    expect(form.get_by_label("Test rows")).to_have_value("X_test")
    person.has_nothing_serious("compare-form")
    page.set_viewport_size({"width": 420, "height": 900})
    person.has_nothing_serious_as_it_is("compare-form-narrow")
    page.set_viewport_size(VIEWPORT)

    form.get_by_label("True answers").fill("y")
    expect(form.get_by_text("there are 100 rows, and 400 true answers")).to_be_visible(timeout=60_000)
    form.get_by_label("True answers").fill("y_test")
    for number in range(2, 12):
        model = form.locator(".nbdeploy-model", has=page.get_by_text(f"logit_{number}", exact=True))
        model.get_by_role("checkbox").uncheck()
    form.locator("summary", has_text="More").click()
    form.get_by_role("checkbox", name="Do not translate the models to ONNX").check()
    form.get_by_role("button", name="Compare", exact=True).click()
    expect(form).to_be_hidden(timeout=60_000)

    job = page.locator(".nbdeploy-JobTab")
    view = job.get_by_role("region", name="Candidates", exact=True)  # the job is a region too
    expect(view.get_by_role("rowheader")).to_have_count(2, timeout=DEPLOY_SECONDS * 1000)
    expect(view.locator(".vega-embed svg").first).to_be_visible(timeout=60_000)
    person.has_nothing_serious("compare-job")
    told = page.evaluate("async id => (await fetch(`/nbdeploy/jobs/${id}`)).json()", person.jobs()[0]["id"])
    assert [name for name in ("logit_0", "logit_1") if f": {name}" in str(told["events"])] == ["logit_0", "logit_1"]
    view.get_by_role("button", name="Deploy logit_0…").click()
    dialog = page.get_by_role("dialog", name="Deploy logit_0")
    dialog.get_by_label("Endpoint", exact=True).fill("compared")
    dialog.get_by_role("button", name="Deploy", exact=True).click()
    expect(job.get_by_role("button", name="Open compared")).to_be_visible(timeout=DEPLOY_SECONDS * 1000)
    (release,) = person.home.json("describe", "compared")["releases"]
    assert (release["choice"]["chosen"], len(release["choice"]["candidates"])) == ("logit_0", 2)
    assert person.errors == []


def test_an_endpoint_is_served_by_a_schedule_and_then_by_a_stream(person, tmp_path):
    person.opens()
    person.looks_after("churn")
    ways = person.sidebar.get_by_role("region", name="Serve by")
    change = ways.get_by_role("button", name="Change how it is served…")
    dialog = person.page.get_by_role("dialog", name="Serve churn by")
    shows, applies = (dialog.get_by_role("button", name=name) for name in ("Show what changes", "Apply"))
    changes = dialog.get_by_role("region", name="What changes")

    def choose(way, **fields):
        dialog.get_by_role("checkbox", name=re.compile(f"^{way}")).check()
        for label, text in fields.items():
            dialog.get_by_role("group", name=way).get_by_label(label, exact=True).fill(text)

    change.click()
    choose("Batch", Source=f"{tmp_path}/rows", Sink=f"{tmp_path}/scores", Schedule="0 3 * *")
    shows.click()
    expect(dialog.get_by_role("alert")).to_contain_text("'0 3 * *' is no schedule", timeout=60_000)
    choose("Batch", Schedule="0 3 * * *")
    shows.click()
    expect(changes).to_contain_text("it reads all files of the source", timeout=60_000)
    person.has_nothing_serious_as_it_is("serve-by")
    applies.click()
    expect(dialog).to_be_hidden(timeout=60_000)
    expect(ways).to_contain_text(re.compile(r"next \d{4}-\d\d-\d\d 03:00"), timeout=60_000)
    assert person.home.json("batch", "churn")["spec"]["schedule"] == "0 3 * * *"

    with running(RedisServer, tmp_path / "broker") as broker:
        change.click()
        dialog.get_by_role("checkbox", name=re.compile("^Batch")).uncheck()
        choose("Stream", Source=f"{broker.url}/rows", Sink=f"{broker.url}/scores")
        shows.click()
        expect(changes.get_by_role("listitem")).to_contain_text(["end the batches", "else the next message"])
        person.home.json("traffic", "churn", "--record", "meta")  # by somebody else
        applies.click()
        expect(dialog.get_by_role("alert")).to_contain_text(re.compile(r"churn is at revision \d+, not \d+"))
        assert person.home.json("batch", "churn")["spec"], "nothing was changed"
        shows.click()
        applies.click()
        expect(ways).to_contain_text("running, lag 0 messages", timeout=60_000)
        broker.publish([row(60)])
        until(lambda: broker.count("scores") == 1, 60)
        person.has_nothing_serious("served")
        person.home.json("stream", "churn", "--stop")
        expect(ways).not_to_contain_text("Stream", timeout=60_000)
    person.home.json("traffic", "churn", "--record", "full")
    assert person.errors == []


def test_a_search_that_is_ended_in_the_middle_becomes_a_table_and_a_notebook(person):
    person.opens()
    page = person.page
    person.looks_after()
    person.sidebar.get_by_role("button", name="Find…").click()
    form = page.get_by_role("dialog", name="Find a Model")
    offered = form.locator("datalist option")
    expect(offered.and_(page.locator("[value='tumours.parquet']"))).to_be_attached(timeout=60_000)
    form.get_by_label("Data").fill("tumours.parquet")
    expect(offered.and_(page.locator("[value='target']")).first).to_be_attached(timeout=60_000)
    form.get_by_label("Label column").fill("tarjet")
    expect(form.get_by_text("the table has no column 'tarjet'")).to_be_visible(timeout=60_000)
    form.get_by_label("Label column").fill("target")
    form.get_by_label("Time", exact=True).fill("20m")
    form.get_by_label("Budget").fill("p99 <= 1h")
    person.has_nothing_serious_as_it_is("find-form")
    form.locator("summary", has_text="More").click()
    form.get_by_label("Native only").check()
    form.get_by_role("button", name="Find a Model", exact=True).click()
    expect(form).to_be_hidden(timeout=60_000)

    job = page.locator(".nbdeploy-JobTab")
    board = job.get_by_role("table", name="Leaderboard")
    expect(board.get_by_role("rowheader").first).to_be_visible(timeout=DEPLOY_SECONDS * 1000)
    job.get_by_role("button", name="End the search…").click()
    job.get_by_role("button", name="End search").click()
    person.has_nothing_serious_as_it_is("find-search")
    view = job.get_by_role("region", name="Candidates", exact=True)
    expect(view.get_by_role("rowheader", name=re.compile("baseline"))).to_be_visible(timeout=DEPLOY_SECONDS * 1000)
    expect(job.get_by_text("stopped by you")).to_be_visible()
    person.has_nothing_serious("find-job")
    job.get_by_role("button", name="Open automl-target.ipynb").click()
    expect(page.locator(".jp-NotebookPanel p", has_text="wrote this notebook")).to_be_visible()
    assert person.errors == []


def _chooses(person, command):
    """Whether the palette has the command; Lab closes the palette if it still runs commands of the page's load."""
    person.page.keyboard.press("Escape")
    person.page.locator(".jp-NotebookPanel .jp-Notebook").focus()
    person.page.keyboard.press("Control+Shift+KeyC")
    search = person.page.locator(".lm-CommandPalette-input")
    with contextlib.suppress(Missed):
        search.wait_for(timeout=5_000)
        person.page.keyboard.type(command)
        chosen = person.page.locator(".lm-CommandPalette-item.lm-mod-active", has_text=command)
        chosen.wait_for(timeout=5_000)
        return search.is_visible()
    return False


def _tab_to(person, target):
    """Press Tab until the target has the focus."""
    for _ in range(150):
        if target.evaluate("one => one === document.activeElement"):
            return
        person.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {target}")


def test_the_extensions_are_ok():
    import subprocess
    import sys

    listed = subprocess.run(
        [sys.executable, "-m", "jupyterlab.labextensions", "list"], capture_output=True, text=True, check=True
    )
    assert re.search(r"nbdeploy v\S+ .*enabled.*OK", listed.stdout + listed.stderr)
