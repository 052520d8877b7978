"""An endpoint's records: a page of the list, and one with all answers to its request."""

from __future__ import annotations

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.evidence.record_pages import RecordFilter, RecordSummary
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.verbs.change import find, moment
from jupyter_deploy.verbs.monitoring.alarmed import ranges_of_alarms

from .comparison import unreadable
from .record_documents import Answered, RecordRow, RecordsView, RecordView
from .requests import RecordRequest, RecordsRequest
from .texts import pretty

CUT = 64 * 1024
_SUMMARY = 120


def records(request: RecordsRequest, ports: Ports) -> RecordsView:
    """A page, newest first."""
    endpoint = find(ports, request.name)
    record_filter = RecordFilter(
        since=moment(request.since),
        until=moment(request.until),
        role=request.role,
        status=request.status,
        release=endpoint.release(request.release).tag if request.release else None,
        text=request.text,
        where=request.where,
        differs=request.differs,
        ranges=ranges_of_alarms(endpoint, ports) if request.alarmed else None,
    )
    found = ports.log.page(
        endpoint.name, record_filter, before=request.before, limit=request.limit, order=request.order
    )
    notes = [unreadable(found.unreadable)] if found.unreadable else []
    if found.unordered:
        notes.append(f"{found.unordered:,} older requests with different answers are not in this order")
    if gone := ports.record_counts.removed(endpoint.name):
        notes.append(f"{gone} records were purged or removed by retention")
    return RecordsView(
        records=tuple(_row(head) for head in found.heads),
        total=found.total,
        next=found.next,
        notes=(*_recorded(endpoint), *notes),
    )


def record(request: RecordRequest, ports: Ports) -> RecordView:
    """One record, and what every release answered to its request."""
    endpoint = find(ports, request.name)
    found = ports.log.pair(endpoint.name, request.key)
    one = found.record
    text, cut = ("", False) if one.inputs is None else pretty(one.inputs, CUT)
    return RecordView(
        request_id=one.request_id,
        pair_id=one.pair_id or "",
        ts=one.ts,
        rows=one.rows or 0,
        input=text,
        cut=cut,
        answers=tuple(_answered(each) for each in found.answers),
        cell="" if one.inputs is None or one.redacted else _cell(one),
        note=_unrecorded(one) if one.inputs is None else _redacted(one),
    )


def _row(head: RecordSummary) -> RecordRow:
    return RecordRow(
        key=head.key,
        request_id=head.request_id,
        pair_id=head.pair_id,
        ts=head.ts,
        release=head.release,
        role=head.role,
        status=head.status,
        latency_ms=head.latency_ms,
        rows=head.rows,
        summary=_summary(head),
        difference=head.difference,
        answer="" if head.error or head.bare else _shortened(head.output, _SUMMARY),
    )


def _summary(head: RecordSummary) -> str:
    if head.error:
        return _shortened(head.error, 2 * _SUMMARY)
    if head.bare:
        return "input and output are not recorded"
    return _shortened(head.input, _SUMMARY)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _recorded(endpoint: Endpoint) -> list[str]:
    sample = endpoint.record_sample
    shares = [] if sample == 1 else [f"{percent_in_words(sample)} of the requests are recorded now (record_sample)"]
    again = f"'nbdeploy traffic {endpoint.name} --record full' records them from then on"
    if endpoint.record == "meta":
        return [f"input, output and messages of errors are not recorded now (record: meta); {again}", *shares]
    return [f"nothing is recorded now (record: off); {again}"] if endpoint.record == "off" else shares


def _answered(one: Record) -> Answered:
    text, cut = ("", False) if one.outputs is None else pretty(one.outputs, CUT)
    error = "" if one.error is None else ": ".join(filter(None, (one.error.type, one.error.message)))
    return Answered(
        release=one.release,
        role=one.role,
        status=one.status,
        latency_ms=one.latency_ms,
        output=text,
        error=_shortened(error, CUT),
        cut=cut or len(error) > CUT,
        ts=one.ts,
    )


def _unrecorded(one: Record) -> str:
    if one.status == 200:
        return "Input and output were not recorded (record: meta)."
    if one.redacted:
        return f"The input is not on record: {', '.join(one.redacted)} is redacted, and a refused request may hold it."
    return "The input is not on record: the request held no instances, or only its outcome was recorded (record: meta)."


def _redacted(one: Record) -> str:
    return f"Without the values of {', '.join(one.redacted)}, which are redacted." if one.redacted else ""


def _cell(one: Record) -> str:
    """Python that finds this very record again; what it holds is not in it, and cannot run."""
    name, when = one.endpoint, f"{one.ts:%Y-%m-%d %H:%M:%S} UTC"
    fits = one.status == 200 or one.status >= 500
    got = f", as the model of {one.release} got it" if fits else f"; {one.release} refused it with {one.status}"
    return "\n".join(
        [
            f"# What {name} was asked on {when}{got}",
            f"from jupyter_deploy import logs{', model_input' if fits else ''}",
            "",
            "record = next(",
            "    one",
            f"    for one in logs({name!r}, request_id=[{one.request_id!a}])",
            f"    if (one.release, str(one.ts)) == ({one.release!r}, {str(one.ts)!r})",
            ")",
            "X = model_input(record)" if fits else "X = record.inputs",
            "X",
        ]
    )
