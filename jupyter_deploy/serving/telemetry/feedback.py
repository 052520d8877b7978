"""POST /feedback: what was really so of rows that were predicted, written down before it is acknowledged.

It stands in segments of its own, beside those of the records; who reads them joins the two by request and row.
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
"""So many faults of one request are named; with more, the first of them."""

MAX_ROW = 2**31 - 1

KEYS = ("request_id", "row", "actual")

NOT_RECORDED = (
    "this endpoint keeps no data of its requests (it records '{}'): there is nothing to compare with what was really "
    "so, and that is not kept either"
)


class Feedback:
    """Takes what was really so, and writes it to ``folder``.

    Parameters
    ----------
    folder
        The endpoint's, the same for all its releases.
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
        """``{"accepted": n}`` when all of it is written; None when the client left before it was complete.

        Raises
        ------
        Problem
            400, 413, 415, 422: nothing of the request was taken, and why. 409: the endpoint keeps no data. 503: it
            could not be written, or not all of it; sent again it counts once all the same.
        """
        if context.record.kept != "full":
            raise Problem(409, NOT_RECORDED.format(context.record.kept))
        body.require_json_type(context)
        try:
            content = await body.read(context, receive, self._limit)
        except body.ClientGone:
            return None
        # In a thread: the event loop has to answer others while a long list is read and written. And shielded: what is
        # begun is finished.
        work = asyncio.get_running_loop().run_in_executor(None, self._store, context, content)
        count = await asyncio.shield(work)
        return Response(200, json.dumps({"accepted": count}).encode("ascii"))

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()

    def _store(self, context: RequestContext, content: bytes) -> int:
        items = actuals_in(body.parse(content))
        lines = [self._line(context, number, item) for number, item in enumerate(items)]
        text = b"".join(lines)
        if lines and self._writer.append(text) < len(text):
            metrics.feedback().labels("lost").inc(len(lines))
            detail = (
                "it cannot be written down now (is the disk full?); send all of it again: what comes twice counts once"
            )
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
    """The items of ``{"feedback": [...]}``, or the one that the document is.

    Raises
    ------
    Problem
        422: something is missing, unknown or of another kind; each fault with its place.
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
            {"loc": [key], "msg": f"unknown key '{key}' beside 'feedback'"} for key in document if key != "feedback"
        ]
        for number, item in enumerate(items):
            if len(errors) >= MAX_ERRORS:
                break
            errors += faults(item, ["feedback", number])
    if errors:
        raise _unfit(errors[:MAX_ERRORS])
    return items


def faults(item: Any, place: Sequence[str | int]) -> list[dict[str, Any]]:
    """What is wrong with one item that stands at ``place``: ``{loc, msg}`` each."""
    if not isinstance(item, dict):
        return [{"loc": [*place], "msg": "must be an object with request_id, row (default 0) and actual"}]
    errors = [(key, f"unknown key '{key[:80]}'; understood are {', '.join(KEYS)}") for key in item if key not in KEYS]
    request_id, row = item.get("request_id"), item.get("row", 0)
    if "request_id" not in item:
        errors.append(("request_id", "missing: the x-request-id of the answer"))
    elif not isinstance(request_id, str) or not VALID_ID.fullmatch(request_id):
        errors.append(("request_id", "must be a text as the header x-request-id had it"))
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row <= MAX_ROW:
        errors.append(("row", "must be a whole number from 0: the place of the instance in its request"))
    if "actual" not in item:
        errors.append(("actual", "missing: what was really so (null takes back what was said before)"))
    return [{"loc": [*place, key], "msg": words} for key, words in errors]


def _unfit(errors: list[dict[str, Any]]) -> Problem:
    place = ".".join(str(part) for part in errors[0]["loc"])
    message = f"{place}: {errors[0]['msg']}" if place else errors[0]["msg"]
    return Problem(422, f"the feedback does not have the expected form: {message}", errors)
