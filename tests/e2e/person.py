"""A user of a real JupyterLab: what they see, click and wait for."""

import contextlib
import os
import re
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as Missed
from playwright.sync_api import expect

from tests.e2e.conftest import until
from tests.e2e.lab import KERNEL_READY, TOKEN

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
TRAIN = [
    "import numpy as np, pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
    "rng = np.random.default_rng(0)\n"
    "X = pd.DataFrame({'age': rng.integers(20, 80, 400), 'weight': rng.normal(70, 10, 400).round(1)})\n"
    "y = np.where(X.age + X.weight + rng.normal(0, 6, 400) > 120, 'yes', 'no')\n"
    "X_train, X_test, y_train, y_test = X[:300], X[300:], y[:300], y[300:]",
    "clf = LogisticRegression(C=1.0).fit(X_train, y_train)\nclf.score(X_test, y_test)",
    "clf = LogisticRegression(C=0.0001).fit(X_train, y_train)\nclf.score(X_test, y_test)",
]
OPEN = "async path => { await window.jupyterapp.commands.execute('docmanager:open', {path}); }"
# Closes what is open, unsaved, and leaves kernels as they are; whether nothing is left open.
CLOSE_ALL = """async () => {
    const {shell, commands} = window.jupyterapp;
    const escape = new KeyboardEvent('keydown', {key: 'Escape'});
    document.querySelectorAll('.jp-Dialog').forEach(dialog => dialog.dispatchEvent(escape));
    for (const widget of [...shell.widgets('main')]) widget.dispose();
    await commands.execute('nbdeploy:list');
    shell.collapseLeft();
    shell.collapseRight();
    await new Promise(resolve => setTimeout(resolve));
    return !document.querySelector('.jp-Dialog, dialog[open], .jp-NotebookPanel, .nbd-Tab');
}"""
# The workspace as the server has it, from which JupyterLab restores its tabs and panels.
WORKSPACE = """async () => {
    const workspace = (location.pathname.split('/workspaces/')[1] ?? 'default').split('/')[0];
    return JSON.stringify(await (await fetch(`/lab/api/workspaces/${workspace}`)).json());
}"""
DEPLOY_SECONDS = 240
VIEWPORT = {"width": 1400, "height": 1000}
NARROW = 250
"""The sidebar's width in CSS pixels at which nothing may be cut."""
# What reaches beyond the sidebar, but in what scrolls by itself: tabs, wide tables, charts.
BEYOND_THE_EDGE = """() => {
    const body = document.querySelector('.nbd-Body');
    if (!body?.getClientRects().length) return [];
    const edge = body.getBoundingClientRect().right + 1;
    const scrolls = one => one !== body && ['auto', 'scroll'].includes(getComputedStyle(one).overflowX);
    const free = one => one === body || (!scrolls(one) && free(one.parentElement));
    return [...body.querySelectorAll('*')]
        .filter(one => one.getBoundingClientRect().right > edge && free(one.parentElement) && !scrolls(one))
        .map(one => `${one.tagName}.${one.className}: ${one.textContent.slice(0, 40)}`);
}"""


