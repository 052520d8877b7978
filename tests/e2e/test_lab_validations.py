"""What validations measured over an endpoint's releases, drawn in a real JupyterLab from what the store has."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from jupyter_deploy.adapters.store import SqliteStore
from jupyter_deploy.domain.endpoint import Endpoint
from tests.e2e.lab import CHROMIUM, FLAGS, jupyter
from tests.e2e.person import Person
from tests.notebooks import write
from tests.releases import release
from tests.validations import gate, history, run, validation

pytestmark = pytest.mark.timeout(300)


def test_the_sidebar_draws_each_metric_release_by_release_with_its_gates_threshold(home, tmp_path):
    store = SqliteStore(Path(home.environment["NBDEPLOY_HOME"]), "ada")
    stopped = Endpoint.first(release("one", name="churn")).model_copy(update={"running": False})
    store.save(stopped, based_on=0, reason="", change="first")
    for one in [validation(run(gates=(gate("fail"),))), *history(12)]:
        store.keep_validation(one)
    with jupyter(home, write(tmp_path / "churn.ipynb", "1 + 1")) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        person = Person(browser.new_page(viewport={"width": 1400, "height": 1000}), url, home)
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
        browser.close()
