"""Failures and missing parts in a real JupyterLab: dead servers and kernels, gates that refuse.

The tests tell one story, in order: its endpoints are ``churn``, and ``strict``, whose model echoes texts.
"""

import json
import re
import signal

import httpx
import nbformat
import pytest
from playwright.sync_api import expect

from tests.e2e.lab import started
from tests.e2e.person import until_deployed
from tests.notebooks import R, kernelspec, write

pytestmark = pytest.mark.timeout(300)

TRAIN = [
    """
import pandas as pd
class Above:
    def __init__(self, limit):
        self.limit = limit
    def predict(self, X):
        return ["yes" if sum(pair) > self.limit else "no" for pair in zip(X['age'], X['weight'])]
X_test = pd.DataFrame({'age': [30, 64, 51], 'weight': [60.5, 70.0, 81.5]})
""",
    "clf = Above(120)",
    "clf = Above(110)",
]
WAITS = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"
ECHO = """
import pandas as pd
class Echo:
    def predict(self, X):
        return [str(text)[:60] for text in X['text']]
echo = Echo()
X = pd.DataFrame({'text': ['good', 'bad', 'so so']})
"""
LOANS = """
import pandas as pd
BASE = 0.03
class Loans:
    def fit(self, X, y):
        return self
    def predict(self, X):
        return [0.0 if income != income else 0.01 * len(purpose) for income, purpose in zip(X['income'], X['purpose'])]
X_train = pd.DataFrame({'income': [5.0, 6.5, None, 8.0, 9.5, 4.0, None], 'purpose': ['car', 'house'] * 3 + ['study']})
X_test = pd.DataFrame({'income': [5.5, 6.0, 7.0, 8.5, 9.0], 'purpose': ['car', 'house', 'study', 'car', 'car']})
loans = Loans().fit(X_train, None)
def rate(X):
    return [BASE + premium for premium in loans.predict(X)]
"""
CHECKS = """
import pandas as pd
from jupyter_deploy import metric, model
asked = ['a', 'b'] * 20
answers = model().predict(pd.DataFrame({'text': asked}))
metric('exact', rows=[answer == 'a' for answer in answers])
"""
CARS = [
    "cars <- transform(mtcars, cyl = factor(cyl))\nX_test <- cars[c(1, 3, 5), c('wt', 'cyl')]",
    "fit <- lm(mpg ~ wt + cyl, cars)\npredict(fit, X_test)",
    "old <- structure(list(call = quote(boosts::boost(mpg ~ wt, cars))), class = 'boosted')",
]
# As in an environment of its own that has ipykernel and not nbdeploy.
BARE = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'jupyter_deploy':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Without())
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    data = shared_home.path / "jupyter-data"
    shared_home.environment["JUPYTER_PATH"] = str(data)
    bare, other = kernelspec(data, "bare", BARE), kernelspec(data, "other", BARE, "julia")
    notebooks = [write(folder / "churn.ipynb", *TRAIN, WAITS), write(folder / "empty.ipynb", "1 + 1")]
    notebooks += [write(folder / "loans.ipynb", LOANS), write(folder / "cars.ipynb", *CARS, kernel=R)]
    notebooks += [write(folder / f"{kernel['name']}.ipynb", "1 + 1", kernel=kernel) for kernel in (bare, other)]
    with started(shared_home, *notebooks) as server:
        (server.folder / "gated").mkdir()
        write(server.folder / "gated" / "strict.ipynb", ECHO)
        checks = write(server.folder / "gated" / "validate_strict.ipynb", CHECKS)
        document = nbformat.read(checks, as_version=4)
        document.metadata["nbdeploy"] = {"gates": ["exact >= 0.9"]}
        nbformat.write(document, checks)
        yield server


def says(person, words):
    """The dialog does, once it is opened."""
    person.toolbar_button.click()
    expect(person.dialog.get_by_text(words)).to_be_visible(timeout=60_000)


