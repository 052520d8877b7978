"""Users of a real JupyterLab who deploy, compare and promote: by mouse, by the keyboard alone, by the panel."""

import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from playwright.sync_api import expect

from tests.e2e.person import DEPLOY_SECONDS, Person

MOST_TABS = 60
REQUESTS = 40
RUNS_CELL = """async number => {
    const {content} = window.jupyterapp.shell.currentWidget;
    content.activeCellIndex = number;
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


@dataclass
class Step:
    """What one step of a walk took."""

    name: str
    clicks: int
    tabs: int
    seconds: float = 0.0


class Walker(Person):
    """Counts clicks and Tabs, step by step."""

    way = "mouse"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.tabs = 0
        self.steps = []
        self.endpoint = ""

    def opens(self, notebook):
        """Open a notebook, which has its endpoint's name."""
        self.endpoint = notebook.removesuffix(".ipynb")
        super().opens(notebook)

    @contextmanager
    def step(self, name):
        """Count what the block takes as one step of the walk."""
        step = Step(name, self.clicks, self.tabs, -time.monotonic())
        yield step
        step.seconds += time.monotonic()
        step.clicks, step.tabs = self.clicks - step.clicks, self.tabs - step.tabs
        self.steps.append(step)
        if folder := os.environ.get("NBDEPLOY_SCREENSHOTS"):
            self.page.screenshot(path=f"{folder}/{self.endpoint}-{len(self.steps)}-{name.replace(' ', '-')}.png")

    def prints(self, notebook):
        """Print the steps: counts are asserted, seconds depend on the machine."""
        for step in self.steps:
            print(
                f"{notebook:8} by {self.way:8} {step.name:26} {step.clicks:2} clicks {step.tabs:3} Tabs "
                f"{step.seconds:5.1f} s"
            )

    def uses(self, control):
        """Use a button, a switch, a tab."""
        self.clicks_on(control)

    def starts_deploy(self):
        """Open the dialog of the notebook."""
        self.clicks_on(self.toolbar_button)
        expect(self.dialog).to_be_visible()

    def fills(self, field, text):
        """Replace a field's text."""
        self.uses(field)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def opens_from_list(self, name):
        """Open an endpoint from the list of all."""
        self.uses(self.sidebar.get_by_role("option", name=re.compile(rf"\b{name}\b")))

    def guesses(self, notebook):
        """The dialog has the right model and example, and is ready."""
        chosen = self.dialog.get_by_role("radio", name=re.compile(rf"^{notebook.model}\b"))
        expect(chosen).to_be_checked(timeout=60_000)
        assert re.match(rf"{re.escape(notebook.example)}(?!\w)", self.dialog.get_by_label("Example").input_value())
        expect(self.ready).to_be_enabled(timeout=60_000)

    def deploys(self, notebook, endpoint):
        """From the trained model to a live release: the dialog as it is filled in."""
        self.starts_deploy()
        self.guesses(notebook)
        self.uses(self.ready)
        expect(self.finished(endpoint)).to_be_visible(timeout=DEPLOY_SECONDS * 1000)

    def finished(self, endpoint):
        """The button of a finished deploy that opens the endpoint."""
        return self.dialog.get_by_role("button", name=f"Open {endpoint}")

    def card(self, place, role):
        """The card of the release with that role."""
        return place.locator(f"article[data-role={role}]")


class KeyboardWalker(Walker):
    """Has no mouse."""

    way = "keyboard"

    def uses(self, control):
        """Press Tab until the control has the focus, then Enter; a switch takes Space."""
        self.tabs_to(control)
        self.page.keyboard.press("Space" if control.get_attribute("role") == "switch" else "Enter")

    def tabs_to(self, control):
        """Press Tab until the control, or the selected tab of its list, has the focus; arrows lead on from there."""
        expect(control).to_be_visible()
        for _ in range(MOST_TABS):
            if control.evaluate("one => one === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
            self.tabs += 1
        raise AssertionError(f"{MOST_TABS} Tabs do not lead to {control}")

    def starts_deploy(self):
        """By the command palette, from wherever the focus is."""
        keyboard = self.page.keyboard
        keyboard.press("Control+Shift+KeyC")
        keyboard.type("Deploy Model")
        expect(self.page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text("Deploy Model")
        keyboard.press("Enter")
        expect(self.dialog).to_be_visible()

    def opens_from_list(self, name):
        """The list has the focus, or gets it; arrows choose."""
        self.tabs_to(self.sidebar.get_by_role("listbox", name="Endpoints"))
        chosen = self.sidebar.locator("[role=option][data-active=true]")
        for _ in range(MOST_TABS):
            if chosen.count() and re.search(rf"\b{name}\b", chosen.inner_text()):
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Enter")


class PanelWalker(Walker):
    """Deploys by a cell and does the rest by the panel below the next cell."""

    way = "panel"

    @property
    def panel(self):
        return self.page.get_by_role("feed").get_by_role("region", name=re.compile("^Endpoint "))

    def deploys_by_cell(self, number):
        """Run the cell with ``%deploy``."""
        self.page.evaluate(RUNS_CELL, number)

    def shows_panel(self, number):
        """Run the cell with ``%deploy_panel``."""
        self.page.evaluate(RUNS_CELL, number)
        expect(self.panel).to_be_visible(timeout=60_000)


def sends(endpoint, instance):
    """Requests of clients, each answered."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        for _ in range(REQUESTS):
            client.post(f"{endpoint['url']}/predict", json={"instances": [instance]}).raise_for_status()
