"""What is told of each kind of result: its facts and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jupyter_deploy.domain.base import percent_in_words, text_forms
from jupyter_deploy.domain.capture.difference import Difference
from jupyter_deploy.domain.capture.findings import finding_text
from jupyter_deploy.domain.capture.reproduction import Reproduction
from jupyter_deploy.domain.evidence.ground_truth import Feedback
from jupyter_deploy.domain.evidence.inference import Comparison, Record
from jupyter_deploy.domain.images.compose import Composed
from jupyter_deploy.domain.images.published import Collected, ImageList, Published, Verified
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.release.status import EndpointStatus, ReleaseStatus
from jupyter_deploy.domain.results import AtBoot, Deployment, Prediction, Purged, Reconciled, Stopped, TrafficChange
from jupyter_deploy.domain.validation.chart import validation_chart
from jupyter_deploy.domain.validation.scaffold import SetUp
from jupyter_deploy.domain.validation.validation import Validation

from .charts import MIME, Chart
from .charts.comparison import comparison_charts
from .comparison_page import comparison_page
from .compose_page import composed_page
from .deployment_page import deployment_page, elsewhere
from .difference_page import changed, difference_page
from .feedback_page import feedback_page
from .gates_page import gates_tables, validated_facts
from .images_page import collected_page, image_list_page, published_page, verified_page
from .page import Page, Table, as_html, as_text, by_severity, mark, short
from .results import Listing
from .setup_page import setup_page
from .validation_page import validation_page


def text(result: Any) -> str:
    """A result for a terminal."""
    if isinstance(result, Record):
        return _record_line(result)
    if isinstance(result, list) and result and isinstance(result[0], Record):
        facts = [f"({name}: {value})" for name, value in _left_out(result)]
        return "\n".join([*map(_record_line, result), *facts])
    return as_text(page(result))


def html(result: Any) -> str:
    """A result for a notebook's output."""
    return as_html(page(result))


def page(result: Any) -> Page:
    """The facts and tables of a result."""
    if isinstance(result, list):
        return _list_page(result)
    for kind, make in _PAGES:
        if isinstance(result, kind):
            return make(result)
    return Page(repr(result))


def register_formatters(shell: Any) -> None:
    """Results show as HTML, with a chart where there is one, in this shell's notebook."""
    formatters = shell.display_formatter.formatters
    for kind in (Listing, *(kind for kind, _ in _PAGES)):
        formatters["text/html"].for_type(kind, html)
        formatters["text/plain"].for_type(kind, lambda value, printer, cycle: printer.text(text(value)))  # noqa: ARG005
    for kind in _CHARTS:
        shell.display_formatter.ipython_display_formatter.for_type(kind, _display_charted)


def _display_charted(result: Any) -> None:
    """The table, and below it the chart: as one output, a front end would show only the richer of the two."""
    from IPython.display import display  # noqa: PLC0415 - only where IPython runs already

    for bundle in charted_bundles(result):
        display(bundle, raw=True)


def charted_bundles(result: Any) -> list[dict[str, Any]]:
    """The table and the charts that there are, each by MIME type."""
    table = {"text/html": html(result), "text/plain": text(result)}
    charts = _CHARTS[type(result)](result)
    return [table, *map(charted_bundle, charts)]


def charted_bundle(chart: Chart) -> dict[str, Any]:
    """One chart by MIME type."""
    return {MIME: chart, "text/plain": "[chart: open in JupyterLab to see it]"}


def _status(result: EndpointStatus) -> Page:
    return Page(
        f"{result.name}: {state_in_words(result)}, revision {result.revision}",
        facts=[("url", result.url), *elsewhere(result), ("records", _recorded(result)), *_asked(result)],
        tables=[
            Table(
                "",
                ("release", "role", "share", "health", "requests", "errors", "gates", "variable", "created (UTC)"),
                [
                    (
                        r.tag,
                        _role(r),
                        f"{r.percent:g} %",
                        r.detail or ("healthy" if r.healthy else "not healthy"),
                        str(r.counts.requests) if r.counts else "–",
                        str(r.counts.errors) if r.counts else "–",
                        r.validation.words if r.validation else "–",
                        r.source.variable or r.framework,
                        f"{r.created_at:%Y-%m-%d %H:%M}",
                    )
                    for r in result.releases
                ],
            ),
            *_redacted(result.releases),
            *_changes(result.releases),
            *_limits(result.releases),
            *_images(result.releases),
            *gates_tables(result.releases),
            *_findings(result),
        ],
    )


def _asked(result: EndpointStatus) -> list[tuple[str, str]]:
    return [("validated by", spec.words) for spec in result.validations]


