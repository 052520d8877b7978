"""The API of Kubernetes for the agent: lists that are kept up to date, and patches. One namespace, one account."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from .envoy import Json, say
from .pod import Pod

_ANSWER_SECONDS = 10.0
_WATCH_SECONDS = 240
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0

# A peer that is gone without a last message is noticed within half a minute.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class ApiError(Exception):
    """The API does not answer, or refuses; ``status`` is 0 if it does not answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{reason} ({status})" if status else reason)
        self.status = status


class Api:
    """Requests to the API with the pod's account, whose token may change at any time."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._kept: http.client.HTTPConnection | None = None

    def get(self, path: str) -> Json:
        """The document at a path."""
        return self._call("GET", path)

    def patch(self, path: str, document: Json, form: str) -> None:
        """Send a patch of the media type ``application/<form>``, on a connection that is kept; by one thread only."""
        while True:
            kept, self._kept = self._kept, None
            connection = kept or self._connection()
            try:
                self._send(connection, "PATCH", path, document, form).read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept is None:
                    raise ApiError(0, f"the API does not answer: {error}") from error
                continue  # the API had closed the former connection; a patch may be repeated
            except ApiError:
                connection.close()
                raise
            self._kept = connection
            return

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._call("DELETE", path)

    def watch(self, path: str, version: str, query: dict[str, str]) -> Iterator[Json]:
        """Yield the events after a version of a list, until the API ends it."""
        asked = {
            **query, "watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }  # fmt: skip
        connection = self._connection()
        try:
            response = self._send(connection, "GET", f"{path}?{urlencode(asked)}")
            if connection.sock is not None:
                connection.sock.settimeout(_WATCH_SECONDS + _ANSWER_SECONDS)
            while line := response.readline():
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(0, f"the watch of {path} broke: {error}") from error
        finally:
            connection.close()

    def _call(self, method: str, path: str) -> Json:
        connection = self._connection()
        try:
            answer: Json = json.loads(self._send(connection, method, path).read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(0, f"the API does not answer: {error}") from error
        finally:
            connection.close()
        return answer

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        document: Json | None = None,
        form: str = "",
    ) -> http.client.HTTPResponse:
        token = (self._pod.account / "token").read_text("ascii").strip()
        headers = {"authorization": f"Bearer {token}", "accept": "application/json", "user-agent": "nbdeploy-gateway"}
        if document is not None:
            headers["content-type"] = f"application/{form}"
        connection.request(method, path, None if document is None else json.dumps(document), headers)
        response = connection.getresponse()
        if not 200 <= response.status < 300:
            text = response.read(4096).decode(errors="replace")
            raise ApiError(response.status, f"{method} {path.partition('?')[0]}: {_message(text)}")
        return response

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._pod.api
        context = ssl.create_default_context(cafile=str(self._pod.account / "ca.crt"))
        connection = http.client.HTTPSConnection(host, port, timeout=_ANSWER_SECONDS, context=context)
        try:
            connection.connect()
        except OSError as error:
            raise ApiError(0, f"the API at {host}:{port} does not answer: {error}") from error
        for level, name, value in _KEEPALIVE:
            connection.sock.setsockopt(level, name, value)
        return connection


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text))
    except (ValueError, AttributeError):
        return text[:500]


class Watched:
    """The objects of a list, kept up to date by a thread; after an error it lists them anew.

    Parameters
    ----------
    path
        The list's path.
    selector
        The labels of the objects; empty: all.
    changed
        Called after each change.

    Attributes
    ----------
    synced
        Whether the list was read once.
    """

    def __init__(self, api: Api, path: str, selector: str, changed: Callable[[], None]) -> None:
        self._api, self._path, self._changed = api, path, changed
        self._query = {"labelSelector": selector} if selector else {}
        self._objects: dict[str, Json] = {}
        self._lock = threading.Lock()
        self.synced = False

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True).start()

    def objects(self) -> dict[str, Json]:
        """The objects by name."""
        with self._lock:
            return dict(self._objects)

    def _run(self) -> None:
        pause, noted = _SHORTEST_PAUSE, ""
        while True:
            began = time.monotonic()
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 - whatever the API sends, the next list is complete
                if time.monotonic() - began > 2 * _LONGEST_PAUSE:  # it was followed for a while
                    pause, noted = _SHORTEST_PAUSE, ""
                if str(error) != noted:
                    noted = str(error)
                    say(f"{self._path}: {noted}")
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _follow(self) -> None:
        """Read the list, then follow its changes until the API ends the watch for another reason than its age."""
        listed = self._api.get(f"{self._path}?{urlencode(self._query)}")
        version = str(listed["metadata"]["resourceVersion"])
        with self._lock:
            self._objects = {str(one["metadata"]["name"]): one for one in listed["items"] or ()}
            self.synced = True
        self._changed()
        while True:
            began = time.monotonic()
            for event in self._api.watch(self._path, version, self._query):
                if event["type"] == "ERROR":  # the version is too old
                    raise ApiError(int(event["object"].get("code", 0)), str(event["object"].get("message", "")))
                version = str(event["object"]["metadata"]["resourceVersion"])
                if event["type"] != "BOOKMARK":
                    self._take(event["type"], event["object"])
            time.sleep(max(0.0, _SHORTEST_PAUSE - (time.monotonic() - began)))

    def _take(self, kind: str, found: Any) -> None:
        name = str(found["metadata"]["name"])
        with self._lock:
            if kind == "DELETED":
                self._objects.pop(name, None)
            else:
                self._objects[name] = found
        self._changed()
