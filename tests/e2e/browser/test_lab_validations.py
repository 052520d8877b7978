"""Of endpoints that do not run, in a real JupyterLab: validations, the Monitor, a home that is gone, settings."""

import json
import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.domain.release.comparison_settings import ComparisonSettings
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.store.store import SqliteStore
from jupyter_deploy.system.home import write_atomic
from tests import manifests
from tests.e2e.lab import started
from tests.notebooks import write
from tests.releases import release
from tests.validations import gate, history, run, validation

pytestmark = pytest.mark.timeout(300)

NARROW = 250
"""The width in CSS pixels at which nothing may be cut."""


def place(home):
    return Path(home.environment["NBDEPLOY_HOME"])


class Requests:
    """The records of an endpoint ``loans``, as its release writes them: one each ten seconds, two hours ago."""

    began = datetime.now(UTC) - timedelta(hours=2)
    dice, sent = random.Random(1), 0

    def __init__(self, home):
        self.home = home

    def watched(self, store):
        """Store the endpoint with two revisions, and its watch with a reference."""
        first = Endpoint.first(release("one", name="loans")).model_copy(update={"running": False})
        store.save(first, based_on=0, reason="", change="deployed")
        segments = ComparisonSettings(segments=("plan",))
        second = first.model_copy(update={"revision": 2, "record_sample": 1.0, "comparison": segments})
        store.save(second, based_on=1, reason="more data", change="traffic")
        store.remember(manifests.snapshot("loans:one"))
        rows = [self.row(45) for _ in range(1_000)]
        answers = [self.answer(row) for row in rows]
        origin = {"inputs": "1,000 of 1,000 rows of the training table", "answers": "the model's answers to these"}
        file = WatchFile(self.home, "loans", "one")
        with file.locked():
            file.save(beginning(WatchState(reference=reference_of({"inputs": rows, "answers": answers}, origin))))

    def row(self, age):
        plan = self.dice.choice(["basic", "basic", "plus", "pro"])
        return {"age": round(self.dice.gauss(age, 10), 2), "income": round(self.dice.gauss(4, 1), 3), "plan": plan}

    @staticmethod
    def answer(row):
        return "yes" if row["age"] > 45 else "no"

    def send(self, count, age=45):
        lines = []
        for number in range(self.sent, self.sent + count):
            row = self.row(age)
            failed = number % 40 == 0
            fields = {
                "request_id": f"r{number}", "pair_id": f"p{number}", "ts": moment(self.began, number * 10),
                "endpoint": "loans", "release": "loans:one", "role": "stable", "status": 500 if failed else 200,
                "latency_ms": self.dice.lognormvariate(1.5, 0.5), "rows": 1, "inputs": [row],
                "outputs": None if failed else [self.answer(row)],
                "error": {"type": "ValueError", "message": "no"} if failed else None,
            }  # fmt: skip
            lines.append(json.dumps(fields) + "\n")
        # At once: a file without a writer's lock is complete, so half of it would be all that a watch reads.
        write_atomic(self.home / "records" / "loans" / "one" / f"{self.sent}-1-a.v1.jsonl", "".join(lines))
        Requests.sent += count

    def tell(self, count):
        """Send the ground truth of the first requests."""
        lines = []
        for number in range(count):
            actual = self.dice.choice(["yes", "yes", "no"])
            fields = {"ts": moment(self.began, 6_000), "item": 0, "endpoint": "loans", "row": 0, "actual": actual}
            lines.append(json.dumps(fields | {"request_id": f"r{number}"}) + "\n")
        write_atomic(self.home / "feedback" / "loans" / "1-1-a.v1.jsonl", "".join(lines))


