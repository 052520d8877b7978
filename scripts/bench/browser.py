"""A JupyterLab and a browser that looks at it, of which a benchmark measures what somebody at it would wait for."""

from __future__ import annotations

import contextlib
import json
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.lab import TOKEN, jupyter, launch

# What never comes is an error, and no page that is waited for without end.
_AT_MOST = """
    const began = performance.now();
    const inTime = what => {
        if (performance.now() - began > 60_000)
            throw new Error(`${what} did not come: ${document.body?.innerText.slice(0, 2000)}`);
    };
"""

# Milliseconds from the navigation's start; the page itself is asked, so that no way to it counts.
_RESTORED = f"""async () => {{{_AT_MOST}
    let restored = 0;
    for (let asked = false; restored === 0; await new Promise(resolve => setTimeout(resolve, 5))) {{
        inTime('Lab');
        if (asked || !window.jupyterapp) continue;
        asked = true;
        window.jupyterapp.restored.then(() => (restored = performance.now()));
    }}
    return restored;
}}"""

# Milliseconds from a click until the switch has its other state and nothing is under way, at the next frame.
_TOGGLED = f"""async () => {{
    const find = () => document.querySelector('.nbd-Sidebar [role=switch]');
    const before = find().getAttribute('aria-checked');{_AT_MOST}
    find().click();
    for (;;) {{
        await new Promise(requestAnimationFrame);
        const now = find();
        if (now && now.getAttribute('aria-checked') !== before && now.getAttribute('aria-busy') === 'false')
            return performance.now() - began;
        inTime('the confirmed state');
    }}
}}"""

# Milliseconds from asking for something until its rows have been painted.
_PAINTED = f"""async ([command, args, rows]) => {{{_AT_MOST}
    await window.jupyterapp.commands.execute(command, args);
    while (!document.querySelector(rows)) {{
        inTime(rows);
        await new Promise(requestAnimationFrame);
    }}
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}}"""


@dataclass(frozen=True)
class Place:
    """A folder for a server's files, with the environment that leads to a home."""

    path: Path
    environment: dict[str, str]
    python: str = sys.executable

    def without_extension(self) -> Place:
        """Lab where nbdeploy was never installed: one that is disabled has its entry loaded all the same."""
        others = self.path / "labextensions"
        for folder in map(Path, jupyter_path("labextensions")):  # what is found first counts
            for found in (*folder.glob("[!@]*"), *folder.glob("@*/*")):
                link = others / found.relative_to(folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                if found.name != "nbdeploy" and not link.exists():
                    link.symlink_to(found.resolve())
        configuration = {
            "LabApp": {"labextensions_path": [str(others)]},
            "ServerApp": {"jpserver_extensions": {"jupyter_deploy.faces.server": False}},
        }
        file = self.path / "jupyter" / "jupyter_server_config.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(configuration))
        return self


class Visit:
    """One page of a server's Lab, in a browser's context of its own: nothing is in its cache."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        # In a workspace of its own, so that nothing of an earlier page is restored.
        page.goto(f"{url}/lab/workspaces/{uuid.uuid4()}?token={TOKEN}", wait_until="commit")
        self.restored_ms: float = page.evaluate(_RESTORED)
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable")

    @property
    def extended(self) -> bool:
        """Whether Lab has the extension."""
        found: bool = self.page.evaluate("window.jupyterapp.hasPlugin('nbdeploy:sidebar')")
        return found

    def painted(self, rows: str, **args: str) -> tuple[float, float]:
        """Milliseconds of script, and in all, until what is opened so has these rows."""
        before = self._script_ms()
        in_all: float = self.page.evaluate(_PAINTED, ["nbdeploy:open", args, rows])
        return self._script_ms() - before, in_all

    def execute(self, command: str, **args: str) -> None:
        """One of Lab's commands."""
        self.page.evaluate(
            "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => null)", [command, args]
        )

    def toggled(self) -> float:
        """Milliseconds from a click on the first switch to its confirmed state; somebody waits before each."""
        self.page.wait_for_timeout(random.uniform(300, 900))
        found: float = self.page.evaluate(_TOGGLED)
        return found

    def heap_mb(self) -> float:
        """What is reachable in the page's heap."""
        for _ in range(3):  # what finalisers let go is collected by the next
            self._devtools.send("HeapProfiler.collectGarbage")
        used: float = self._devtools.send("Runtime.getHeapUsage")["usedSize"]
        return used / 1024**2

    def _script_ms(self) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(one["value"] for one in metrics if one["name"] == "ScriptDuration"))


Visits = Callable[[str], contextlib.AbstractContextManager[Visit]]


@contextlib.contextmanager
def browser() -> Iterator[Visits]:
    """Chromium; what it yields opens Lab at a server's address."""
    with sync_playwright() as playwright:
        started = launch(playwright)
        try:
            yield lambda url: _visit(started, url)
        finally:
            started.close()


@contextlib.contextmanager
def _visit(started: Browser, url: str) -> Iterator[Visit]:
    context = started.new_context(viewport={"width": 1400, "height": 1000})
    try:
        yield Visit(context.new_page(), url)
    finally:
        context.close()


def lab(place: Place) -> contextlib.AbstractContextManager[Any]:
    """A Jupyter server in ``place``; its address."""
    place.path.mkdir(parents=True, exist_ok=True)
    server: contextlib.AbstractContextManager[Any] = jupyter(place)
    return server
