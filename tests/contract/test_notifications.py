"""Notifications reach a webhook or a command; a failure is logged without secrets and raises nothing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.settings import load_settings
from jupyter_deploy.system import notifications
from jupyter_deploy.system.notifications import UserNotifier

EVENT = {"specversion": "1.0", "type": "nbdeploy.ramp.advanced", "data": {"percent": 5}}
SECRET = "T0KEN-of-the-webhook"


@pytest.fixture
def webhook(monkeypatch):
    """A server that answers with the given statuses in turn; ``received``: headers and documents."""
    monkeypatch.setattr(notifications, "_PAUSES", (0.0, 0.0))
    received, statuses = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.headers["content-type"], json.loads(body)))
            self.send_response(statuses.pop(0) if statuses else 204)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/services/{SECRET}", received, statuses
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_a_cloud_event_as_json(webhook, capsys):
    url, received, _ = webhook
    UserNotifier(url).send(EVENT)
    assert received == [("application/cloudevents+json; charset=utf-8", EVENT)]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("answers", "attempts", "said"),
    [
        ([500, 200], 2, ""),
        ([429, 503, 500, 200], 3, "status 500"),
        ([404], 1, "status 404"),
        ([302], 1, "status 302"),
    ],
)
def test_a_webhook_is_tried_three_times_at_most_and_its_secret_is_not_logged(webhook, capsys, answers, attempts, said):
    url, received, statuses = webhook
    statuses += answers
    UserNotifier(url).send(EVENT)
    log = capsys.readouterr().out
    assert len(received) == attempts
    assert said in log
    assert SECRET not in log
    assert ("the webhook at 127.0.0.1" in log) == bool(said)


def test_a_webhook_that_nobody_serves_is_logged(monkeypatch, capsys):
    monkeypatch.setattr(notifications, "_PAUSES", (0.0, 0.0))
    UserNotifier(f"http://127.0.0.1:1/{SECRET}").send(EVENT)
    assert capsys.readouterr().out == (
        "the notification nbdeploy.ramp.advanced did not reach the webhook at 127.0.0.1: ConnectError\n"
    )


def test_a_command_reads_the_event_and_no_shell_runs_it(tmp_path):
    written = tmp_path / "a file; touch never"
    UserNotifier(f"tee '{written}'").send(EVENT)
    assert json.loads(written.read_text()) == EVENT
    assert [path.name for path in tmp_path.iterdir()] == [written.name]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"false {SECRET}", "the command false: it ended with 1"),
        (f"/nowhere/program {SECRET}", "the command /nowhere/program: No such file or directory"),
        (f"sleep 60 {SECRET}", "the command sleep: it took longer than"),
    ],
)
def test_a_command_that_fails_is_logged_without_its_arguments(monkeypatch, capsys, command, said):
    monkeypatch.setattr(notifications, "_COMMAND_SECONDS", 0.2 if "sleep" in command else 10.0)
    UserNotifier(command if "sleep" not in command else "sleep 60").send(EVENT)
    log = capsys.readouterr().out
    assert said in log
    assert SECRET not in log


def test_without_a_setting_nothing_is_sent(capsys):
    UserNotifier(None).send(EVENT)
    assert capsys.readouterr().out == ""


def test_the_setting_comes_from_the_environment_and_is_refused_in_a_folders_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBDEPLOY_NOTIFY", "notify-send ramp")
    assert load_settings().notify == "notify-send ramp"
    (tmp_path / "nbdeploy.yaml").write_text("notify: touch /tmp/run-as-you\n")
    for folder in (None, tmp_path):
        with pytest.raises(InvalidInput) as refused:
            load_settings(folder)
        assert "notify is not read from nbdeploy.yaml" in str(refused.value)
        assert "set NBDEPLOY_NOTIFY" in str(refused.value)


@pytest.mark.parametrize("wrong", ["ftp://host/x", "https:///path", "https://host:0/", "'unclosed", "http://[::1"])
def test_a_destination_that_is_neither_url_nor_command_is_refused_without_repeating_it(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBDEPLOY_NOTIFY", wrong)
    with pytest.raises(InvalidInput) as refused:
        load_settings()
    assert "notif" in str(refused.value)
    assert wrong not in str(refused.value)
