"""Notifications reach a webhook, a command and a mail server; failures are logged without secrets, not raised."""

import json
import re
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from aiosmtpd.controller import Controller

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.jobs import Problem
from jupyter_deploy.faces.server.jobs.job_runner import JobRunner
from jupyter_deploy.settings import OF_THE_USER, load_settings
from jupyter_deploy.system import notifications
from jupyter_deploy.system.notifications import Destinations, UserNotifier
from tests.conftest import free_port

EVENT = {
    "specversion": "1.0",
    "id": "churn-7-advanced",
    "source": "/nbdeploy/endpoints/churn",
    "type": "nbdeploy.ramp.advanced",
    "time": "2026-12-01T12:00:00+00:00",
    "data": {"endpoint": "churn", "percent": 5, "reason": "all conditions are met"},
}
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


@pytest.fixture
def notifier(tmp_path):
    """Make a notifier of a home with the given destinations."""
    return lambda notify=None, **more: UserNotifier(tmp_path / "home", Destinations(notify, **more))


def test_a_webhook_gets_a_cloud_event_as_json(webhook, notifier, capsys):
    url, received, _ = webhook
    notifier(url).send(EVENT)
    assert received == [("application/cloudevents+json; charset=utf-8", EVENT)]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([500, 200], (2, "")),
        ([429, 503, 500, 200], (3, "status 500")),
        ([404], (1, "status 404")),
        ([302], (1, "status 302")),
    ],
)
def test_a_webhook_is_tried_three_times_at_most_and_its_secret_is_not_logged(
    webhook, notifier, capsys, answers, outcome
):
    url, received, statuses = webhook
    attempts, said = outcome
    statuses += answers
    notifier(url).send(EVENT)
    log = capsys.readouterr().out
    assert len(received) == attempts
    assert said in log
    assert SECRET not in log
    assert ("the webhook at 127.0.0.1" in log) == bool(said)


def test_a_webhook_that_nobody_serves_is_logged(monkeypatch, notifier, capsys):
    monkeypatch.setattr(notifications, "_PAUSES", (0.0, 0.0))
    notifier(f"http://127.0.0.1:1/{SECRET}").send(EVENT)
    assert capsys.readouterr().out == (
        "the notification nbdeploy.ramp.advanced did not reach the webhook at 127.0.0.1: ConnectError\n"
    )


def test_a_command_reads_the_event_and_no_shell_runs_it(tmp_path, notifier):
    folder = tmp_path / "written"
    folder.mkdir()
    written = folder / "a file; touch never"
    notifier(f"tee '{written}'").send(EVENT)
    assert json.loads(written.read_text()) == EVENT
    assert [path.name for path in folder.iterdir()] == [written.name]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"false {SECRET}", "the command false: it ended with 1"),
        (f"/nowhere/program {SECRET}", "the command /nowhere/program: No such file or directory"),
        (f"sleep 60 {SECRET}", "the command sleep: it took longer than"),
    ],
)
def test_a_command_that_fails_is_logged_without_its_arguments(monkeypatch, notifier, capsys, command, said):
    monkeypatch.setattr(notifications, "_COMMAND_SECONDS", 0.2 if "sleep" in command else 60.0)
    notifier(command if "sleep" not in command else "sleep 60").send(EVENT)
    log = capsys.readouterr().out
    assert said in log
    assert SECRET not in log


def test_without_a_setting_nothing_is_sent(tmp_path, notifier, capsys):
    notifier().send(EVENT)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "home").exists()


def test_an_event_is_sent_once_whoever_sends_it(webhook, notifier):
    url, received, _ = webhook
    notifier(url).send(EVENT)
    notifier(url).send(EVENT)
    notifier(url).send(EVENT | {"id": "churn-8-advanced"})
    assert [event["id"] for _, event in received] == ["churn-7-advanced", "churn-8-advanced"]


def around_now(hours):
    """Quiet hours that contain the present moment, or begin later."""
    begin = datetime.now().astimezone() + timedelta(hours=hours)
    return f"{begin:%H:%M}-{begin + timedelta(hours=2):%H:%M}"


