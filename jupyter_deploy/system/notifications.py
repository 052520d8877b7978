"""Sends notifications to the user's webhook or command, and by e-mail.

Nothing of a failure is raised, and no secret is logged.

Each event is sent once, by its ``source`` and ``id``. In the quiet hours it is held; what could not be delivered is
tried again for a day. The archivist, which runs as long as releases do, sends the held ones.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.monitoring.destination import (
    Destination,
    parse_address,
    parse_destination,
    parse_mail_server,
)
from jupyter_deploy.domain.monitoring.quiet_hours import parse_quiet_hours

from .home import private_folder, write_atomic

FOLDER = "notifications"

_PREFIX = "NBDEPLOY_"
_PAUSES = (1.0, 3.0)
"""Seconds before the second and the third attempt at a webhook."""

_WEBHOOK_SECONDS = 5.0
_COMMAND_SECONDS = 10.0
_MAIL_SECONDS = 10.0
_TOO_MANY_REQUESTS = 429
_AGAIN_SECONDS = 60.0
_PASS_SECONDS = 30.0
"""For the held events of one pass: the archivist has other work."""

_HELD_FOR = timedelta(days=1)
_MOST_KNOWN = 2_000
_MOST_HELD = 200


@dataclass(frozen=True)
class Destinations:
    """The settings of notifications, as texts; None: there is none."""

    notify: str | None = None
    notify_email: str | None = None
    notify_smtp: str | None = None
    notify_quiet: str | None = None

    @classmethod
    def of_environment(cls) -> Destinations:
        """The settings of a program that the supervisor runs; they were checked when it was started."""
        names = ("notify", "notify_email", "notify_smtp", "notify_quiet")
        return cls(*(os.environ.get(f"{_PREFIX}{name.upper()}") or None for name in names))

    def variables(self) -> dict[str, str]:
        """The settings as variables of a program."""
        return {f"{_PREFIX}{name.upper()}": value for name, value in vars(self).items() if value}

    def is_quiet(self, moment: datetime) -> bool:
        """Whether a moment, in local time, lies in the quiet hours."""
        return self.notify_quiet is not None and parse_quiet_hours(self.notify_quiet).contains(moment)


def notifier(home: Path) -> UserNotifier:
    """The notifier of a program that the supervisor runs."""
    return UserNotifier(home, Destinations.of_environment())


def due(home: Path) -> bool:
    """Whether notifications are held that can be sent now, by the environment's settings."""
    try:
        changed = _file(home).stat().st_mtime
    except OSError:
        return False
    destinations = Destinations.of_environment()
    if not (destinations.notify or destinations.notify_email) or destinations.is_quiet(_local_time()):
        return False
    if time.time() - changed < _AGAIN_SECONDS:
        return False
    return bool(_load(home)["held"])


