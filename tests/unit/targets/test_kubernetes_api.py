"""Requests to an API: one that hangs, as without its etcd, versions of kinds, and applies."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from jupyter_deploy.domain.errors import Conflict, TargetError
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


@pytest.fixture
def serving(settings_of):
    """An API that answers by path: a status and a document; what it was asked."""
    with contextlib.ExitStack() as stack:

        def started(answers, port=0):
            asked = []

            class Handler(BaseHTTPRequestHandler):
                def answer(self):
                    asked.append((self.command, self.path))
                    self.rfile.read(int(self.headers.get("content-length") or 0))
                    status, document = answers.get(self.path.partition("?")[0], (404, {}))
                    body = json.dumps(document).encode()
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                do_GET = do_PATCH = answer  # noqa: N815 - the library's names

                def log_message(self, *_):
                    pass

            server = stack.enter_context(HTTPServer(("127.0.0.1", port), Handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return Api(settings_of(server.server_port)), asked

        yield started


def group(*kinds):
    return 200, {"kind": "APIResourceList", "resources": [{"kind": kind, "name": f"{kind.lower()}s"} for kind in kinds]}


@pytest.mark.parametrize(
    ("served", "version"),
    [
        ({"/apis/policy/v1": group("PodDisruptionBudget"), "/apis/policy/v1beta1": group("PodDisruptionBudget")}, "v1"),
        ({"/apis/policy/v1beta1": group("PodSecurityPolicy", "PodDisruptionBudget")}, "v1beta1"),
        ({"/apis/policy/v1": group("Eviction"), "/apis/policy/v1beta1": group("PodDisruptionBudget")}, "v1beta1"),
        ({"/apis/policy/v1": (403, {}), "/apis/policy/v1beta1": group("PodDisruptionBudget")}, "v1beta1"),
        ({"/apis/policy/v1": group("Eviction")}, ""),
        ({}, ""),
    ],
)
def test_the_newest_version_that_the_server_has_of_a_kind_is_chosen_and_asked_for_once(serving, served, version):
    api, asked = serving(served)
    chosen = f"policy/{version}" if version else ""
    assert [api.version_of("PodDisruptionBudget") for _ in range(3)] == [chosen] * 3
    assert api.serves("PodDisruptionBudget") == bool(version)
    assert len(asked) == len(set(asked)) <= 2
    assert api.version_of("ConfigMap") == "v1"


def test_a_server_that_fails_to_say_what_it_has_is_an_error_and_no_missing_kind(serving):
    api, _ = serving({"/apis/policy/v1": (500, {"message": "etcd is slow"})})
    with pytest.raises(TargetError, match="etcd is slow"):
        api.version_of("PodDisruptionBudget")


def test_an_apply_is_never_forced_and_a_field_of_somebody_else_is_a_conflict(serving):
    path = "/api/v1/namespaces/nbdeploy/configmaps/churn"
    refused = {"reason": "Conflict", "message": 'conflict with "kubectl" using v1: .data.revision'}
    api, asked = serving({path: (409, refused)})
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "churn"}}
    for dry_run in (False, True):
        with pytest.raises(Conflict, match="kubectl"):
            api.apply(document, dry_run=dry_run)
    assert asked == [
        ("PATCH", f"{path}?fieldManager=nbdeploy"),
        ("PATCH", f"{path}?fieldManager=nbdeploy&dryRun=All"),
    ]


def test_an_api_that_has_just_come_back_does_not_know_rights_yet(serving, settings_of, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    api = Api(settings_of(port))
    with pytest.raises(Unanswered, match="does not answer"):
        api.get("Deployment", "churn")
    serving({"/apis/policy/v1": (403, {}), "/apis/apps/v1/namespaces/nbdeploy/deployments/churn": (403, {})}, port)
    with pytest.raises(Unanswered, match="has just come back"):
        api.get("Deployment", "churn")
    with pytest.raises(Unanswered, match="has just come back"):
        api.version_of("PodDisruptionBudget")
    monkeypatch.setattr(module, "_RIGHTS_SECONDS", 0)
    with pytest.raises(TargetError, match="this user may not read Deployment churn"):
        api.get("Deployment", "churn")
    assert not api.version_of("PodDisruptionBudget")
