"""The extension in a real JupyterLab and Notebook 7: a command for each verb, and nothing before one is used."""

import pytest

from jupyter_deploy.verbs import OPERATIONS
from tests.e2e.lab import KERNEL_READY, TOKEN, jupyter
from tests.notebooks import write

BUTTON = '.jp-NotebookPanel-toolbar [data-command="nbdeploy:deploy"]'

# For init to find; nobody runs it.
TRAINS = """
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True, as_frame=True)
clf = LogisticRegression(max_iter=500).fit(X, y)
"""


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    with jupyter(shared_home, write(tmp_path_factory.mktemp("notebooks") / "train.ipynb", TRAINS)) as url:
        yield url


@pytest.fixture
def page(browser):
    made = browser.new_page(viewport={"width": 1300, "height": 850})
    made.set_default_timeout(90_000)
    yield made
    made.close()


def test_every_verb_is_a_command_and_the_server_is_asked_nothing_before_one_is_used(lab, page):
    asked, thrown = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.goto(f"{lab}/lab/tree/train.ipynb?token={TOKEN}")
    page.wait_for_function("window.jupyterapp")
    page.evaluate(KERNEL_READY)
    page.wait_for_selector(BUTTON)

    has = "names => names.filter(name => !window.jupyterapp.commands.hasCommand(`nbdeploy:${name}`))"
    assert page.evaluate(has, [operation.name for operation in OPERATIONS]) == []
    assert [url for url in asked if url.startswith(f"{lab}/nbdeploy/")] == []

    # A verb without a view of its own is asked by a form of its request; this one's result comes at once.
    page.evaluate("void window.jupyterapp.commands.execute('nbdeploy:init')")
    form = page.locator(".nbdeploy-dialog form")
    form.get_by_text("More", exact=True).click()
    form.get_by_label("Dry run").check()
    form.get_by_label("Folder").fill("nowhere")
    page.keyboard.press("Enter")
    form.get_by_text("there is no folder").wait_for()
    form.get_by_label("Folder").fill(".")
    page.keyboard.press("Enter")
    page.locator(".nbdeploy-ResultPage").get_by_text("nbdeploy.yaml", exact=True).wait_for()

    # A slow one is a job, shown in a tab.
    page.evaluate("void window.jupyterapp.commands.execute('nbdeploy:reconcile')")
    page.locator(".nbdeploy-dialog button[type=submit]").click()
    page.locator(".nbdeploy-JobTab .nbdeploy-pill[data-state=done]").wait_for()
    assert thrown == []


def test_the_button_is_in_notebook_7_too(lab, page):
    page.goto(f"{lab}/notebooks/train.ipynb?token={TOKEN}")
    page.locator(BUTTON).click()
    page.locator(".nbdeploy-dialog").get_by_text("The kernel holds no model yet").wait_for()
