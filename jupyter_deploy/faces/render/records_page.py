"""The pages of records, of their removal, and of one answer of an endpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jupyter_deploy.domain.base import percent_in_words, size_in_words
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.results import Exported, Prediction, Purged

from .page import Page, Table, short


def records_page(results: Record | Sequence[Record] | Exported) -> Page:
    """Make the page of records, or of one record of a stream, as text one line for each; or of a file with them."""
    if isinstance(results, Exported):
        content = "it reads them when it runs" if results.file.endswith(".ipynb") else f"{results.rows:,} rows"
        facts = [("file", results.file), ("content", content), ("size", size_in_words(results.bytes))]
        return Page(f"The records of {results.endpoint} are exported", facts=facts)
    if isinstance(results, Record):
        line = _record_line(results)
        return Page(line, plain=line)
    rows = [
        (
            f"{r.ts:%Y-%m-%d %H:%M:%S}",
            r.role,
            r.release,
            str(r.status),
            f"{r.latency_ms:.2f}",
            r.request_id,
            short(r.outputs if r.error is None else f"{r.error.type}: {r.error.message}"),
        )
        for r in results
    ]
    head = ("when (UTC)", "role", "release", "status", "ms", "request", "answer")
    facts = _left_out(results)
    plain = "\n".join([*map(_record_line, results), *(f"({name}: {value})" for name, value in facts)])
    return Page(f"{len(results)} records", facts=facts, tables=[Table("", head, rows)], plain=plain)


def _record_line(record: Record) -> str:
    said = short(f"{record.error.type}: {record.error.message}" if record.error else record.outputs, limit=120)
    when = f"{record.ts:%Y-%m-%d %H:%M:%S}"
    answered = f"{record.status} {record.latency_ms:8.2f} ms"
    return f"{when} {record.role:7} {record.release} {answered} {record.request_id} {said}"


def _left_out(results: Sequence[Record]) -> list[tuple[str, str]]:
    """List the omissions of these records: sampling and redaction."""
    facts = []
    shares = sorted({record.sample for record in results if record.sample < 1})
    if shares:
        facts.append(("sample", f"recorded of {' or '.join(map(percent_in_words, shares))} of the requests"))
    if redacted := sorted({name for record in results for name in record.redacted}):
        facts.append(("redacted", ", ".join(redacted)))
    return facts


def prediction_page(result: Prediction) -> Page:
    facts = [("release", result.release or "none"), ("request", result.request_id or "none")]
    if result.status >= 500:
        logs = f"nbdeploy logs {result.endpoint} --status {result.status}"
        facts.append(("why", f"'{logs}' shows it, where messages are recorded"))
    if result.status == 401:
        facts.append(("why", "its gateway requires a token; in a cluster the setting token_file names it"))
    body = result.body if isinstance(result.body, str) else json.dumps(result.body, ensure_ascii=False)
    return Page(f"{result.endpoint} answered {result.status}", facts=facts, code=body)


def purged_page(result: Purged) -> Page:
    did = "would go; without --dry-run they do" if result.dry_run else "are gone for good"
    facts = [
        ("records", str(result.records)),
        ("feedback on them", str(result.feedback)),
        ("lines of the gateway's ledger", str(result.ledger_lines)),
        ("unreadable lines", str(result.unreadable)),
    ]
    return Page(f"{result.records} records of {result.endpoint} {did}", facts=facts)