def _changes(releases: list[ReleaseStatus]) -> list[Table]:
    """What each release has that its predecessor had not."""
    rows = [(r.tag, r.changes.predecessor, changed(r.changes), f"nbdeploy diff {r.tag}") for r in releases if r.changes]
    return [Table("", ("release", "since (stable when it came)", "what changed", "all of it"), rows)] if rows else []


def _redacted(releases: list[ReleaseStatus]) -> list[Table]:
    rows = [(r.tag, ", ".join(r.redact)) for r in releases if r.redact]
    return [Table("", ("release", "redacted: never written down"), rows)] if rows else []


def _images(releases: list[ReleaseStatus]) -> list[Table]:
    rows = [(r.tag, r.image) for r in releases if r.image]
    return [Table("", ("release", "runs from the image"), rows)] if rows else []


def _limits(releases: list[ReleaseStatus]) -> list[Table]:
    rows = [(r.tag, line) for r in releases for line in r.limits]
    return [Table("resources", ("release", "how they are enforced"), rows)] if rows else []


def _findings(result: EndpointStatus) -> list[Table]:
    rows = [(r.tag, mark(f).strip("[]"), finding_text(f)) for r in result.releases for f in by_severity(r.findings)]
    return [Table("what the checks found", ("release", "", ""), rows)] if rows else []


RECORDED = {
    "full": "full",
    "meta": "meta: no inputs, outputs and error messages",
    "off": "off: nothing is recorded",
}


def recorded_in_words(of: EndpointStatus | Endpoint) -> str:
    """What is recorded of an endpoint's requests, and of how many of them."""
    share = "" if of.record_sample == 1 else f"; of {percent_in_words(of.record_sample)} of the requests"
    return RECORDED[of.record] + share


def _recorded(status: EndpointStatus) -> str:
    gone = f"; {status.removed_records} were purged or cleared away" if status.removed_records else ""
    return recorded_in_words(status) + gone


def state_in_words(status: EndpointStatus) -> str:
    if not status.running:
        return "stopped"
    if not status.gateway and not any(release.healthy for release in status.releases):
        return "not running: 'nbdeploy reconcile' starts it"
    return "healthy" if status.healthy else "NOT HEALTHY: 'nbdeploy reconcile' starts what is down"


def _role(release: ReleaseStatus) -> str:
    return f"{release.role}, stochastic" if release.stochastic else release.role


def _traffic(result: TrafficChange) -> Page:
    rows = [
        (tag, result.before.get(tag, "no traffic"), result.after.get(tag, "no traffic"))
        for tag in dict.fromkeys([*result.after, *result.before])
    ]
    said = "unchanged" if result.change == "unchanged" else "the change is in force"
    headline = f"{result.endpoint} is at revision {result.revision}; {said}"
    facts = [("url", result.url), ("change", result.change), *validated_facts(result.validation)]
    facts += [("compared", result.compared)] if result.compared else []
    return Page(headline, facts=facts, tables=[Table("", ("release", "before", "now"), rows)])


def _prediction(result: Prediction) -> Page:
    facts = [("release", result.release or "none"), ("request", result.request_id or "none")]
    if result.status >= 500:
        logs = f"nbdeploy logs {result.endpoint} --status {result.status}"
        facts.append(("why", f"'{logs}' shows it, where messages are recorded"))
    body = result.body if isinstance(result.body, str) else json.dumps(result.body, ensure_ascii=False)
    return Page(f"{result.endpoint} answered {result.status}", facts=facts, code=body)


def _stopped(result: Stopped) -> Page:
    if result.scope == "endpoint":
        return Page(f"{result.endpoints[0]} is stopped; 'nbdeploy rollback {result.endpoints[0]}' brings it back")
    count = len(result.endpoints)
    return Page(f"everything is stopped ({count} endpoint{'s' * (count != 1)}); 'nbdeploy reconcile' brings it back")


def _at_boot(result: AtBoot) -> Page:
    if not result.on:
        return Page("endpoints no longer come back after a reboot", facts=[("removed", result.unit)])
    facts = [("unit", result.unit)]
    if result.todo:
        facts.append(
            ("missing", f"'{result.todo}': without it the unit runs when you log in, and ends when you log out")
        )
    return Page("endpoints come back after a reboot", facts=facts)


