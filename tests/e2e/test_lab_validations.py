"""What a store has of an endpoint that does not run, in a real JupyterLab: its validations, and that it is gone."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.store.store import SqliteStore
from tests.e2e.conftest import until
from tests.e2e.lab import started
from tests.notebooks import write
from tests.releases import release
from tests.validations import gate, history, run, validation

pytestmark = pytest.mark.timeout(300)


def place(home):
    return Path(home.environment["NBDEPLOY_HOME"])


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    store = SqliteStore(place(shared_home), "ada")
    stopped = Endpoint.first(release("one", name="churn")).model_copy(update={"running": False})
    store.save(stopped, based_on=0, reason="", change="first")
    for one in [validation(run(gates=(gate("fail"),))), *history(12)]:
        store.keep_validation(one)
    with started(shared_home, write(tmp_path_factory.mktemp("notebooks") / "churn.ipynb", "1 + 1")) as server:
        yield server


def test_the_sidebar_draws_each_metric_release_by_release_with_its_gates_threshold(person):
    person.opens()
    person.looks_after("churn", "history")
    for metric in ("accuracy", "log_loss"):
        chart = person.sidebar.locator("figure").filter(has=person.page.get_by_role("heading", name=metric))
        expect(chart.locator(".vega-embed svg").first).to_be_visible(timeout=60_000)
        expect(chart.get_by_role("img")).to_have_accessible_name(
            re.compile(f"^{metric} over 13 validations"), timeout=30_000
        )
    listed = person.sidebar.get_by_role("list", name="Validations, newest first").locator("li")
    expect(listed.first).to_contain_text("failed")
    listed.first.scroll_into_view_if_needed()
    person.has_nothing_serious("measured")
    assert person.errors == []


def test_the_open_section_is_restored_after_a_reload(person):
    person.opens()
    person.page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open-tab', {name: 'churn', section: 'live'})")
    tab = person.page.locator(".nbd-Tab")
    tab.get_by_role("tab", name="Try it").click(timeout=60_000)
    person.looks_after("churn")
    person.sidebar.get_by_role("tab", name="History").click(timeout=60_000)
    kept = """async () => {
        const workspace = location.pathname.split('/workspaces/')[1].split('/')[0];
        return JSON.stringify(await (await fetch(`/lab/api/workspaces/${workspace}`)).json());
    }"""
    until(lambda: all(f'"section":"{one}"' in person.page.evaluate(kept) for one in ("history", "try")))
    person.page.reload()
    for place, name in ((person.sidebar, "History"), (tab, "Try it")):
        expect(place.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true", timeout=60_000)
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
