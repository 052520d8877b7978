"""The panel in a page with a webview's content policy: no eval, no inline script, no other host.

The page stands in for the renderer of VS Code; it is not VS Code. Its messages go over HTTP in place of a comm.
"""

import contextlib
import http.server
import json
import queue
import threading
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from jupyter_deploy.faces.panel.backend import Backend
from jupyter_deploy.faces.panel.widget import STATIC, Panel
from jupyter_deploy.settings import Settings
from jupyter_deploy.wiring import Wiring
from tests.e2e.conftest import Load, until

pytestmark = pytest.mark.timeout(300)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
PAGE = """<!doctype html><title>webview</title><link rel="stylesheet" href="panel.css">
<body class="vscode-dark"><div id="host"></div><script type="module" src="host.js"></script>"""
HOST = """
import panel from './panel.js';
const callbacks = {};
const emit = (event, content) => (callbacks[event] ?? []).forEach(callback => callback(content));
const {traits} = await (await fetch('traits')).json();
const model = {
    get: name => traits[name],
    on: (event, callback) => { (callbacks[event] ??= new Set()).add(callback); },
    off: (event, callback) => callbacks[event]?.delete(callback),
    send: content => fetch('send', {method: 'POST', body: JSON.stringify(content)}),
};
panel.render({model, el: document.getElementById('host')});
for (;;) {
    for (const {custom, trait, value} of await (await fetch('receive')).json()) {
        if (custom) emit('msg:custom', custom);
        else { traits[trait] = value; emit(`change:${trait}`); }
    }
}
"""


class Comm:
    """What the kernel sends to its front ends, in order."""

    def __init__(self, panel):
        self.panel, self._sent = panel, queue.Queue()
        panel.widget.send = lambda content: self._sent.put({"custom": content})
        panel.widget.observe(
            lambda change: self._sent.put({"trait": change["name"], "value": change["new"]}), ["view", "problem"]
        )
        panel.widget._view_count = 1

    def receive(self):
        """All that came since the last call; within a second nothing: an empty list."""
        found = []
        try:
            found.append(self._sent.get(timeout=1))
            while True:
                found.append(self._sent.get_nowait())
        except queue.Empty:
            return found


def serve(comm):
    """A server of the page, on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            widget = comm.panel.widget
            name = self.path.strip("/")
            if name in ("panel.js", "panel.css"):
                self.respond((STATIC / name).read_bytes(), "text/javascript" if name.endswith("js") else "text/css")
            elif name == "host.js":
                self.respond(HOST.encode(), "text/javascript")
            elif name == "traits":
                traits = {name: getattr(widget, name) for name in ("name", "view", "problem")}
                self.respond(json.dumps({"traits": traits}).encode(), "application/json")
            elif name == "receive":
                self.respond(json.dumps(comm.receive()).encode(), "application/json")
            else:
                self.respond(PAGE.encode(), "text/html")

        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            comm.panel._receive(None, message, [])
            self.respond(b"{}", "application/json")

        def respond(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the page was closed
                self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def webview(churn_home, browser, monkeypatch):
    """A page with the panel of ``churn``; its breaches of the policy are in ``breaches``."""
    for name, value in churn_home.environment.items():
        monkeypatch.setenv(name, value)
    wiring = Wiring(Settings())
    home = wiring.settings.home.expanduser().absolute()
    panel = Panel("churn", wiring.ports, Backend(home, wiring.ports, SimpleNamespace(start=lambda job: None)))
    server = serve(Comm(panel))
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    breaches, requested = [], []
    page.on("console", lambda said: breaches.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("pageerror", lambda error: breaches.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield SimpleNamespace(page=page, panel=panel, breaches=breaches, requested=requested)
    page.close()
    panel.close()
    server.shutdown()


def test_the_panel_draws_and_answers_within_a_webviews_policy(webview):
    page = webview.page
    region = page.get_by_role("region", name="Endpoint churn")
    expect(region.get_by_role("article").first).to_be_visible()
    with Load(webview.panel.widget.view["url"].removesuffix("/predict"), clients=1) as load:
        load.wait_for(30)
    region.get_by_role("tab", name="Compare").click()
    chart = region.locator(".nbd-Chart img").first
    expect(chart).to_be_visible(timeout=120_000)
    assert chart.evaluate("image => image.naturalWidth") > 0
    region.get_by_role("tab", name="Records").click()
    region.get_by_role("listbox", name="Records").get_by_role("option").first.click()
    expect(region.get_by_role("heading", name="Output").first).to_be_visible()
    region.get_by_role("tab", name="Releases").click()
    region.get_by_role("button", name="Promote churn").first.click()
    expect(region.get_by_role("heading", name="Preview: Promote")).to_be_visible()
    page.keyboard.press("Escape")
    background = page.evaluate("getComputedStyle(document.querySelector('.nbd-Panel')).backgroundColor")
    assert background == "rgb(30, 30, 30)", "the theme of the webview, without JupyterLab's variables"
    until(lambda: webview.panel.widget.view["cards"][0]["counts"]["requests"] >= 30)
    assert webview.breaches == []
    assert {url.split("/")[2] for url in webview.requested if not url.startswith("data:")} == {page.url.split("/")[2]}
