"""The recording mode of a request: how much is kept, the share of requests, and the redacted columns.

The gateway sends it with each request to a release: ``x-rollout-record: full;sample=0.1;redact=ssn``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from ..dispatch.parsed_request import Raw
from ..values.column_table import ColumnTable

KEPT = ("full", "meta", "off")

STDOUT = "stdout"
"""In place of the records' folder: records are written to standard output, among the log lines."""

# Errors of one column's value, whose messages hold no other column's value.
_OF_A_COLUMN = re.compile(r"(?:the instances do not fit the model: )?instances\.\d+\.")

# In an answered request each value is under its column's name and no misspelled one. A failed request was validated,
# unless it failed in the validation.
OK, FAILED = 200, 500


class Recording(NamedTuple):
    """The recording mode of a request.

    Attributes
    ----------
    kept
        ``full``; ``meta`` leaves out inputs, outputs and error messages, which may hold data; ``off``: no record.
    sample
        The share of requests that are recorded.
    redact
        Columns whose values are not kept.
    """

    kept: str = "full"
    sample: float = 1.0
    redact: tuple[str, ...] = ()

    @property
    def keeps_messages(self) -> bool:
        """Whether an exception's message may be kept: it can hold any value of the request."""
        return self.kept == "full" and not self.redact

    @property
    def header(self) -> str:
        """The mode as the gateway's header."""
        sample = "" if self.sample == 1 else f";sample={self.sample!r}"
        redact = f";redact={','.join(quote(name, safe='') for name in self.redact)}" if self.redact else ""
        return f"{self.kept}{sample}{redact}"

    def keeps(self, pair_id: str | None, request_id: str) -> bool:
        """Return whether a request is recorded. Its id decides, so stable and its shadows record the same requests."""
        return self.kept != "off" and (self.sample >= 1 or place_of(pair_id or request_id) < self.sample)


EVERYTHING = Recording()


@lru_cache(maxsize=256)
def recording(header: str | None) -> Recording:
    """Parse the header; without a header everything is kept.

    An unknown parameter comes from a newer gateway: the result is ``meta``, since keeping too little is safer.
    """
    if header is None:
        return EVERYTHING
    kept, *parameters = header.split(";")
    options = dict(parameter.partition("=")[::2] for parameter in parameters)
    try:
        sample = float(options.pop("sample", "1"))
        redact = tuple(unquote(name, errors="strict") for name in options.pop("redact", "").split(",") if name)
    except ValueError:
        return Recording("meta")
    if kept not in KEPT or options or not 0 < sample <= 1:
        return Recording("meta")
    return Recording(kept, sample, redact)


def place_of(request: str) -> float:
    """Return a request's position in [0, 1) from its id; a request below ``sample`` is recorded.

    The position is 52 bits of a SHA-256, which any program can compute and a float holds exactly (``PLACE_SQL`` in
    ``records/ledger.py`` does).
    """
    return int(hashlib.sha256(request.encode()).hexdigest()[:13], 16) / 2**52


def drop_columns(values: Any, names: Collection[str]) -> Any:
    """Return rows without some columns; a value that is not a row, such as a label, stays."""
    if isinstance(values, ColumnTable):
        return values.without(names)
    if isinstance(values, Raw):
        values = json.loads(values)
    if isinstance(values, list):
        return [_drop(row, names) for row in values]
    return values


def _drop(row: Any, names: Iterable[str]) -> Any:
    return {name: value for name, value in row.items() if name not in names} if isinstance(row, dict) else row


def redact_inputs(inputs: Any, names: Collection[str], status: int, columns: Collection[str]) -> Any:
    """Return a request's instances without redacted columns; None if their values may be elsewhere in the request.

    ``columns`` lists all columns of an instance; of a failed request only these are kept.
    """
    if status == OK:
        return drop_columns(inputs, names)
    if status != FAILED or inputs is None:
        return None
    kept = {name for name in columns if name not in names}
    if isinstance(inputs, ColumnTable):
        return inputs.only(kept)
    rows = json.loads(inputs) if isinstance(inputs, Raw) else inputs
    return [_only(row, kept) for row in rows] if isinstance(rows, list) else None


def _only(row: Any, names: Collection[str]) -> Any:
    return {name: value for name, value in row.items() if name in names} if isinstance(row, dict) else None


def redact_error(error: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return an error without its message, unless the message is about another column's value."""
    message = error["message"]
    kept = error["type"] == "InvalidInstances" and _OF_A_COLUMN.match(message)
    return error if kept and not any(name in message for name in names) else {**error, "message": ""}