def test_with_nothing_deployed_each_list_says_what_to_do(person):
    person.opens("empty.ipynb")
    person.looks_after()
    expect(person.sidebar.get_by_text("Nothing is deployed yet")).to_be_visible(timeout=60_000)
    expect(person.sidebar.get_by_text("Open a notebook, train a model in it, and press Deploy")).to_be_visible()
    person.sidebar.get_by_text("Jobs", exact=True).click()
    expect(person.sidebar.get_by_text("No jobs yet.")).to_be_visible()
    person.has_nothing_serious("empty")
    person.sidebar.get_by_role("button", name="Deploy…").first.click()
    expect(person.dialog.get_by_text("The kernel holds no model yet. Run the cell that fits one")).to_be_visible(
        timeout=60_000
    )
    assert person.errors == []


def test_a_kernel_of_another_language_says_what_can_be_deployed(person):
    person.opens("other.ipynb")
    says(person, "This notebook is in julia. Only models in Python and R can be deployed")
    expect(person.dialog.get_by_role("button", name="Choose another kernel…")).to_be_visible()
    assert person.errors == []


def test_where_the_toolbar_has_no_room_the_button_is_behind_its_dots(person):
    person.page.set_viewport_size({"width": 620, "height": 900})
    person.opens("empty.ipynb")
    expect(person.page.locator(".jp-NotebookPanel-toolbar .jp-Toolbar-responsive-opener")).to_be_visible(timeout=60_000)
    says(person, "The kernel holds no model yet")
    assert person.errors == []


def test_a_kernel_without_nbdeploy_is_given_the_cell_that_installs_it(person):
    person.opens("bare.ipynb")
    says(person, "The kernel's environment has no nbdeploy.")
    person.dialog.get_by_role("button", name="Insert cell").click()
    expect(person.dialog).to_be_hidden()
    expect(person.page.locator(".jp-Notebook .jp-Cell").last).to_contain_text("%pip install nbdeploy==")
    assert person.errors == []


def test_a_notebook_without_a_kernel_offers_to_choose_one(person):
    person.opens("empty.ipynb")
    person.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    says(person, "This notebook has no kernel. Choose one and run the cells that make your model.")
    person.dialog.get_by_role("button", name="Choose a kernel…").click()
    chosen = person.page.get_by_role("dialog").filter(has_text="Select Kernel")
    chosen.locator("select").select_option(value='{"name":"python3"}')
    chosen.get_by_role("button", name="Select Kernel").click()
    expect(person.dialog.get_by_text("The kernel holds no model yet.")).to_be_visible(timeout=60_000)
    assert person.errors == []


