"""Monitor, records and explanations in a real JupyterLab: the newcomer's path, each state of the Monitor, both themes.

Exhaustive: ``labextension/test/monitor.test.tsx`` and ``longLists.test.tsx`` have the same parts without a server.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from jupyter_deploy.domain.drift.drift import JointShift
from jupyter_deploy.drift_detection.watch_file import WatchFile
from scripts.monitor_look import history
from tests.e2e.lab import started
from tests.e2e.person import NARROW, TRAIN, until_deployed
from tests.e2e.processes import kill_programs
from tests.notebooks import write

pytestmark = [pytest.mark.timeout(600), pytest.mark.exhaustive]

CLICKS_TO_ROLLBACK = 6
TALL = {"width": 1400, "height": 2600}


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    with started(shared_home, write(folder / "churn.ipynb", *TRAIN)) as server:
        yield server


def sends(described, count, older=0.0, truth=None):
    """Send requests of one row each; the answers. ``truth``: the share of them whose answer was right."""
    dice = np.random.default_rng(count)
    url = described["url"]
    with httpx.Client(trust_env=False, timeout=30) as client:
        for _ in range(count):
            row = {"age": int(dice.integers(20, 80) + older), "weight": round(float(dice.normal(70, 10)), 1)}
            answer = client.post(f"{url}/predict", json={"instances": [row]}).raise_for_status()
            if truth is not None:
                right = answer.json()["predictions"][0]
                actual = right if dice.random() < truth else {"yes": "no", "no": "yes"}[right]
                told = {"request_id": answer.headers["x-request-id"], "row": 0, "actual": actual}
                client.post(f"{url}/feedback", json=told).raise_for_status()


def looks(person, name, narrow=True):
    """The sidebar has nothing serious, light, dark and narrow; the whole section is in the pictures."""
    before = person.sidebar_width(420)
    person.page.set_viewport_size(TALL)
    person.has_nothing_serious(name)
    if narrow:
        person.sidebar_width(NARROW)
        person.has_nothing_serious_as_it_is(f"{name}-{NARROW}")
    person.page.set_viewport_size({"width": 1400, "height": 1000})
    person.sidebar_width(before)


def test_from_a_deploy_to_traffic_drift_its_rows_and_a_rollback_in_six_clicks(person):
    person.opens()
    person.runs(0, 1)
    person.executes("%load_ext jupyter_deploy")
    person.executes('%deploy clf --name churn --example "X_test[:5]" --training X_train')
    described = person.home.json("describe", "churn")
    person.looks_after("churn", "monitor")
    expect(person.sidebar.get_by_text("No requests in this range")).to_be_visible()
    resources = person.sidebar.get_by_role("region", name="Resources now").get_by_label("Resources in use")
    for fact in ("CPU", "memory", "workers", "queue"):
        expect(resources).to_contain_text(fact)
    looks(person, "monitor-empty")
    sends(described, 150)
    person.runs(2)

    person.clicks_on(person.toolbar_button)
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.clicks_on(person.ready)
    until_deployed(person)
    sends(described, 250, older=35)
    person.clicks_on(person.dialog.get_by_role("button", name="Monitor churn"))
    alarms = person.sidebar.get_by_role("region", name="Alarms")
    expect(person.sidebar.get_by_label("Summary")).to_contain_text("400")
    expect(alarms.get_by_text("Drift", exact=True).first).to_be_visible()
    person.clicks_on(alarms.get_by_role("button", name="Show the records").first)
    rows = person.sidebar.locator("[role=option]")
    expect(rows.first).to_contain_text("age")
    behind = person.sidebar.locator(".nbd-Records-count").inner_text()
    assert 0 < int(re.match(r"\d+", behind)[0]) < 400, "the rows behind the alarm alone"
    person.clicks_on(person.sidebar.get_by_role("button", name="Roll back…").first)
    person.clicks_on(person.sidebar.get_by_role("button", name="Confirm", exact=True))
    expect(person.sidebar.locator(".nbd-Pending")).to_be_hidden(timeout=60_000)
    assert person.clicks <= CLICKS_TO_ROLLBACK
    assert person.home.json("describe", "churn")["traffic"]["shadows"] == {}
    assert person.errors == []


def test_each_state_of_the_monitor_and_an_explanation_is_shown_and_accessible(person):
    """After the path: the same endpoint, with its shadow and ground truth."""
    described = person.home.json("describe", "churn")
    stable = described["traffic"]["stable"]
    shadow = next(
        one["tag"] for one in person.home.json("history", "churn")[0]["state"]["releases"] if one["tag"] != stable
    )
    person.opens()
    person.looks_after("churn", "monitor")
    expect(person.sidebar.get_by_text("No ground truth in this range")).to_be_visible()
    looks(person, "monitor-alarm")
    person.home.json("traffic", "churn", "--shadow", f"{shadow}=100", "--segment", "age: <50, >=50")
    sends(described, 60, truth=0.8)
    person.looks_after("churn", "releases")
    person.looks_after("churn", "monitor")
    expect(person.sidebar.get_by_role("region", name="Performance by segment")).to_be_visible()
    looks(person, "monitor-truth")
    person.sidebar.get_by_label("Compare with").select_option("the time before")
    expect(person.sidebar.get_by_role("region", name="Both ranges")).to_be_visible()
    looks(person, "monitor-compared")

    person.looks_after("churn", "records")
    person.sidebar.get_by_label("Answers").select_option("differ most first")
    expect(person.sidebar.locator("[role=option]").first).to_contain_text("Δ 1")
    looks(person, "records-difference")
    person.sidebar.locator("[role=option]").first.click()
    person.sidebar.get_by_role("button", name="Explain this answer").click()
    explained = person.sidebar.get_by_role("region", name="Explanation")
    expect(explained.get_by_role("table", name="contributions")).to_be_visible(timeout=120_000)
    for role in ("stable", "shadow"):
        expect(explained).to_contain_text(role)
    looks(person, "explanation")
    assert person.errors == []


def test_a_year_of_ten_million_requests_is_shown(person):
    """With 30 features, a shift in the eighth month, and a joint shift from then on."""
    version = person.home.json("describe", "churn")["traffic"]["stable"].partition(":")[2]
    home, now = Path(person.home.environment["NBDEPLOY_HOME"]), datetime.now(UTC)
    file = WatchFile(home, "churn", version)
    person.home.json("drift", "churn")
    with file.locked():
        stored = history(now, 365, 30, 1e7 / 365)
        stored.state.files = file.load().state.files  # the requests of two features are not read again
        file.save(stored)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [
        JointShift(
            auc=0.52 if age > 150 else 0.71,
            since=midnight - timedelta(days=age),
            until=midnight - timedelta(days=age - 1),
            rows=1_000,
            first_rows=1_000,
            first_until=midnight - timedelta(days=364),
        ).model_dump(mode="json")
        for age in range(364, 0, -1)
    ]
    made = {"version": 1, "days": {one["since"][:10]: one for one in days}}
    file.path.with_suffix(".joint").write_text(json.dumps(made))
    person.opens()
    person.looks_after("churn", "monitor")
    for length, least in (("24h", 20_000), ("30d", 700_000), ("all", 9_900_000)):
        person.sidebar.get_by_role("combobox", name="The last").select_option(length)
        shown = person.sidebar.get_by_label("Summary").locator("dd").first
        expect(shown).to_have_text(re.compile(r"^[\d,]{6,}$"))
        person.page.wait_for_function(
            "([one, least]) => Number(one.textContent.replaceAll(',', '')) >= least",
            arg=[shown.element_handle(), least],
        )
    expect(person.sidebar.get_by_text("All inputs together")).not_to_have_count(0)
    expect(person.sidebar.get_by_role("region", name="Features by drift")).to_contain_text("feature 0 more of")
    looks(person, "monitor-year")
    assert person.errors == []


def test_killed_programs_are_named_in_a_banner_which_mends_them(person):
    described = person.home.json("describe", "churn")
    kill_programs(person.home)
    person.opens()
    person.looks_after()
    banner = person.sidebar.locator(".nbd-Health-banner")
    expect(banner).to_contain_text("supervisor: it does not run", timeout=150_000)  # asked for once a minute
    looks(person, "health")
    banner.get_by_role("button", name="Mend").click()
    expect(banner.get_by_role("button")).to_have_count(0, timeout=150_000)
    sends(described, 1)
    assert person.errors == []
