"""The model under test in a validation notebook: served over HTTP, with the notebook's own types of values."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.faces.render.notebook_errors import errors_at_caller

LEAST_ROWS, MOST_REQUESTS = 5, 100
"""Fewest rows of a request, and most requests of a batch: enough to judge latencies, and few enough not to slow the
notebook down. The same rows are always sent in the same requests."""

MOST_BYTES = 16 * 1024 * 1024
"""Most bytes of a request; the server accepts twice as many (``Front``)."""

PATIENCE_SECONDS = 600.0
"""Time limit for an answer, including the server's start."""

_TAIL = 20
_MOST_ERRORS = 10


class ServedModel:
    """A snapshot that answers over HTTP, as a release does.

    Parameters
    ----------
    url
        Base of ``/predict`` and ``/metadata``. It may contain a secret, and is in no repr.
    tag
        The snapshot's tag.
    explain
        Raises the reason why the server no longer answers, if it is known.
    """

    def __init__(self, url: str, tag: str, explain: Callable[[], None] = lambda: None) -> None:
        self.url, self.tag = url, tag
        self._explain = explain
        self._local = threading.local()
        self._about: dict[str, Any] | None = None

    @errors_at_caller
    def predict(self, X: Any) -> Any:  # noqa: N803 - as everywhere
        """Predict like the notebook's model.

        Parameters
        ----------
        X
            For a model of tables: a frame, array, tensor or list of rows (or of texts). For a function: one call, as
            its argument, or as a dict or tuple of several arguments; or a list, Series, array or frame with one call
            in each item.

        Returns
        -------
        numpy.ndarray
            One answer for each row, of the model's own type; an irregular array is a list. If the model returns frames,
            a frame with the index of ``X``. For a function the answer of the call, or a list of the answers of
            several calls.

        Raises
        ------
        InvalidInput
            The model does not accept the input; the error names row and feature.
        TargetError
            The model raised, or its process ended; the error has the end of its output.
        """
        from .encode import decode_answers, encode_instances

        signature = self._metadata()["signature"]
        instances, one = encode_instances(X, signature)
        answers = self._predict(instances)
        return answers[0] if one else decode_answers(answers, signature, X)

    @errors_at_caller
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call like the notebook's model: a function with its own arguments, another model with a batch."""
        signature = self._metadata()["signature"]
        if signature["container"] != "call":
            return self.predict(*arguments, **named)
        from .encode import encode_call

        return self._predict([encode_call(arguments, named, signature)])[0]

    def __getattr__(self, name: str) -> Any:
        """Return ``predict`` for the name of the served method; there is no other method."""
        if name.startswith("_"):
            raise AttributeError(name)
        served = self._metadata()["method"] or "the call itself"
        if name == served:
            return self.predict
        raise AttributeError(
            f"{self.tag} has no '{name}' here: an endpoint serves one method, which is {served}; what a notebook asks "
            f"of it is .predict(…). For '{name}' deploy another endpoint with --method {name}"
        )

    def __repr__(self) -> str:
        """Return a short text without the address, which may contain a secret."""
        return f"<served model {self.tag}>"

    def _metadata(self) -> dict[str, Any]:
        if self._about is None:
            status, body = self._send("GET", "/metadata")
            if status != 200:
                raise TargetError(f"{self.tag} does not say what it is: {status} {body[:200].decode(errors='replace')}")
            self._about = json.loads(body)
        return self._about

    def _predict(self, instances: Sequence[Any]) -> list[Any]:
        """Send the instances in several requests, and return the answers."""
        size = max(LEAST_ROWS, -(-len(instances) // MOST_REQUESTS))
        return self._in_parts(instances, size) if len(instances) > size else self._request(instances, 0)

    def _in_parts(self, instances: Sequence[Any], size: int, first: int = 0) -> list[Any]:
        parts = [self._request(instances[at : at + size], first + at) for at in range(0, len(instances), size)]
        return [answer for part in parts for answer in part]

    def _request(self, instances: Sequence[Any], first: int) -> list[Any]:
        """Send one request; ``first`` is the position of its first instance in the batch."""
        body = json.dumps({"instances": instances}, separators=(",", ":"), allow_nan=False).encode()
        if len(body) > MOST_BYTES and len(instances) > 1:
            return self._in_parts(instances, max(1, len(instances) * MOST_BYTES // len(body) // 2), first)
        status, text = self._send("POST", "/predict", body)
        if status == 200:
            answers: list[Any] = json.loads(text)["predictions"]
            return answers
        raise self._refusal(status, text, first)

    def _refusal(self, status: int, text: bytes, first: int) -> Exception:
        try:
            problem = json.loads(text)
            detail, errors = str(problem["detail"]), list(problem["errors"])
        except (ValueError, KeyError, TypeError):
            detail, errors = text[:500].decode(errors="replace"), []
        if status < 500 and status != 429:
            lines = [_with_place(error, first) for error in errors[:_MOST_ERRORS]]
            reason = lines[0] if lines else detail
            return InvalidInput(
                f"{self.tag} does not take this: {reason}",
                "ask it what its notebook's model takes; 'nbdeploy describe' names its endpoint's columns"
                if status == 422
                else "",
                "\n".join(f"  {line}" for line in lines[1:]),
            )
        return TargetError(
            f"{self.tag} failed on this request ({status})" if status == 500 else f"{self.tag}: {status} {detail}",
            "what it wrote is above; would its notebook's model answer this?",
            self._log() if status == 500 else "",
        )

    def _log(self) -> str:
        """Return the end of the model's output, if its server has a log."""
        try:
            status, body = self._send("GET", "/../log")
        except TargetError:
            return ""
        return "\n".join(body.decode(errors="replace").strip().splitlines()[-_TAIL:]) if status == 200 else ""

    def _send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        below = parts.path.rstrip("/")
        target = f"{below.rpartition('/')[0]}/log" if path == "/../log" else below + path
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            connection, used = self._connection(parts.hostname or "", parts.port or 80)
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                if not used:
                    raise
                connection.close()  # the server closed the idle connection; http.client opens another
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError as error:
            self._forget()
            raise TargetError(
                f"{self.tag} has not answered within {PATIENCE_SECONDS:g} s", "ask for fewer rows at once"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self._forget()
            self._explain()
            raise TargetError(
                f"{self.tag} no longer answers ({type(error).__name__}): its process has ended or could not be started",
                "the validation says why; does the model end its process, or need more memory than there is?",
            ) from error
        except BaseException:
            self._forget()  # interrupted: part of an answer may still arrive
            raise

    def _connection(self, host: str, port: int) -> tuple[http.client.HTTPConnection, bool]:
        """Return the thread's open connection, and whether it was used before. A forked process has none yet."""
        pid, connection = getattr(self._local, "connection", (None, None))
        if connection is not None and pid == os.getpid():
            return connection, True
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
        self._local.connection = (os.getpid(), connection)
        return connection, False

    def _forget(self) -> None:
        _, connection = getattr(self._local, "connection", (None, None))
        if connection is not None:
            connection.close()
        self._local.connection = (None, None)


def _with_place(error: Mapping[str, Any], first: int) -> str:
    """Format an error with its place: ``row 3, 'age': must be a number``."""
    match error["loc"]:
        case ["instances", int(row), *rest]:
            where = [f"row {row + first}", *(f"'{name}'" if isinstance(name, str) else f"[{name}]" for name in rest)]
            return f"{', '.join(where)}: {error['msg']}"
        case _:
            return str(error["msg"])