def test_while_a_cell_runs_models_are_listed_and_the_capture_waits(person, lab):
    person.opens()
    person.runs(0, 1)
    person.page.evaluate(
        """() => {
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3;
            void window.jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    says(person, "The kernel is busy: a cell runs. You can deploy now")
    expect(person.dialog.get_by_role("radio", name=re.compile("^clf"))).to_be_checked(timeout=60_000)
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.ready.click()
    expect(person.dialog.get_by_text("The kernel captures the model as soon as it is idle.")).to_be_visible()
    (lab.folder / "go").touch()
    until_deployed(person).click()
    expect(person.sidebar.get_by_text("stable 100 %").first).to_be_visible(timeout=60_000)
    for section, words in (
        ("Compare", "Nothing to compare yet"),
        ("Live", "No request"),
        ("History", "Deploy another one to compare them"),
    ):
        person.sidebar.get_by_role("tab", name=section).click()
        expect(person.sidebar.get_by_text(words).first).to_be_visible(timeout=60_000)
    assert person.errors == []


@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive)],
    ids=["killed", "ended"],
)
def test_a_job_goes_on_while_its_server_is_gone_and_the_page_finds_it_again(person, lab, how):
    person.opens()
    person.runs(0, 1)
    person.executes(f"clf = Above({int(how)})")
    before, jobs = person.home.json("describe", "churn"), person.jobs()
    person.toolbar_button.click()
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.ready.click()
    expect(person.dialog.get_by_text("Building the bento").first).to_be_visible(timeout=120_000)
    lab.stop(how)
    expect(person.dialog.get_by_text("The server does not answer. Reconnecting")).to_be_visible(timeout=60_000)
    lab.start()
    until_deployed(person)
    steps = person.dialog.get_by_role("list", name="Steps").locator("li > span:nth-child(2)").all_inner_texts()
    assert len(steps) == len(set(steps)) > 3, steps
    assert len(person.jobs()) == len(jobs) + 1
    after = person.home.json("describe", "churn")
    assert after["revision"] == before["revision"] + 1


def test_what_a_gate_refused_says_why_shows_its_report_and_comes_for_a_reason(person):
    person.opens("gated/strict.ipynb")
    person.runs(0)
    person.toolbar_button.click()
    offered = person.dialog.get_by_role("checkbox", name=re.compile("validate_strict"))
    expect(offered).to_be_checked(timeout=60_000)
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.ready.click()
    shows = person.dialog.get_by_role("button", name="Show the report")
    expect(shows).to_be_visible(timeout=120_000)
    expect(person.dialog.get_by_text(re.compile(r"exact 0\.5.*≥ 0\.9: fail")).first).to_be_visible()
    assert [one["name"] for one in person.home.json("list")] == ["churn"]
    shows.click()
    frame = person.page.locator("iframe[src*='nbdeploy/reports']")
    assert "allow-same-origin" not in frame.get_attribute("sandbox")
    expect(frame.content_frame.get_by_text("exact").first).to_be_visible(timeout=60_000)

    person.looks_after()
    person.sidebar.get_by_text("Jobs", exact=True).click()
    person.sidebar.locator(".nbdeploy-jobs").get_by_role("button", expanded=False).first.click()
    forces = person.sidebar.get_by_role("button", name="Override the gates")
    expect(forces).to_be_disabled()
    person.sidebar.get_by_label("Reason for the override").fill("an echo need not be exact")
    forces.click()
    tab = person.page.locator(".jp-MainAreaWidget .nbdeploy-job")
    opens = tab.get_by_role("button", name=re.compile("^Open strict"))
    expect(opens).to_be_visible(timeout=120_000)
    assert "an echo need not be exact" in json.dumps(person.home.json("history", "strict"))
    opens.click()
    expect(person.sidebar.get_by_text("stable 100 %").first).to_be_visible(timeout=60_000)
    person.sidebar.get_by_role("tab", name="History").click()
    validated = person.sidebar.get_by_role("list", name="Validations, newest first").locator("li").first
    expect(validated).to_contain_text("failed", timeout=60_000)
    person.has_nothing_serious("validations")
    assert person.errors == []


def test_an_endpoint_is_promoted_taken_back_stopped_and_started_from_the_sidebar(person):
    def confirms(button, words):
        person.clicks_on(person.sidebar.get_by_role("button", name=button).first)
        confirm = person.sidebar.get_by_role("button", name="Confirm", exact=True)
        expect(confirm).to_be_visible(timeout=60_000)
        expect(person.sidebar.locator(".nbd-Pending")).to_contain_text(words)
        person.sidebar.get_by_label("Reason (optional)").fill(f"since {words}")
        person.clicks_on(confirm)
        expect(confirm).to_be_hidden()
        expect(person.sidebar.locator(".nbd-Pending")).to_be_hidden(timeout=60_000)
        return person.home.json("describe", "churn")

    person.opens("empty.ipynb")
    person.looks_after()
    before = person.home.json("describe", "churn")
    (shadow,) = before["traffic"]["shadows"]
    person.clicks_on(person.sidebar.get_by_role("option", name=re.compile(r"\bchurn\b")))
    promoted = confirms(re.compile("^Promote"), "stable")
    assert person.clicks == 3
    assert promoted["traffic"]["stable"] == shadow
    assert confirms("Roll back…", "Go back to revision")["traffic"]["stable"] == before["traffic"]["stable"]
    assert not confirms("Stop…", "Clients get errors from then on")["running"]
    expect(person.sidebar.get_by_role("button", name="Stop…")).to_be_hidden()
    assert confirms("Start again…", "this starts it again")["running"]
    reasons = {one["reason"] for one in person.home.json("history", "churn")}
    assert reasons >= {"since stable", "since Go back to revision", "since this starts it again"}
    assert person.errors == []


def test_nulls_are_accepted_by_a_click_and_refused_requests_are_seen_with_their_reason(person):
    """A table of loans: its training part has nulls, its test part has none."""
    person.opens("loans.ipynb")
    person.runs(0)
    person.toolbar_button.click()
    expect(person.dialog.get_by_role("button", name="Write a validation notebook")).to_be_visible(timeout=60_000)
    expect(person.dialog.get_by_role("radio", name=re.compile("^rate"))).to_be_checked(timeout=60_000)
    expect(person.dialog.get_by_text("calls loans, BASE; defined in In [1]")).to_be_visible()
    person.dialog.get_by_role("radio", name=re.compile("^loans")).check()
    example = person.dialog.get_by_label("Example")
    expect(example).to_have_value(re.compile(r"X_train\.iloc\["))  # with nulls
    person.dialog.get_by_role("button", name="X_test[:5]").click()
    person.dialog.get_by_role("button", name="Accept null in this column").click()
    expect(
        person.dialog.get_by_text("Requests may have null in income, which the model is tested with.")
    ).to_be_visible()
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.has_nothing_serious("loans-dialog")
    person.ready.click()
    until_deployed(person, "loans").click()
    url = person.home.json("describe", "loans")["url"]
    rows = [{"income": None, "purpose": "car"}, *[{"income": 7.5, "purpose": None}] * 2, {"purpose": "car"}]
    sent = [httpx.post(f"{url}/predict", json={"instances": [row]}, trust_env=False).status_code for row in rows]
    assert sent == [200, 422, 422, 422]
    person.sidebar.get_by_role("button", name="Why were 3 refused?").click(timeout=60_000)
    refused = person.sidebar.get_by_role("region", name="Refused requests")
    expect(refused.get_by_role("listitem")).to_have_count(2, timeout=60_000)
    expect(refused.get_by_role("listitem").first).to_contain_text("2 purpose: must be a string, not null")
    refused.get_by_role("button", name="Accept null in purpose").click()
    expect(refused.get_by_text(re.compile("the model does not accept null in 'purpose'"))).to_be_visible(timeout=90_000)
    assert len(person.home.json("describe", "loans")["releases"]) == 1
    person.has_nothing_serious("loans-live")
    refused.get_by_role("button", name=re.compile("Show the requests: purpose")).click()
    expect(person.sidebar.get_by_text("3 records")).to_be_visible(timeout=60_000)
    assert person.errors == []


def test_the_last_deploy_is_offered_again(person):
    person.opens("loans.ipynb")
    person.runs(0)
    person.toolbar_button.click()
    expect(person.dialog.get_by_role("radio", name=re.compile("^loans"))).to_be_checked(timeout=60_000)
    expect(person.dialog.get_by_label("Example")).to_have_value("X_test[:5]")
    expect(person.dialog.get_by_text("as in the last deploy")).to_have_count(2)
    expect(person.dialog.get_by_text("Requests may have null in income")).to_be_visible()
    assert person.errors == []


def test_the_model_of_a_kernel_of_r_is_deployed_by_a_click(person, lab):
    person.opens("cars.ipynb")
    person.runs(0, 1)
    before = person.executes("set.seed(1); ls(all.names = TRUE)")
    person.toolbar_button.click()
    expect(person.dialog.get_by_role("radio", name=re.compile("^fit"))).to_be_checked(timeout=60_000)
    expect(person.dialog.get_by_text("lm(formula = mpg ~ wt + cyl, data = cars)")).to_be_visible()
    expect(person.dialog.get_by_label("Example")).to_have_value("head(X_test, 3)")
    expect(person.dialog.get_by_role("cell", name="2.62", exact=False)).to_be_visible(timeout=60_000)
    expect(person.dialog.get_by_role("button", name="Write a validation notebook")).to_be_hidden()
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.has_nothing_serious("cars-dialog")
    person.ready.click()
    until_deployed(person, "cars").click()
    expect(person.sidebar.get_by_text("stable 100 %").first).to_be_visible(timeout=60_000)
    person.has_nothing_serious("cars")
    described = person.home.json("describe", "cars")
    assert described["releases"][0]["source"] == {"notebook": str(lab.folder / "cars.ipynb"), "variable": "fit"}
    rows = [{"wt": 2.62, "cyl": "6"}, {"wt": 2.32, "cyl": "4"}]
    answer = httpx.post(f"{described['url']}/predict", json={"instances": rows}, trust_env=False, timeout=60)
    assert answer.json()["predictions"] == pytest.approx([21.336507, 26.553771]), answer.text
    job = person.job(person.jobs()[0]["id"])
    assert (job["state"], job["request"]["source"]) == ("done", described["traffic"]["stable"])
    assert person.executes("ls(all.names = TRUE)") == before  # nothing of the dialog is left in the kernel
    assert person.executes("runif(1)").startswith("[1] 0.2655087")
    assert person.errors == []


def test_what_a_kernel_of_r_cannot_deploy_is_refused_with_its_remedy(person):
    person.opens("cars.ipynb")
    person.runs(0, 1, 2)
    person.toolbar_button.click()
    old = person.dialog.get_by_role("radio", name=re.compile("^old"))
    old.check(timeout=60_000)
    lacks = "R finds no method of predict for 'old', of class boosted: its package boosts is not installed"
    expect(person.dialog.get_by_text(lacks)).to_be_visible(timeout=60_000)
    expect(person.dialog.get_by_text('install.packages("boosts"); library(boosts)')).to_be_visible()
    person.has_nothing_serious("cars-refused")
    person.dialog.get_by_role("radio", name=re.compile("^fit")).check()
    example = person.dialog.get_by_label("Example")
    for expression, words, remedy in (
        ("", "a model of R needs an example", "write rows of a data frame, such as head(X, 5)"),
        ("X_test['wt']", "the example lacks columns that the model reads: cyl", "add them to the example"),
        ("X_tets", "there is no variable 'X_tets' in this notebook", "did you mean X_test"),
        ("quote(x)", "the example is of class name, not a data frame", "pass a few rows of a data frame"),
    ):
        example.fill(expression)
        example.blur()
        expect(person.dialog.get_by_text(words).first).to_be_visible(timeout=60_000)
        expect(person.dialog.get_by_text(remedy).first).to_be_visible()
    person.dialog.get_by_label("Name", exact=True).fill("no name")
    expect(person.dialog.get_by_text("'no name'").first).to_be_visible(timeout=60_000)
    assert [one["name"] for one in person.home.json("list")].count("no name") == 0
    assert person.errors == []


def test_an_endpoint_that_is_not_there_says_so_and_leads_back(person):
    person.opens("empty.ipynb")
    person.looks_after("nowhere")
    expect(person.sidebar.get_by_text("nowhere does not exist")).to_be_visible(timeout=60_000)
    person.sidebar.get_by_role("button", name="All endpoints", exact=True).click()
    expect(person.sidebar.get_by_role("option", name=re.compile("churn"))).to_be_visible()
    assert person.errors == []


def test_a_link_opens_lab_at_an_endpoint_and_section_and_so_does_a_reload(person):
    person.page.goto(f"{person.url}/lab{person.query}&nbdeploy=churn&section=logs")
    log = person.sidebar.get_by_role("group", name="Log of the release")
    expect(log).to_contain_text(re.compile(r"\w"), timeout=60_000)
    person.page.wait_for_function("!location.search.includes('nbdeploy')")
    person.has_nothing_serious("logs")
    person.reloads('"section":"logs"', '"current":"nbdeploy-deployments"')
    expect(log).to_contain_text(re.compile(r"\w"), timeout=60_000)
    expect(person.sidebar.get_by_role("button", name="Copy a link to this view")).to_be_visible()
    assert person.errors == []
