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
from jupyter_deploy.domain.logs import LogsRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.results import Exported

from .change import find, moment
from .monitoring.alarmed import ranges_of_alarms

_NOTEBOOK = ".ipynb"
_FORMATS = (".csv", ".parquet", _NOTEBOOK)


def logs(request: LogsRequest, ports: Ports, report: Report) -> Exported | Iterable[Record]:
    """Return records, oldest first; with ``follow`` an iterator that continues with new ones.

    With ``export`` they are written into a file instead.
    """
    endpoint = find(ports, request.name)
    if request.export:
        return _export(request, endpoint, Path(request.export).expanduser(), ports)
    past: list[Record] = []
    if request.follow and request.until:
        raise InvalidInput("--follow goes on without end", "leave out --until or --follow")
    wanted = _filter(request, endpoint, ports)
    new = RecordFilter(role=wanted.role, status=wanted.status, request_ids=wanted.request_ids)
    if request.follow and wanted.model_copy(update={"since": None}) != new:
        raise InvalidInput(
            "--follow takes no --release, --text, --where, --differs and --alarmed",
            "choose new records by --role, --status and --request-id",
        )
    if not request.follow or request.since or request.limit:
        past = ports.log.records(endpoint.name, wanted, limit=request.limit)
    if not request.follow:
        return past
    return itertools.chain(past, ports.log.follow(endpoint.name, new))


def _filter(request: LogsRequest, endpoint: Endpoint, ports: Ports) -> RecordFilter:
    return RecordFilter(
        since=moment(request.since),
        until=moment(request.until),
        role=request.role,
        status=request.status,
        request_ids=request.request_id,
        release=endpoint.release(request.release).tag if request.release else None,
        text=request.text,
        where=request.where,
        differs=request.differs,
        ranges=ranges_of_alarms(endpoint, ports) if request.alarmed else None,
    )


def _export(request: LogsRequest, endpoint: Endpoint, path: Path, ports: Ports) -> Exported:
    if path.suffix not in _FORMATS:
        raise InvalidInput(f"{path.name} has an unknown format", f"end its name with {', '.join(_FORMATS)}")
    if request.follow or request.limit or request.request_id:
        raise InvalidInput(
            "an export takes no --follow, --limit and --request-id",
            "choose records by --since, --until, --role, --status, --release, --text, --where, --differs and --alarmed",
        )
    if path.suffix == _NOTEBOOK:
        rows = 0
        _write_notebook(path, endpoint.name, request)
    else:
        wanted = _filter(request, endpoint, ports)
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


_INTRODUCTION = """# Recorded requests of {name}
One row for each instance, with the answer. `since` says from when, such as `"7d"`."""

_FILTERS = ("role", "status", "release", "text", "where", "differs", "alarmed")


def _source(path: Path, name: str, request: LogsRequest) -> str:
    """Return the cell that opens the records: with ground truth, or those of filters by way of a file."""
    ranged = {"since": request.since, "until": request.until}
    given: dict[str, Any] = {side: _moment_in_words(when) for side, when in ranged.items() if when}
    filters = {field: getattr(request, field) for field in _FILTERS if getattr(request, field)}
    words = "".join(f", {field}={value!r}" for field, value in (given | filters).items())
    if not filters:
        return f"from jupyter_deploy import recorded\n\nframe = recorded({name!r}{words})\nframe"
    file = path.with_suffix(".parquet").name
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            "import pandas",
            "from jupyter_deploy import logs",
            "",
            f"file = Path({file!r})",
            "file.unlink(missing_ok=True)",
            f"logs({name!r}{words}, export=str(file))",
            "frame = pandas.read_parquet(file)",
            "frame",
        ]
    )


def _write_notebook(path: Path, name: str, request: LogsRequest) -> None:
    cells = [("markdown", _INTRODUCTION.format(name=name)), ("code", _source(path, name, request))]
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
