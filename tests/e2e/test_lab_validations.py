"""Of an endpoint that does not run, in a real JupyterLab: its validations, that it is gone, a folder's settings."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.store.jobs import SqliteJobs
from jupyter_deploy.store.store import SqliteStore
from tests.e2e.conftest import until
from tests.e2e.lab import started
from tests.notebooks import write
from tests.releases import release
from tests.validations import gate, history, run, validation

pytestmark = pytest.mark.timeout(300)

NARROW = 250
"""The width in CSS pixels at which nothing may be cut."""


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


def test_the_tab_of_a_job_has_its_title_after_a_reload_too(person):
    jobs = SqliteJobs(place(person.home))
    job = jobs.create("list", {}, title="list the endpoints", endpoint=None)
    jobs.end(job.id, "done", result=[])
    person.opens()
    person.page.evaluate("id => window.jupyterapp.commands.execute('nbdeploy:open-job', {job: id})", job.id)
    label = person.page.locator(".lm-TabBar-tabLabel", has_text="list the endpoints")
    expect(label).to_be_visible(timeout=60_000)
    kept = "async () => JSON.stringify(await (await fetch(`/lab/api/workspaces/${%s}`)).json())"
    workspace = "location.pathname.split('/workspaces/')[1].split('/')[0]"
    until(lambda: job.id in person.page.evaluate(kept % workspace))
    person.page.reload()
    expect(label).to_be_visible(timeout=60_000)
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
