"""The verb ``logs``: the records of an endpoint."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.signature import types_of
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import LogsRequest
from jupyter_deploy.domain.results import Exported

from .change import find, moment

_NOTEBOOK = ".ipynb"
_FORMATS = (".csv", ".parquet", _NOTEBOOK)


def logs(request: LogsRequest, ports: Ports, report: Report) -> Exported | Iterable[Record]:
    """Return records, oldest first; with ``follow`` an iterator that continues with new ones.

    With ``export`` they are written into a file instead.
    """
    endpoint = find(ports, request.name)
    if request.export:
        return _export(request, endpoint, Path(request.export).expanduser(), ports)
    filters: dict[str, Any] = {"role": request.role, "status": request.status, "request_ids": request.request_id}
    past: list[Record] = []
    if request.follow and request.until:
        raise InvalidInput("--follow goes on without end", "leave out --until or --follow")
    if not request.follow or request.since or request.limit:
        since, until = moment(request.since), moment(request.until)
        past = ports.log.records(endpoint.name, since=since, until=until, limit=request.limit, **filters)
    if not request.follow:
        return past
    return itertools.chain(past, ports.log.follow(endpoint.name, **filters))


def _export(request: LogsRequest, endpoint: Endpoint, path: Path, ports: Ports) -> Exported:
    if path.suffix not in _FORMATS:
        raise InvalidInput(f"{path.name} has an unknown format", f"end its name with {', '.join(_FORMATS)}")
    if request.follow or request.limit or request.request_id:
        raise InvalidInput(
            "an export takes no --follow, --limit and --request-id",
            "choose records by --since, --until, --role and --status",
        )
    if path.suffix == _NOTEBOOK:
        rows = 0
        _write_notebook(path, endpoint.name, request)
    else:
        since, until = moment(request.since), moment(request.until)
        wanted = RecordFilter(since=since, until=until, role=request.role, status=request.status)
        columns, answer = _types(endpoint, ports)
        rows = ports.log.export(endpoint.name, wanted, path, columns=columns, answer=answer)
    return Exported(endpoint=endpoint.name, file=str(path), rows=rows, bytes=path.stat().st_size)


def _types(endpoint: Endpoint, ports: Ports) -> tuple[dict[str, str], str]:
    """Return the JSON type of each field of an instance, and of an answer, over all releases; several: none."""
    columns: dict[str, set[str]] = {}
    answers: set[str] = set()
    for release in endpoint.releases:
        snapshot = ports.store.remembered(release.tag)
        if snapshot is None:
            continue
        signature = snapshot.manifest.signature
        for name in signature.columns:
            columns.setdefault(name, set()).add(_type(signature.instance_schema["properties"][name]))
        answers.add(_type(signature.answer_schema))
    return {name: _single(kinds) for name, kinds in columns.items()}, _single(answers)


def _type(schema: Any) -> str:
    return _single(set(types_of(schema)) - {"null"})


def _single(kinds: set[str]) -> str:
    """Return the one type of several; a whole number is a number too."""
    known = kinds - {"integer"} if "number" in kinds else kinds
    return next(iter(known)) if len(known) == 1 else ""


def _moment_in_words(when: timedelta | datetime) -> str:
    return f"{when.total_seconds():.0f}s" if isinstance(when, timedelta) else when.isoformat()


def _write_notebook(path: Path, name: str, request: LogsRequest) -> None:
    given = {"since": request.since, "until": request.until}
    texts = {side: _moment_in_words(when) for side, when in given.items() if when}
    since = "".join(f", {side}={text!r}" for side, text in texts.items())
    cells = [
        ("markdown", f"# Recorded requests of {name}\nOne row for each instance, with the answer and, once known, the "
                     'actual value. `since` says from when, such as `"7d"`.'),
        ("code", f"from jupyter_deploy import recorded\n\nframe = recorded({name!r}{since})\nframe"),
    ]  # fmt: skip
    own: dict[str, dict[str, Any]] = {"code": {"outputs": [], "execution_count": None}, "markdown": {}}
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"id": f"cell-{number}", "cell_type": kind, "metadata": {}, "source": source, **own[kind]}
            for number, (kind, source) in enumerate(cells)
        ],
    }
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
    except FileExistsError as error:
        raise InvalidInput(f"{path} exists already", "name a file that does not exist") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", "name a file in a writable folder") from error
