"""``/invocations``, the protocol of MLflow and SageMaker."""

from __future__ import annotations

import json
from typing import Any

from ..asgi import body
from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..dispatch.parsed_request import ParsedRequest
from ..dispatch.predictions import Predictions
from ..values.decoding import Decoder
from .columnar import Columnar
from .csv_tables import columns_in
from .media_types import TABLES
from .plain import is_json, unknown_type
from .protocol import as_predictions
from .request import Request
from .tables import Rows, invalid_form

KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")

CSV = "text/csv"


class Invocations:
    """JSON with one of MLflow's four keys, CSV, Arrow and Parquet."""

    def __init__(self, decoder: Decoder, columnar: Columnar, rows: Rows) -> None:
        self._decoder = decoder
        self._columnar = columnar
        self._rows = rows

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        if is_json(request):
            return self._decoder.instances(self._from_json(body.parse(content)))
        if request.media_type == CSV:
            return self._from_csv(content, request)
        if request.media_type in TABLES:
            return self._columnar.parse(content, request)
        raise unknown_type(request, "JSON ('content-type: application/json'), CSV ('text/csv'), Arrow or Parquet")

    def answer(self, parsed: ParsedRequest, native: Any, predictions: Predictions, request: Request) -> Response:
        return self._columnar.answer(native, predictions, request) or as_predictions(predictions)

    def problem(self, problem: Problem, request_id: str) -> Response:
        return problem.response(request_id)

    def _from_json(self, document: Any) -> list[Any]:
        known = " or ".join(f"'{key}'" for key in KEYS)
        keys = [key for key in KEYS if key in document] if isinstance(document, dict) else []
        if len(keys) != 1:
            raise invalid_form([], f"must be an object with exactly one of the keys {known}")
        for key in document:
            if key != keys[0] and not (key == "params" and not document[key]):
                reason = "this model takes none" if key == "params" else f"the known keys are {known}"
                raise invalid_form([key[:80]], f"unknown key '{key[:80]}': {reason}")
        value = document[keys[0]]
        match keys[0]:
            case "dataframe_split":
                return self._split(value)
            case "dataframe_records":
                return self._records(value)
            case "inputs":
                return self._inputs(value)
            case _:
                return _a_list(value, ["instances"])

    def _split(self, value: Any) -> list[Any]:
        place: list[str | int] = ["dataframe_split"]
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise invalid_form(place, 'must be an object such as {"columns": ["a", "b"], "data": [[1, 2]]}')
        if unknown := sorted(value.keys() - {"columns", "data", "index"}):
            raise invalid_form([*place, unknown[0][:80]], "unknown key; the known keys are columns, index and data")
        data = value["data"]
        columns = value.get("columns")
        if columns is None and not self._rows.by_name:
            columns = list(range(len(data[0]))) if data and isinstance(data[0], list) else []
        if not isinstance(columns, list):
            raise invalid_form([*place, "columns"], "missing: a list with the columns' names")
        for number, row in enumerate(data):
            if not isinstance(row, list) or len(row) != len(columns):
                raise invalid_form(
                    [*place, "data", number], f"must be a list with {len(columns)} values, one for each column"
                )
        return self._rows.instances([_name(column) for column in columns], data)

    def _records(self, value: Any) -> list[Any]:
        records = _a_list(value, ["dataframe_records"])
        if self._rows.by_name:
            return records
        for number, record in enumerate(records):
            if not isinstance(record, dict):
                raise invalid_form(["dataframe_records", number], "must be an object by column name")
            if list(record) != list(records[0]):
                raise invalid_form(
                    ["dataframe_records", number], "must have the columns of the first record, in its order"
                )
        return self._rows.instances(list(records[0]) if records else ["0"], [list(r.values()) for r in records])

    def _inputs(self, value: Any) -> list[Any]:
        if not isinstance(value, dict):
            return value if isinstance(value, list) else [value]
        if not self._rows.by_name and len(value) == 1:  # a single tensor, whatever its name
            return _a_list(next(iter(value.values())), ["inputs", *value])
        columns = [_a_list(items, ["inputs", name]) for name, items in value.items()]
        for name, items in zip(value, columns, strict=True):
            if len(items) != len(columns[0]):
                raise invalid_form(["inputs", name], f"must have {len(columns[0])} values, as the first column has")
        return self._rows.instances(list(value), list(zip(*columns, strict=True)))

    def _from_csv(self, content: bytes, request: Request) -> ParsedRequest:
        charset = request.media_parameter("charset") or "utf-8"
        if charset not in ("utf-8", "utf8", "us-ascii"):
            raise Problem(415, f"send the CSV in UTF-8, not in {charset[:40]!r}")
        # The parameter is RFC 4180's; without it the first line has the names, as MLflow's clients send it.
        names, columns = columns_in(
            content,
            header=request.media_parameter("header") != "absent",
            names=self._rows.names,
            schema_of=self._rows.schema_of,
            limit=request.limit,
        )
        return self._columnar.of_columns(names, columns)


def _a_list(value: Any, loc: list[str | int]) -> list[Any]:
    if not isinstance(value, list):
        raise invalid_form(loc, "must be a list")
    return value


def _name(column: Any) -> str:
    return column if isinstance(column, str) else json.dumps(column)
