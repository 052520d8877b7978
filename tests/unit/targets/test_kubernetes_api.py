"""Requests to an API that hangs, as without its etcd: they end, and the next ones do not wait again."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from jupyter_deploy.targets.kubernetes import api as module
from jupyter_deploy.targets.kubernetes.api import Api, Unanswered
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings


@pytest.fixture
def settings_of(tmp_path):
    """The settings of a cluster whose API listens on a port of this machine."""

    def made(port):
        cluster = {"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        document = {
            "current-context": "test",
            "clusters": [cluster],
            "users": [{"name": "test", "user": {}}],
            "contexts": [context],
        }
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(document))
        return ClusterSettings(kubeconfig=kubeconfig)

    return made


@pytest.fixture
def silent(settings_of):
    """A socket that takes requests and answers none, and the settings that name it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, settings_of(listener.getsockname()[1])


def taken(listener):
    """How many connections were made until now."""
    listener.setblocking(False)
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_an_api_that_hangs_is_asked_once(silent, monkeypatch):
    listener, settings = silent
    monkeypatch.setattr(module, "_READ_SECONDS", 0.2)
    api = Api(settings)
    for _ in range(3):
        with pytest.raises(Unanswered, match="does not answer"):
            api.get("ConfigMap", "nbdeploy-endpoint-churn")
    assert taken(listener) == 1

    # Later it is asked again.
    monkeypatch.setattr(module, "_SILENT_SECONDS", 0)
    api = Api(settings)
    for _ in range(2):
        with pytest.raises(Unanswered):
            api.get("ConfigMap", "nbdeploy-endpoint-churn")
    assert taken(listener) == 2


@pytest.mark.parametrize(
    ("body", "log"),
    [
        ("ready\nunable to retrieve container logs for x\n", "ready\nunable to retrieve container logs for x\n"),
        ("unable to retrieve container logs for containerd://55d3", ""),
        ('failed to try resolving symlinks in path "/var/log/pods/a/release/0.log": no such file', ""),
    ],
)
def test_what_a_node_says_about_a_log_that_is_gone_is_no_log(settings_of, body, log):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert Api(settings_of(server.server_port)).logs("a", "release", most=1000) == log
        server.shutdown()
