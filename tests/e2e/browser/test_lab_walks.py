"""From a trained model to a promotion in a real JupyterLab, by each way that a user may take; clicks and Tabs counted.

The walks share a server, and each deploys an endpoint of its own. The last test looks at their endpoints with axe-core.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.lab import started
from tests.e2e.person import NARROW
from tests.e2e.walks.notebooks import NOTEBOOKS, QUOTES
from tests.e2e.walks.walkers import KeyboardWalker, PanelWalker, Walker, sends
from tests.notebooks import write

pytestmark = [pytest.mark.timeout(600), pytest.mark.exhaustive]

CLICKS_TO_LIVE = 2
CLICKS_TO_PROMOTE = 3
TABS_TO_DEPLOY = 12
WAYS = {"mouse": Walker, "keyboard": KeyboardWalker, "panel": PanelWalker}


def walks(*ways):
    """The walks of these ways through each notebook."""
    return [pytest.param(way, notebook, id=f"{notebook.name}-by-{way}") for way in ways for notebook in NOTEBOOKS]


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    files = []
    for notebook in NOTEBOOKS:
        for name, text in notebook.files.items():
            (folder / name).write_text(text)
            files.append(folder / name)
        files += [write(folder / f"{notebook.name}-{way}.ipynb", *cells_of(notebook, way)) for way in WAYS]
    shared_home.environment["NBDEPLOY_STANDBY"] = "true"  # as users have it: the seconds are printed
    with started(shared_home, *files) as server:
        yield server


def cells_of(notebook, way):
    """The panel's notebooks deploy by cells, with the example that the dialog guesses."""
    if way != "panel":
        return notebook.cells
    deploys = f'%deploy {notebook.model} --name {notebook.name}-panel --example "{notebook.example}{notebook.rows}"'
    loads = "%load_ext jupyter_deploy"
    return (*notebook.train, f"{loads}\n{deploys}", notebook.again, deploys, f"%deploy_panel {notebook.name}-panel")