def _reproduction(result: Reproduction) -> Page:
    ran = "the notebook" if result.ran == "notebook" else "the executed cells, the notebook being gone"
    alike = "within the spread of a model that draws its answers" if result.stochastic else "alike"
    answered = f"{'all' if result.outcome == 'reproduced' else 'NOT all'} answered {alike}"
    facts = [
        ("ran", f"{ran}, in an environment of Python {result.python} and {result.distributions} distributions"),
        ("notebook", result.notebook or "unknown"),
        ("instances", f"{result.instances}, {answered}"),
        *(("differs", line) for line in result.differences),
        *(("raised", line) for line in result.raised),
        *(("changed since", line) for line in result.changed),
    ]
    return Page(f"{result.snapshot} {'is' if result.outcome == 'reproduced' else 'is NOT'} reproduced", facts=facts)


def _purged(result: Purged) -> Page:
    did = "would go; without --dry-run they do" if result.dry_run else "are gone for good"
    facts = [
        ("records", str(result.records)),
        ("feedback on them", str(result.feedback)),
        ("lines of the gateway's ledger", str(result.ledger_lines)),
        ("unreadable lines", str(result.unreadable)),
    ]
    return Page(f"{result.records} records of {result.endpoint} {did}", facts=facts)


def _list_page(results: list[Any]) -> Page:
    for kind, make in _LISTS:
        if results and isinstance(results[0], kind):
            return make(results)
    return Page("nothing to show")


def _endpoints(results: list[EndpointStatus]) -> Page:
    rows = [
        (
            e.name,
            e.public_url or e.url,
            str(e.revision),
            state_in_words(e),
            ", ".join(f"{r.tag} ({_role(r)} {r.percent:g} %)" for r in e.releases if r.role != "idle"),
        )
        for e in results
    ]
    return Page("endpoints", tables=[Table("", ("name", "url", "revision", "state", "releases"), rows)])


def _history(results: list[Revision]) -> Page:
    rows = [(str(r.revision), f"{r.at:%Y-%m-%d %H:%M:%S}", r.by, r.change, r.reason) for r in results]
    head = ("revision", "when (UTC)", "who", "what", "why")
    return Page(f"history of {results[0].endpoint}", tables=[Table("", head, rows)])


def _reconciled(results: list[Reconciled]) -> Page:
    rows = [
        (r.endpoint, ", ".join(r.started), ", ".join(r.stopped), "; ".join(f"{k}: {v}" for k, v in r.failed.items()))
        for r in results
    ]
    headline = "NOT all could be started" if any(r.failed for r in results) else "what runs is what is wanted"
    return Page(headline, tables=[Table("", ("endpoint", "started", "stopped", "failed"), rows)])


def _records(results: list[Record]) -> Page:
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
    return Page(f"{len(results)} records", facts=_left_out(results), tables=[Table("", head, rows)])


def _left_out(results: Sequence[Record]) -> list[tuple[str, str]]:
    """What of the requests these records do not hold."""
    facts = []
    shares = sorted({record.sample for record in results if record.sample < 1})
    if shares:
        facts.append(("sample", f"recorded of {' or '.join(map(percent_in_words, shares))} of the requests"))
    if redacted := sorted({name for record in results for name in record.redacted}):
        facts.append(("redacted", ", ".join(redacted)))
    return facts


_LISTS: tuple[tuple[type, Callable[[Any], Page]], ...] = (
    (EndpointStatus, _endpoints),
    (Revision, _history),
    (Reconciled, _reconciled),
    (Record, _records),
)

_PAGES: tuple[tuple[type, Callable[[Any], Page]], ...] = (
    (Deployment, deployment_page),
    (EndpointStatus, _status),
    (TrafficChange, _traffic),
    (Comparison, comparison_page),
    (Difference, difference_page),
    (Prediction, _prediction),
    (Stopped, _stopped),
    (AtBoot, _at_boot),
    (Purged, _purged),
    (Feedback, feedback_page),
    (Reproduction, _reproduction),
    (Validation, validation_page),
    (SetUp, setup_page),
    (Published, published_page),
    (Verified, verified_page),
    (ImageList, image_list_page),
    (Collected, collected_page),
    (Composed, composed_page),
)


_CHARTS: dict[type, Callable[[Any], Iterable[Chart]]] = {
    Comparison: lambda comparison: comparison_charts(comparison).values(),
    Validation: lambda validation: filter(None, [validation_chart(validation)]),
}

text_forms.update({kind: text for kind, _ in _PAGES})


def _record_line(record: Record) -> str:
    said = short(f"{record.error.type}: {record.error.message}" if record.error else record.outputs, limit=120)
    when = f"{record.ts:%Y-%m-%d %H:%M:%S}"
    answered = f"{record.status} {record.latency_ms:8.2f} ms"
    return f"{when} {record.role:7} {record.release} {answered} {record.request_id} {said}"
