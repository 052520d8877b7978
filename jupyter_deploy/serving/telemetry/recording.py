"""What is kept of a request: how much, of which share of the requests, and without which columns.

The gateway says it with each request, for the release that it goes to:
``x-rollout-record: full;sample=0.1;redact=ssn``.
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

KEPT = ("full", "meta", "off")

STDOUT = "stdout"
"""In place of the folder of records: they are written to standard output, among what else is said there."""

# What is wrong with one column's value: there the words hold the value of no other column.
_OF_A_COLUMN = re.compile(r"(?:the instances do not fit the model: )?instances\.\d+\.")

# Of an answered request each value stands under its column's name, and under no misspelled one. One that failed was
# validated as a rule: unless it failed in that.
OK, FAILED = 200, 500


class Recording(NamedTuple):
    """What is kept of one request.

    Attributes
    ----------
    kept
        ``full``; ``meta`` leaves out what may hold data: inputs, outputs and an error's message; ``off``: nothing.
    sample
        The share of the requests of which anything is kept.
    redact
        Columns whose values are not kept.
    """

    kept: str = "full"
    sample: float = 1.0
    redact: tuple[str, ...] = ()

    @property
    def keeps_messages(self) -> bool:
        """Whether an exception's words may be kept: they can hold any value of the request."""
        return self.kept == "full" and not self.redact

    @property
    def header(self) -> str:
        """As the gateway says it."""
        sample = "" if self.sample == 1 else f";sample={self.sample!r}"
        redact = f";redact={','.join(quote(name, safe='') for name in self.redact)}" if self.redact else ""
        return f"{self.kept}{sample}{redact}"

    def keeps(self, pair_id: str | None, request_id: str) -> bool:
        """Whether a request is recorded at all; its id decides, and so it is the same for stable and its shadows."""
        return self.kept != "off" and (self.sample >= 1 or place_of(pair_id or request_id) < self.sample)


EVERYTHING = Recording()


@lru_cache(maxsize=256)
def recording(header: str | None) -> Recording:
    """What a request's header says; without one everything is kept.

    What is not understood is a newer gateway's wish: then rather too little is kept than too much.
    """
    if header is None:
        return EVERYTHING
    kept, *parameters = header.split(";")
    given = dict(parameter.partition("=")[::2] for parameter in parameters)
    try:
        sample = float(given.pop("sample", "1"))
        redact = tuple(unquote(name, errors="strict") for name in given.pop("redact", "").split(",") if name)
    except ValueError:
        return Recording("meta")
    if kept not in KEPT or given or not 0 < sample <= 1:
        return Recording("meta")
    return Recording(kept, sample, redact)


def place_of(request: str) -> float:
    """A request's place in [0, 1), from its id: below ``sample`` it is recorded.

    52 bits of a SHA-256, which any program can make again and a float holds exactly (``PLACE_SQL`` in
    ``records/ledger.py`` does).
    """
    return int(hashlib.sha256(request.encode()).hexdigest()[:13], 16) / 2**52


def drop_columns(values: Any, names: Iterable[str]) -> Any:
    """Rows without some columns; what is no row, such as a label, stays as it is."""
    if isinstance(values, Raw):
        values = json.loads(values)
    if isinstance(values, list):
        return [_drop(row, names) for row in values]
    return values


def _drop(row: Any, names: Iterable[str]) -> Any:
    return {name: value for name, value in row.items() if name not in names} if isinstance(row, dict) else row


def redact_inputs(inputs: Any, names: Collection[str], status: int, columns: Collection[str]) -> Any:
    """A request's instances without some columns; nothing of a request that may have their values elsewhere.

    ``columns``: all that an instance can have; of a request that failed no others are kept.
    """
    if status == OK:
        return drop_columns(inputs, names)
    if status != FAILED or inputs is None:
        return None
    rows = json.loads(inputs) if isinstance(inputs, Raw) else inputs
    kept = {name for name in columns if name not in names}
    return [_only(row, kept) for row in rows] if isinstance(rows, list) else None


def _only(row: Any, names: Collection[str]) -> Any:
    return {name: value for name, value in row.items() if name in names} if isinstance(row, dict) else None


def redact_error(error: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    """An error without its message, unless that is of the value of another column."""
    message = error["message"]
    kept = error["type"] == "InvalidInstances" and _OF_A_COLUMN.match(message)
    return error if kept and not any(name in message for name in names) else {**error, "message": ""}