class UserNotifier:
    """``domain.ports.Notifier``.

    Parameters
    ----------
    home
        The folder of all state, in which sent and held events are noted.
    """

    def __init__(self, home: Path, destinations: Destinations) -> None:
        self._home = home
        self._destinations = destinations
        self._channels: dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {}
        if destinations.notify:
            where = parse_destination(destinations.notify)
            self._channels["notify"] = (where.name, lambda event: _delivered(where, json.dumps(event)))
        if destinations.notify_email:
            address, server = parse_address(destinations.notify_email), destinations.notify_smtp or "smtp://localhost"
            host = parse_mail_server(server).host
            self._channels["email"] = (f"the mail server {host}", lambda event: _mailed(event, address, server))

    def send(self, event: Mapping[str, Any]) -> None:
        """Send an event that was not sent before, or hold it in the quiet hours."""
        if not self._channels:
            return
        quiet = self._destinations.is_quiet(_local_time())
        key = f"{event['source']} {event['id']}"
        if key in _load(self._home)["sent"]:
            return
        with self._state() as state:
            if key in state["sent"]:
                return
            state["sent"] = [*state["sent"], key][-_MOST_KNOWN:]
            if quiet:
                _hold(state, event, list(self._channels))
        if quiet:
            return
        failed = self._deliver(event, list(self._channels))
        if failed:
            with self._state() as state:
                _hold(state, event, failed)

    def send_held(self) -> None:
        """Send the held events, unless these are the quiet hours; those that fail stay for a day."""
        if not self._channels or self._destinations.is_quiet(_local_time()):
            return
        until = time.monotonic() + _PASS_SECONDS
        for one in _load(self._home)["held"]:
            if time.monotonic() > until:
                return
            failed = self._deliver(one["event"], [name for name in one["to"] if name in self._channels])
            young = datetime.now(UTC) - datetime.fromisoformat(one["since"]) < _HELD_FOR
            with self._state() as state:  # at once, since a kill must not send it twice
                left = [{**one, "to": failed}] if failed and young else []  # last, so that it blocks no other
                state["held"] = [*(each for each in state["held"] if each != one), *left]

    def _deliver(self, event: Mapping[str, Any], channels: Sequence[str]) -> list[str]:
        """Deliver an event, and return the channels that failed."""
        failed = []
        for channel in channels:
            name, deliver = self._channels[channel]
            if failure := deliver(event):
                _say(f"the notification {event['type']} did not reach {name}: {failure}")
                failed.append(channel)
        return failed

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        """Yield the noted events under a lock, and write them; if that fails, the event is sent all the same."""
        try:
            private_folder(self._home / FOLDER)
            descriptor = os.open(self._home / FOLDER / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _say(f"sent notifications cannot be noted: {error.strerror}")
            yield _load(self._home)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            state = _load(self._home)
            yield state
            try:
                write_atomic(_file(self._home), json.dumps(state))
            except OSError as error:
                _say(f"sent notifications cannot be noted: {error.strerror}")
        finally:
            os.close(descriptor)


def _hold(state: dict[str, Any], event: Mapping[str, Any], channels: Sequence[str]) -> None:
    held = {"event": dict(event), "to": list(channels), "since": datetime.now(UTC).isoformat()}
    state["held"] = [*state["held"], held][-_MOST_HELD:]


def _file(home: Path) -> Path:
    return home / FOLDER / "state.json"


def _load(home: Path) -> dict[str, Any]:
    try:
        state = json.loads(_file(home).read_bytes())
    except (OSError, ValueError):
        state = {}
    return {"sent": [], "held": []} | (state if isinstance(state, dict) else {})


def _local_time() -> datetime:
    return datetime.now().astimezone()


def _delivered(destination: Destination, body: str) -> str:
    """Return the reason of a failure; empty: the webhook or the command accepted the event."""
    return _post(destination, body) if destination.url else _run(destination, body)


def _post(destination: Destination, body: str) -> str:
    """Return the reason of a failure without the URL; empty: it was accepted."""
    import httpx  # the archivist, which asks what is due, needs none

    failure = ""
    for pause in (0.0, *_PAUSES):
        time.sleep(pause)
        try:
            answer = httpx.post(
                str(destination.url),
                content=body,
                headers={"content-type": "application/cloudevents+json; charset=utf-8"},
                timeout=_WEBHOOK_SECONDS,
                trust_env=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = type(error).__name__
            continue
        if answer.is_success:
            return ""
        failure = f"status {answer.status_code}"
        if not (answer.is_server_error or answer.status_code == _TOO_MANY_REQUESTS):
            break
    return failure


def _run(destination: Destination, body: str) -> str:
    """Return the reason of a failure; empty: the command ended with 0."""
    try:
        ended = subprocess.run(
            destination.command,
            input=body,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {_COMMAND_SECONDS:g} s"
    except OSError as error:
        return str(error.strerror)
    return f"it ended with {ended.returncode}" if ended.returncode else ""


def _mailed(event: Mapping[str, Any], address: str, server: str) -> str:
    """Return the reason of a failure without credentials; empty: the mail server accepted the event."""
    from .mail import send_mail

    return send_mail(event, address, parse_mail_server(server), _MAIL_SECONDS)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
