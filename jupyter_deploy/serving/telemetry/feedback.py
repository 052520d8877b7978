"""POST /feedback: ground truth of predicted rows, written before it is acknowledged.

Feedback has segments of its own, next to those of the records; readers join the two by request and row.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any

from ..asgi import body
from ..asgi.messages import VALID_ID, Receive, RequestContext, Response
from ..asgi.problems import Problem
from . import metrics
from .recording import drop_columns
from .records import SEGMENT_BYTES, SegmentWriter, timestamp

MAX_ERRORS = 20
"""Limit of the faults that are reported for a request."""

MAX_ROW = 2**31 - 1

KEYS = ("request_id", "row", "actual")

NOT_RECORDED = (
    "this endpoint keeps no data of its requests (its recording mode is '{}'), to which ground truth could be joined: "
    "deploy with the recording mode 'full'"
)


class Feedback:
    """Accepts ground truth and writes it to ``folder``.

    Parameters
    ----------
    folder
        The endpoint's folder, shared by all its releases.
    limit
        The longest request in bytes.
    """

    def __init__(
        self, folder: str | os.PathLike[str], endpoint: str, limit: int, *, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._endpoint = endpoint
        self._limit = limit
        self._writer = SegmentWriter(folder, segment_bytes=segment_bytes)

    async def answer(self, context: RequestContext, receive: Receive) -> Response | None:
        """Return ``{"accepted": n}`` after all items are written; None if the client disconnected early.

        Raises
        ------
        Problem
            400, 413, 415, 422: nothing of the request was accepted. 409: the endpoint keeps no data. 503: not
            everything could be written; items that are sent again count once.
        """
        if context.record.kept != "full":
            raise Problem(409, NOT_RECORDED.format(context.record.kept))
        body.require_json_type(context)
        try:
            content = await body.read(context, receive, self._limit)
        except body.ClientGone:
            return None
        # In a thread, since the event loop must answer others while a long list is parsed and written; shielded, since
        # a started write must complete.
        work = asyncio.get_running_loop().run_in_executor(None, self._store, context, content)
        count = await asyncio.shield(work)
        return Response(200, json.dumps({"accepted": count}).encode("ascii"))

    def close(self) -> None:
        """Sync and close the segment."""
        self._writer.close()

    def _store(self, context: RequestContext, content: bytes) -> int:
        items = actuals_in(body.parse(content))
        lines = [self._line(context, number, item) for number, item in enumerate(items)]
        text = b"".join(lines)
        if lines and self._writer.append(text) < len(text):
            metrics.feedback().labels("lost").inc(len(lines))
            detail = "the feedback cannot be written now (is the disk full?); send all of it again: repeats count once"
            raise Problem(503, detail, headers=[(b"retry-after", b"10")])
        metrics.feedback().labels("accepted").inc(len(lines))
        return len(lines)

    def _line(self, context: RequestContext, number: int, item: dict[str, Any]) -> bytes:
        line = {
            "ts": timestamp(context.ts_ns),
            "item": number,
            "endpoint": self._endpoint,
            "request_id": item["request_id"],
            "row": item.get("row", 0),
            "actual": drop_columns([item["actual"]], context.record.redact)[0],
        }
        try:
            return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"
        except RecursionError as error:
            raise Problem(400, "the JSON is nested too deeply") from error


def actuals_in(document: Any) -> list[dict[str, Any]]:
    """Return the items of ``{"feedback": [...]}``, or the document itself as a single item.

    Raises
    ------
    Problem
        422: a key is missing, unknown or of another type; ``errors`` has each fault with its location.
    """
    if not isinstance(document, dict):
        words = 'must be an object such as {"request_id": "…", "row": 0, "actual": …}, or {"feedback": [ … ]} of many'
        raise _unfit([{"loc": [], "msg": words}])
    if "feedback" not in document:
        errors = list(faults(document, []))
        items = [document]
    else:
        items = document["feedback"]
        if not isinstance(items, list):
            raise _unfit([{"loc": ["feedback"], "msg": "must be a list of objects"}])
        errors = [
            {"loc": [key], "msg": f"unknown key '{key}'; a document with 'feedback' has no other key"}
            for key in document
            if key != "feedback"
        ]
        for number, item in enumerate(items):
            if len(errors) >= MAX_ERRORS:
                break
            errors += faults(item, ["feedback", number])
    if errors:
        raise _unfit(errors[:MAX_ERRORS])
    return items


def faults(item: Any, place: Sequence[str | int]) -> list[dict[str, Any]]:
    """List the faults of one item at ``place``: ``{loc, msg}`` each."""
    if not isinstance(item, dict):
        return [{"loc": [*place], "msg": "must be an object with request_id, row (default 0) and actual"}]
    errors = [
        (key, f"unknown key '{key[:80]}'; the known keys are {', '.join(KEYS)}") for key in item if key not in KEYS
    ]
    request_id, row = item.get("request_id"), item.get("row", 0)
    if "request_id" not in item:
        errors.append(("request_id", "missing: the x-request-id of the answer"))
    elif not isinstance(request_id, str) or not VALID_ID.fullmatch(request_id):
        errors.append(("request_id", "must be a text: the value of the header x-request-id"))
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row <= MAX_ROW:
        errors.append(("row", "must be a whole number from 0: the position of the instance in its request"))
    if "actual" not in item:
        errors.append(("actual", "missing: the ground truth (null withdraws earlier feedback)"))
    return [{"loc": [*place, key], "msg": words} for key, words in errors]


def _unfit(errors: list[dict[str, Any]]) -> Problem:
    place = ".".join(str(part) for part in errors[0]["loc"])
    message = f"{place}: {errors[0]['msg']}" if place else errors[0]["msg"]
    return Problem(422, f"the feedback does not have the expected form: {message}", errors)
