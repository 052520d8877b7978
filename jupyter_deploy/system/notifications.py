"""Sends notifications to the user's webhook or command. Nothing of a failure is raised, and no secret is logged."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import httpx

from jupyter_deploy.domain.ramp.destination import Destination, parse_destination

_PAUSES = (1.0, 3.0)
"""Seconds before the second and the third attempt at a webhook."""

_WEBHOOK_SECONDS = 5.0
_COMMAND_SECONDS = 10.0
_TOO_MANY_REQUESTS = 429


class UserNotifier:
    """``domain.ports.Notifier``.

    Parameters
    ----------
    destination
        The setting ``notify``; None: nothing is sent.
    """

    def __init__(self, destination: str | None) -> None:
        self._destination = parse_destination(destination) if destination else None

    def send(self, event: Mapping[str, Any]) -> None:
        """POST the event as structured CloudEvents JSON, or give it to the command's standard input."""
        if self._destination is None:
            return
        body = json.dumps(event)
        failure = self._post(self._destination, body) if self._destination.url else self._run(self._destination, body)
        if failure:
            sys.stdout.write(f"the notification {event['type']} did not reach {self._destination.name}: {failure}\n")
            sys.stdout.flush()

    @staticmethod
    def _post(destination: Destination, body: str) -> str:
        """Return the reason of a failure without the URL; empty: it was accepted."""
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

    @staticmethod
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