def test_quiet_hours_hold_an_event_until_they_are_over(webhook, notifier, tmp_path):
    url, received, _ = webhook
    notifier(url, notify_quiet=around_now(-1)).send(EVENT)
    notifier(url, notify_quiet=around_now(-1)).send_held()
    assert received == []
    state = tmp_path / "home" / "notifications" / "state.json"
    assert (state.stat().st_mode & 0o777, state.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for _ in range(2):
        notifier(url, notify_quiet=around_now(3)).send_held()
    assert [event for _, event in received] == [EVENT]


def test_what_was_not_delivered_is_sent_again_to_the_destinations_that_failed(webhook, notifier, monkeypatch, tmp_path):
    url, received, statuses = webhook
    with mail_server() as (port, mails):
        server = {"notify_email": "ada@example.org", "notify_smtp": f"smtp://127.0.0.1:{port}"}
        statuses += [404]
        notifier(url, **server).send(EVENT)
        assert (len(received), len(mails)) == (1, 1)
        home = tmp_path / "home"
        monkeypatch.setenv("NBDEPLOY_NOTIFY", url)
        assert not notifications.due(home)  # a minute has not passed
        monkeypatch.setattr(notifications, "_AGAIN_SECONDS", 0.0)
        assert notifications.due(home)
        notifier(url, **server).send_held()
        assert not notifications.due(home)
        assert (len(received), len(mails)) == (2, 1)


@contextmanager
def mail_server():
    """Run a real mail server on a free port; yields the port and the messages that it gets."""
    mails = []

    async def keep(_handler, _server, _session, envelope):
        mails.append(envelope)
        return "250 OK"

    port, handler = free_port(), type("Handler", (), {"handle_DATA": keep})()
    controller = Controller(handler, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    yield port, mails
    controller.stop()


def test_an_email_has_words_for_people_and_the_event(notifier, capsys):
    with mail_server() as (port, mails):
        sender = notifier(notify_email="ada@example.org", notify_smtp=f"smtp://127.0.0.1:{port}")
        sender.send(EVENT | {"data": EVENT["data"] | {"endpoint": "churn\r\nBcc: eve@example.org"}})
        sender.send(EVENT)
    (mail,) = mails
    message = message_from_bytes(mail.content, policy=default)
    assert mail.rcpt_tos == ["ada@example.org"]
    assert message["subject"] == "nbdeploy: ramp advanced (churn Bcc: eve@example.org)"
    assert message["bcc"] is None
    text, event = message.iter_parts()
    assert "reason: all conditions are met" in text.get_content()
    assert json.loads(event.get_content())["id"] == EVENT["id"]
    assert capsys.readouterr().out == ""


def test_a_password_is_sent_to_no_server_without_encryption_and_is_not_logged(notifier, capsys):
    with mail_server() as (port, mails):
        notifier(notify_email="ada@example.org", notify_smtp=f"smtp://ada:{SECRET}@127.0.0.1:{port}").send(EVENT)
    log = capsys.readouterr().out
    assert mails == []
    assert "the mail server 127.0.0.1: it offers no encryption" in log
    assert SECRET not in log


def test_a_failed_job_is_notified_of_once(webhook, tmp_path, monkeypatch):
    url, received, _ = webhook
    monkeypatch.setenv("NBDEPLOY_NOTIFY", url)
    home = tmp_path / "home"
    runner, other = JobRunner(home), JobRunner(home)
    monkeypatch.setattr(JobRunner, "_ensure_spare", lambda _: None)
    good, bad = (
        runner.jobs.create("deploy", {"parameter": [f"token={SECRET}"]}, title=title, endpoint="churn", state="waiting")
        for title in ("deploy a", "deploy b")
    )
    for one in (runner, other):
        one.tick()
    problem = Problem(code="start_failed", title="It did not start", status=500, detail="no memory", remedy="add some")
    runner.jobs.end(good.id, "done")
    runner.jobs.end(bad.id, "failed", problem=problem)
    for one in (runner, other):
        one.tick()
        for thread in threading.enumerate():
            if thread.name == "nbdeploy-notify":
                thread.join()
    ((_, event),) = received
    assert (event["type"], event["subject"]) == ("nbdeploy.job.failed", "churn")
    assert event["data"]["title"] == "deploy b"
    assert event["data"]["reason"] == "no memory"
    assert SECRET not in json.dumps(event)


def test_the_setting_comes_from_the_environment_and_is_refused_in_a_folders_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBDEPLOY_NOTIFY", "notify-send ramp")
    assert load_settings().notify == "notify-send ramp"
    for name in OF_THE_USER:
        (tmp_path / "nbdeploy.yaml").write_text(f"{name}: touch /tmp/run-as-you\n")
        for folder in (None, tmp_path):
            with pytest.raises(InvalidInput) as refused:
                load_settings(folder)
            assert f"{name} is not read from nbdeploy.yaml" in str(refused.value)
            assert f"set NBDEPLOY_{name.upper()}" in str(refused.value)


@pytest.mark.parametrize("wrong", ["ftp://host/x", "https:///path", "https://host:0/", "'unclosed", "http://[::1"])
def test_a_destination_that_is_neither_url_nor_command_is_refused_without_repeating_it(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBDEPLOY_NOTIFY", wrong)
    with pytest.raises(InvalidInput) as refused:
        load_settings()
    assert "notif" in str(refused.value)
    assert wrong not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("EMAIL", "nobody"),
        ("EMAIL", "ada@example.org, eve@example.org"),
        ("SMTP", "mail.example.org"),
        ("SMTP", "http://ada:T0KEN@mail.example.org"),
        ("QUIET", "22-7"),
        ("QUIET", "25:00-07:00"),
        ("QUIET", "07:00-07:00"),
    ],
)
def test_a_wrong_setting_is_named_without_secrets(tmp_path, monkeypatch, name, wrong):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"NBDEPLOY_NOTIFY_{name}", wrong)
    with pytest.raises(InvalidInput) as refused:
        load_settings()
    assert f"notify_{name.lower()}" in str(refused.value)
    assert re.search("write (one|two|smtp)", str(refused.value))
    assert "T0KEN" not in str(refused.value)