class Person:
    """Who sits before the page; counts the clicks."""

    def __init__(self, page, url, home, workspace="", token=TOKEN):
        self.page, self.url, self.home = page, url, home
        self.query = f"?token={token}" if token else ""
        self.tree = f"{url}/lab/workspaces/{workspace}/tree" if workspace else f"{url}/lab/tree"
        self.clicks = 0
        self.errors = []
        page.on("pageerror", self._notes)

    def _notes(self, error):
        """Lab itself waits for a kernel, changes it, or asks it for a subshell: the notebook may be closed before."""
        words, stack = str(error), error.stack or ""
        of_a_closed_notebook = (
            words == "Disposed"
            or "create_subshell_request" in words
            or ("null (reading 'kernel')" in words and "_changeKernel" in stack)
        )
        if not of_a_closed_notebook:
            self.errors.append(stack or words)

    def opens(self, notebook="churn.ipynb"):
        """The notebook, in the page as it is if that has JupyterLab already."""
        if self.page.evaluate("Boolean(window.jupyterapp)"):
            self.page.evaluate("window.jupyterapp.restored.then(() => null)")  # its commands are there from then on
            self.page.evaluate(OPEN, notebook)
        else:
            self.page.goto(f"{self.tree}/{notebook}{self.query}")
            self.page.wait_for_function("window.jupyterapp")
        self.page.evaluate(KERNEL_READY)

    def closes_all(self):
        """Close what is open in JupyterLab; whether it could be closed."""
        self.page.set_viewport_size(VIEWPORT)
        with contextlib.suppress(PlaywrightError):
            if not self.page.evaluate("Boolean(window.jupyterapp)"):
                return True
            if self.page.locator("dialog[open]").count():  # or it opens again with its endpoint
                self.page.keyboard.press("Escape")
            return self.page.evaluate(CLOSE_ALL)
        return False

    def logs_in(self, password, page=None):
        """At the log-in page, wherever the log-in then leads."""
        page = page or self.page
        page.get_by_label("Password:").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda url: "/login" not in url)

    def runs(self, *cells):
        for cell in cells:
            ran = self.page.evaluate(
                """async index => {
                    const {content, sessionContext} = window.jupyterapp.shell.currentWidget;
                    content.activeCellIndex = index;
                    await window.jupyterapp.commands.execute('notebook:run-cell');
                    await sessionContext.session.kernel.requestExecute({code: '', silent: true}).done;
                    return content.widgets[index].model.outputs.toJSON().every(o => o.output_type !== 'error');
                }""",
                cell,
            )
            assert ran

    def executes(self, code):
        """What the kernel of the notebook makes of an expression; of statements, None."""
        return self.page.evaluate(
            """async code => {
                const {kernel} = window.jupyterapp.shell.currentWidget.sessionContext.session;
                let said = null;
                const future = kernel.requestExecute({code});
                future.onIOPub = ({content}) => { said = content.data?.['text/plain'] ?? content.evalue ?? said; };
                await future.done;
                return said;
            }""",
            code,
        )

    def looks_after(self, name=None, section="releases"):
        """Opens the sidebar, and in it an endpoint."""
        self.page.evaluate(
            "given => window.jupyterapp.commands.execute('nbdeploy:open', given)",
            {"name": name, "section": section} if name else {},
        )

    def reloads(self, *stored):
        """Reloads the page, once all of this text is stored in its workspace."""
        until(lambda: (text := self.page.evaluate(WORKSPACE)) and all(one in text for one in stored))
        self.page.reload()

    def clicks_on(self, what):
        self.clicks += 1
        what.click()

    @property
    def toolbar_button(self):
        """Of the notebook; behind the toolbar's dots where Lab finds it too narrow, as it may while it is laid out."""
        toolbar = self.page.locator(".jp-NotebookPanel-toolbar")
        button, dots = toolbar.get_by_role("button", name="Deploy"), toolbar.locator(".jp-Toolbar-responsive-opener")
        try:
            button.or_(dots).locator("visible=true").first.wait_for()
        except Missed as missing:
            raise AssertionError(f"no button: {[one.inner_html() for one in toolbar.all()]}") from missing
        if button.is_visible():
            return button
        dots.click()
        return self.page.locator(".jp-Toolbar-responsive-popup").get_by_role("button", name="Deploy")

    @property
    def dialog(self):
        return self.page.get_by_role("dialog", name=re.compile("Deploy a model"))

    @property
    def ready(self):
        """The dialog's button."""
        return self.dialog.get_by_role("button", name="Deploy", exact=True)

    @property
    def sidebar(self):
        return self.page.locator(".nbd-Sidebar")

    @property
    def switch(self):
        return self.sidebar.get_by_role("switch").first

    def jobs(self):
        return self.page.evaluate("async () => (await fetch('/nbdeploy/jobs')).json()")

    def job(self, number):
        return next(one for one in self.jobs() if one["id"] == number)

    def shoots(self, name):
        """A picture for ``scripts/screenshots.py``, if it runs the test: with a wider sidebar."""
        if folder := os.environ.get("NBDEPLOY_SCREENSHOTS"):
            before = self.sidebar_width(250 if name.endswith("-250") else 400)
            self.page.screenshot(path=f"{folder}/lab-{name}.png")
            self.sidebar_width(before)

    def sidebar_width(self, wanted):
        """Drags the sidebar's edge, unless something is over it; its width before."""
        sidebar = self.page.locator("#jp-left-stack").bounding_box()
        if sidebar is None or self.page.locator(".jp-Dialog, dialog[open]").count():
            return wanted
        edge = sidebar["x"] + sidebar["width"] + 2
        self.page.mouse.move(edge, 500)
        self.page.mouse.down()
        self.page.mouse.move(edge + wanted - sidebar["width"], 500, steps=4)
        self.page.mouse.up()
        if os.environ.get("NBDEPLOY_SCREENSHOTS"):
            self.page.wait_for_timeout(1000)  # for the picture alone: charts are drawn again for the new width
        return sidebar["width"]

    def has_nothing_serious(self, name):
        """What axe-core says of what is seen, in the light theme and of the colours in both; it is light afterwards."""
        self.changes_to("Dark")
        self.has_nothing_serious_as_it_is(f"{name}-dark", ["color-contrast", "link-in-text-block"])
        self.changes_to("Light")
        self.has_nothing_serious_as_it_is(f"{name}-light")

    def has_all_within_the_sidebar(self, name):
        """Once charts are drawn again for its width, nothing is cut."""
        try:
            self.page.wait_for_function(f"!({BEYOND_THE_EDGE})().length", timeout=60_000)
        except Missed as missed:
            raise AssertionError(f"{name}: {self.page.evaluate(BEYOND_THE_EDGE)}") from missed

    def changes_to(self, theme):
        """The theme of that name, which the server stores; it cannot change after the end of a log-in."""
        self.page.evaluate(
            """async theme => {
                await window.jupyterapp.commands.execute('apputils:change-theme', {theme});
            }""",
            f"JupyterLab {theme}",
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === String(light)", arg=theme == "Light"
        )
        self.page.wait_for_function("!document.getElementById('jupyterlab-splash')")  # it is over all at first

    def has_nothing_serious_as_it_is(self, name, rules=None):
        """What axe-core says of what is seen, by all of its rules or by some."""
        self.shoots(name)
        self.has_all_within_the_sidebar(name)
        if not self.page.evaluate("Boolean(window.axe)"):
            self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate(
            """async rules => {
                const parts = [...document.querySelectorAll('.nbd-Sidebar, .nbd-Tab, .nbdeploy-dialog')];
                const seen = parts.filter(one => one.getClientRects().length);
                const found = await window.axe.run({include: seen}, rules ? {runOnly: rules} : {});
                return found.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(
                    v => `${v.id}: ${v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join('; ')}`);
            }""",
            rules,
        )
        assert found == [], f"{name}: {found}"


class Seat:
    """A page of a ``Lab`` for tests one after another; a new one after the server's end, or if it cannot be cleared."""

    def __init__(self, browser, lab, home):
        self._browser, self._lab, self._home = browser, lab, home
        self._person = self._server = None
        self._pages = 0

    def take(self):
        """The person, before a JupyterLab with nothing open."""
        if self._person and (self._server is not self._lab.process or not self._person.closes_all()):
            self.leave()
        if self._person is None:
            context = self._browser.new_context(viewport=VIEWPORT)
            context.set_default_timeout(90_000)
            self._pages += 1
            workspace = f"page-{self._pages}"  # what the page before had open is not opened again
            self._person = Person(context.new_page(), self._lab.url, self._home, workspace)
            self._server = self._lab.process
        self._person.clicks = 0
        self._person.errors.clear()
        return self._person

    def leave(self):
        """Close the page."""
        if self._person:
            self._person.page.context.close()
            self._person = None


def until_deployed(person, name="churn"):
    button = person.dialog.get_by_role("button", name=re.compile(f"^Open {name}"))
    expect(button).to_be_visible(timeout=DEPLOY_SECONDS * 1000)
    return button