def moment(began, seconds):
    return (began + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    store = SqliteStore(place(shared_home), "ada")
    stopped = Endpoint.first(release("one", name="churn")).model_copy(update={"running": False})
    store.save(stopped, based_on=0, reason="", change="first")
    for one in [validation(run(gates=(gate("fail"),))), *history(12)]:
        store.keep_validation(one)
    Requests(place(shared_home)).watched(store)
    with started(shared_home, write(tmp_path_factory.mktemp("notebooks") / "churn.ipynb", "1 + 1")) as server:
        yield server


def test_the_sidebar_draws_each_metric_release_by_release_with_its_gates_threshold(person):
    person.opens()
    person.looks_after("churn", "history")
    for metric in ("accuracy", "log_loss"):
        chart = person.sidebar.locator("figure").filter(has=person.page.get_by_role("heading", name=metric))
        expect(chart.locator(".vega-embed svg").first).to_be_visible(timeout=60_000)
        expect(chart.get_by_role("img")).to_have_accessible_name(
            re.compile(f"^{metric} over 13 validations"), timeout=60_000
        )
    listed = person.sidebar.get_by_role("list", name="Validations, newest first").locator("li")
    expect(listed.first).to_contain_text("failed")
    listed.first.scroll_into_view_if_needed()
    person.has_nothing_serious("measured")
    assert person.errors == []


def compares_two_ranges(person, monitor):
    """The performance by segment, then the last hour next to the one before; the last day at the end."""
    segments = monitor.get_by_role("region", name="Performance by segment")
    expect(segments).to_contain_text(re.compile(r"plan: basic .*% \("))
    monitor.get_by_role("combobox", name="The last").select_option("1h")
    monitor.get_by_label("Compare with").select_option("before")
    both = monitor.get_by_role("region", name="Both ranges")
    expect(both).to_contain_text(re.compile(r"requests a second\s*0\.\d+\s*0\.\d+"), timeout=60_000)
    expect(monitor.get_by_text(re.compile("since the compared range: (more|less) of")).first).to_be_visible()
    person.has_nothing_serious("monitor-compared")
    before = person.sidebar_width(NARROW)
    person.has_nothing_serious_as_it_is("monitor-compared-250")
    monitor.get_by_label("Compare with").select_option("none")
    monitor.get_by_role("combobox", name="The last").select_option("24h")
    expect(monitor.get_by_label("Summary")).to_be_visible(timeout=60_000)
    person.has_nothing_serious_as_it_is("monitor-250")
    person.sidebar_width(before)


def test_the_monitor_leads_from_no_request_to_an_alarm_and_what_to_do_about_it(person):
    requests = Requests(place(person.home))
    monitor, page = person.sidebar.locator(".nbd-Monitor"), person.page
    alarms = monitor.get_by_role("region", name="Alarms")

    def looks_at(range_):
        monitor.get_by_role("combobox", name="The last").select_option(range_)

    person.opens()
    person.looks_after("loans", "monitor")
    expect(monitor.get_by_text("No requests in this range")).to_be_visible(timeout=60_000)
    person.has_nothing_serious("monitor-empty")

    requests.send(300)
    looks_at("7d")
    expect(alarms).to_contain_text("No alarm", timeout=60_000)
    expect(monitor.get_by_text("No ground truth in this range")).to_be_visible(timeout=60_000)
    for name in ("Requests a second", "Latency, ms", "Features"):
        chart = monitor.locator("figure").filter(has=page.get_by_role("heading", name=name, exact=True))
        expect(chart.locator(".vega-embed svg").first).to_be_visible(timeout=60_000)
    person.has_nothing_serious("monitor-live")

    requests.send(250, age=60)
    requests.tell(550)
    looks_at("24h")
    expect(alarms).to_contain_text(re.compile(r"age more .* since about"), timeout=60_000)
    expect(alarms).to_contain_text("How sure: e-value")
    expect(monitor.get_by_role("heading", name="Accuracy", exact=True)).to_be_visible(timeout=60_000)
    expect(monitor.get_by_role("region", name="Features by drift").locator("li").first).to_contain_text("age")
    expect(monitor.get_by_role("region", name="Changes in this range").locator("li")).to_have_count(2)
    person.has_nothing_serious("monitor-alarm")
    compares_two_ranges(person, monitor)

    shows = alarms.get_by_role("button", name="Show the records").first
    shows.focus()
    page.keyboard.press("Enter")
    count = person.sidebar.locator(".nbd-Records-count")
    expect(count).to_contain_text(re.compile(r"^\d+ records"), timeout=60_000)
    behind = int(count.inner_text().split()[0])
    assert 20 <= behind < 250
    person.sidebar.get_by_role("button", name="Any time").click()
    expect(count).to_contain_text("550 records", timeout=60_000)

    person.sidebar.get_by_role("tab", name="Monitor").click()
    alarms.get_by_role("button", name="Make a notebook").first.click(timeout=60_000)
    expect(page.locator(".lm-TabBar-tabLabel", has_text=re.compile(r"^loans-alarm-.*ipynb"))).to_be_visible(
        timeout=60_000
    )
    alarms.get_by_role("button", name="Roll back…").first.click()
    expect(person.sidebar.get_by_role("button", name="Confirm", exact=True)).to_be_visible(timeout=60_000)
    expect(person.sidebar.locator(".nbd-Pending")).to_contain_text("revision")
    page.keyboard.press("Escape")
    assert person.errors == []


def test_the_open_sections_and_the_tab_of_a_job_are_restored_after_a_reload(person):
    jobs = SqliteJobs(place(person.home))
    job = jobs.create("list", {}, title="list the endpoints", endpoint=None)
    jobs.end(job.id, "done", result=[])
    person.opens()
    person.page.evaluate("id => window.jupyterapp.commands.execute('nbdeploy:open-job', {job: id})", job.id)
    label = person.page.locator(".lm-TabBar-tabLabel", has_text="list the endpoints")
    expect(label).to_be_visible(timeout=60_000)
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open-tab', {name: 'churn', section: 'live'})")
    tab = person.page.locator(".nbd-Tab")
    tab.get_by_role("tab", name="Try it").click(timeout=60_000)
    person.looks_after("churn")
    person.sidebar.get_by_role("tab", name="History").click(timeout=60_000)
    person.reloads('"section":"history"', '"section":"try"', job.id)
    for where, name in ((person.sidebar, "History"), (tab, "Try it")):
        expect(where.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true", timeout=60_000)
    expect(label).to_be_visible(timeout=60_000)
    expect(person.sidebar.get_by_role("list", name="Validations, newest first")).to_be_visible(timeout=60_000)
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:list')")
    expect(person.sidebar.get_by_role("option", name=re.compile("churn"))).to_be_visible(timeout=60_000)
    assert person.errors == []


def test_an_open_endpoint_without_its_home_shows_a_remedy_and_recovers(person, tmp_path):
    person.opens()
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open-tab', {name: 'churn'})")
    person.looks_after("churn")
    heading = person.page.get_by_role("heading", name="churn", exact=True)
    expect(heading).to_have_count(2, timeout=60_000)
    shutil.move(place(person.home), tmp_path / "away")
    gone = person.page.get_by_role("heading", name="churn does not exist")
    expect(gone).to_have_count(2, timeout=60_000)
    expect(person.sidebar.get_by_text("Deploy a model as churn to create it again")).to_be_visible()
    person.has_nothing_serious("gone")
    shutil.rmtree(place(person.home), ignore_errors=True)
    shutil.move(tmp_path / "away", place(person.home))
    expect(heading).to_have_count(2, timeout=60_000)
    expect(gone).to_have_count(0)
    assert person.errors == []


def test_the_settings_of_a_folder_are_agreed_to_once_and_again_when_they_have_changed(person):
    folder = person.home.path / "lab"
    settings = folder / "nbdeploy.yaml"
    settings.write_text("publish_to: registry.example/team/{name}\nresources: {threads: 1}\n")
    asked = person.dialog.get_by_role("region", name="Settings of this folder")
    agrees = asked.get_by_role("button", name="Use these settings")
    person.opens()
    person.clicks_on(person.toolbar_button)
    expect(asked).to_contain_text("publish_to: registry.example/team/{name}", timeout=60_000)
    expect(asked).not_to_contain_text("threads")  # a requirement of the model applies at once
    person.has_nothing_serious("settings")
    agrees.click()
    expect(person.dialog.get_by_text(f"Jobs use the settings in {settings}.")).to_be_visible()
    (kept,) = (place(person.home) / "agreements").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    def asks_when_opened():
        person.page.keyboard.press("Escape")
        expect(person.dialog).to_be_hidden()
        person.clicks_on(person.toolbar_button)
        expect(person.dialog.get_by_label("Name", exact=True)).to_be_visible(timeout=60_000)
        return asked.count()

    assert not asks_when_opened()
    settings.write_text("publish_to: elsewhere.example/{name}\n")
    assert asks_when_opened()
    expect(asked).to_contain_text("elsewhere.example")
    settings.unlink()
    assert person.errors == []


def test_a_publication_is_asked_for_and_fits_a_narrow_page(person):
    person.opens()
    person.looks_after("churn")
    before = person.sidebar_width(NARROW)
    person.sidebar.get_by_role("button", name=re.compile("^Publish churn")).first.click(timeout=60_000)
    form = person.page.get_by_role("dialog", name=re.compile("^Publish"))
    expect(form.get_by_label("To", exact=True)).to_be_visible(timeout=60_000)
    person.has_nothing_serious("publish")
    content = ".nbdeploy-dialog .jp-Dialog-content"
    person.page.add_style_tag(content=f"{content} {{ width: {NARROW}px !important; min-width: 0 !important; }}")
    person.has_nothing_serious_as_it_is("publish-250")
    wide = "one => [one.scrollWidth - one.clientWidth, one.getBoundingClientRect().right - innerWidth]"
    assert max(form.evaluate(wide)) <= 0
    person.page.keyboard.press("Escape")
    person.sidebar_width(before)
    assert person.errors == []
