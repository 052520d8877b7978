"""A real Prometheus and Alertmanager with the files of ``init --monitoring``, and a webhook that gets the alerts."""

import http.server
import json
import subprocess
import threading
import time

import httpx

from jupyter_deploy.validation.scaffold.monitoring_drafts import DASHBOARD
from tests.conftest import free_port


def until(condition, seconds=90):
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError("the condition does not hold")


def queries():
    """Each query of each panel of the dashboard, with its panel's title."""
    rows = json.loads(DASHBOARD.read_text())["panels"]
    panels = [panel for row in rows for panel in (row.get("panels") or [row])]
    return [(panel["title"], one["expr"]) for panel in panels for one in panel.get("targets") or ()]


class Serving:
    """An HTTP server in a thread."""

    def __init__(self, handler, address=("127.0.0.1", 0), server=http.server.ThreadingHTTPServer):
        self.server = server(address, handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Monitoring:
    """Prometheus and Alertmanager on the files of a folder, with quick intervals; ``received``: the alerts."""

    def __init__(self, files):
        self._files = files
        self.received = []
        self._hook = Serving(self._handler())
        alerts, port = free_port(), free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._edit("prometheus.yml", {"15s": "1s", "127.0.0.1:9093": f"127.0.0.1:{alerts}"})
        self._edit(
            "alertmanager.yml",
            {
                '# webhook_configs: [{url: "https://hooks.example.org/…"}]': (
                    f'webhook_configs: [{{url: "http://127.0.0.1:{self._hook.server.server_address[1]}/"}}]'
                ),
                "group_wait: 30s": "group_wait: 0s",
                "group_interval: 5m": "group_interval: 1s",
            },
        )
        self._processes = [
            self._process(
                "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts",
                f"--web.listen-address=127.0.0.1:{alerts}", "--cluster.listen-address=",
            ),
            self._process(
                "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=series",
                f"--web.listen-address=127.0.0.1:{port}",
            ),
        ]  # fmt: skip

    def _handler(self):
        received = self.received

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                received.extend(json.loads(self.rfile.read(int(self.headers["content-length"])))["alerts"])
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Hook

    def _edit(self, name, changes):
        text = (self._files / name).read_text()
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        (self._files / name).write_text(text)

    def _process(self, *command):
        with (self._files / f"{command[0]}.log").open("w") as log:
            return subprocess.Popen(command, cwd=self._files, stdout=log, stderr=log)

    def query(self, expression):
        """The results of an instant query, with the dashboard's variables set; empty until Prometheus answers."""
        expression = expression.replace("$endpoint", ".*").replace("$__rate_interval", "10s")
        try:
            answer = httpx.get(f"{self._url}/api/v1/query", params={"query": expression}, trust_env=False)
        except httpx.TransportError:
            return []
        if answer.status_code == 503:
            return []
        document = answer.json()
        assert document["status"] == "success", document
        return document["data"]["result"]

    def heard(self, alert, status):
        """The first alert of a name and a status that the webhook got; None: there is none yet."""
        named = [one for one in self.received if one["labels"]["alertname"] == alert]
        return next((one for one in named if one["status"] == status), None)

    def close(self):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)
        self._hook.close()