@pytest.fixture
def walker(request, browser, lab, shared_home):
    """Who sits before a page of a small laptop."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(90_000)
    made = WAYS[request.param](context.new_page(), lab.url, shared_home, re.sub(r"\W+", "-", request.node.name))
    yield made
    context.close()


@pytest.mark.parametrize(("walker", "notebook"), walks("mouse", "keyboard"), indirect=["walker"])
def test_from_a_trained_model_to_a_promotion_in_the_dialog_and_the_sidebar(walker, notebook):
    endpoint = f"{notebook.name}-{walker.way}"
    walker.opens(f"{endpoint}.ipynb")
    walker.runs(*range(len(notebook.train)))
    walker.page.locator(".jp-NotebookPanel .jp-Notebook").focus()
    with walker.step("trained model to live") as live:
        walker.deploys(notebook, endpoint)
    assert live.clicks <= CLICKS_TO_LIVE
    assert live.tabs <= TABS_TO_DEPLOY
    assert [one["role"] for one in walker.home.json("describe", endpoint)["releases"]] == ["stable"]
    walker.page.keyboard.press("Escape")
    expect(walker.dialog).to_be_hidden()

    walker.runs(len(notebook.train))
    with walker.step("trained again to shadow") as shadow:
        walker.deploys(notebook, endpoint)
    assert shadow.clicks <= CLICKS_TO_LIVE
    assert shadow.tabs <= TABS_TO_DEPLOY
    with walker.step("to the endpoint"):
        walker.uses(walker.finished(endpoint))
        expect(walker.card(walker.sidebar, "shadow")).to_be_visible()
    changes_compares_and_promotes(walker, walker.sidebar, notebook, endpoint)
    walker.prints(notebook.name)
    assert walker.errors == []


@pytest.mark.parametrize(("walker", "notebook"), walks("panel"), indirect=["walker"])
def test_from_a_trained_model_to_a_promotion_by_the_notebooks_panel(walker, notebook):
    endpoint = f"{notebook.name}-panel"
    walker.opens(f"{endpoint}.ipynb")
    first = len(notebook.train)
    walker.runs(*range(first))
    with walker.step("trained model to live"):
        walker.runs(first)
    walker.runs(first + 1)
    with walker.step("trained again to shadow"):
        walker.runs(first + 2)
    with walker.step("to the endpoint"):
        walker.shows_panel(first + 3)
    changes_compares_and_promotes(walker, walker.panel, notebook, endpoint)
    walker.prints(notebook.name)
    assert walker.errors == []


def changes_compares_and_promotes(walker, place, notebook, endpoint):
    """What comes after both deploys: half of the copies, the comparison, the promotion from the list of endpoints."""
    described = walker.home.json("describe", endpoint)
    (tag,) = described["traffic"]["shadows"]
    shadow = walker.card(place, "shadow")
    with walker.step("half of the copies"):
        walker.fills(shadow.get_by_role("spinbutton"), "50")
        expect(shadow).to_contain_text("shadow 50 %")
    assert walker.home.json("describe", endpoint)["traffic"]["shadows"] == {tag: 50.0}
    sends(described, notebook.instance)
    with walker.step("compare"):
        walker.uses(shadow.get_by_role("button", name=re.compile("^Compare")))
        expect(place.locator(".nbd-Verdict")).to_be_visible()
    if walker.way == "panel":
        walker.uses(place.get_by_role("tab", name="Releases"))
    else:
        walker.uses(walker.sidebar.get_by_role("button", name="Back to all endpoints"))
    with walker.step("promote") as promotion:
        if walker.way != "panel":
            walker.opens_from_list(endpoint)
        walker.uses(place.get_by_role("button", name=re.compile("^Promote")).first)
        walker.uses(place.get_by_role("button", name="Confirm", exact=True))
        expect(walker.card(place, "stable")).to_have_attribute("aria-labelledby", re.compile("."))
        expect(place.locator(".nbd-Pending")).to_be_hidden(timeout=60_000)
    assert promotion.clicks <= CLICKS_TO_PROMOTE
    assert walker.home.json("describe", endpoint)["traffic"]["stable"] == tag


@pytest.mark.parametrize("walker", ["panel"], indirect=True)
def test_axe_finds_nothing_serious_in_any_part_light_dark_or_narrow(walker):
    """With the endpoint of the panel's walk, whose former stable release is a shadow now."""
    endpoint, first = f"{QUOTES.name}-panel", len(QUOTES.train)
    described = walker.home.json("describe", endpoint)
    former = next(one["tag"] for one in described["releases"] if one["tag"] != described["traffic"]["stable"])
    walker.home.json("traffic", endpoint, "--shadow", f"{former}=100")
    sends(described, QUOTES.instance)
    walker.opens(f"{endpoint}.ipynb")
    walker.runs(*range(first))
    walker.starts_deploy()
    expect(walker.ready).to_be_enabled(timeout=60_000)
    looks_at(walker, "dialog", ".nbdeploy-dialog .jp-Dialog-content")
    walker.page.keyboard.press("Escape")
    walker.looks_after()
    expect(walker.sidebar.get_by_role("option").first).to_be_visible(timeout=60_000)
    looks_at(walker, "list")
    walker.sidebar.locator(".nbd-Jobs summary").click()
    walker.sidebar.locator(".nbdeploy-jobs").get_by_role("button", expanded=False).first.click()
    expect(walker.sidebar.locator(".nbdeploy-end")).to_be_visible()
    looks_at(walker, "jobs")
    for section, shown in (
        ("releases", "article[data-role=shadow]"),
        ("comparison", ".nbd-Verdict"),
        ("records", "[role=option]"),
    ):
        walker.looks_after(endpoint, section)
        expect(walker.sidebar.locator(shown).first).to_be_visible(timeout=60_000)
        looks_at(walker, section)
    walker.executes("%load_ext jupyter_deploy")
    walker.shows_panel(first + 3)
    walker.page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    walker.panel.scroll_into_view_if_needed()
    looks_at(walker, "panel", ".nbd-Panel")
    assert walker.errors == []


def looks_at(walker, part, narrowed=None):
    """What is seen has nothing serious, light, dark and narrow: the sidebar, or the element of that selector."""
    walker.has_nothing_serious(f"walk-{part}")
    if narrowed is None:
        before = walker.sidebar_width(NARROW)
    else:
        walker.page.add_style_tag(content=f"{narrowed} {{ width: {NARROW}px !important; min-width: 0 !important; }}")
    walker.has_nothing_serious_as_it_is(f"walk-{part}-{NARROW}")
    if narrowed is None:
        walker.sidebar_width(before)
