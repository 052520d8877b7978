"""The pages of endpoints: all of them, and one with its releases."""

from __future__ import annotations

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.capture.findings import finding_text
from jupyter_deploy.domain.release.comparison_settings import ComparisonSettings
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.status import EndpointStatus, ReleaseStatus

from .deployment_page import public_address
from .difference_page import changed
from .gates_page import gates_tables
from .model_selection_page import choice_tables
from .page import Page, Table, by_severity, mark


def endpoint_page(result: EndpointStatus) -> Page:
    return Page(
        f"{result.name}: {state_in_words(result)}, revision {result.revision}",
        facts=[
            ("url", result.url),
            *public_address(result),
            ("records", _recorded(result)),
            *_ramp(result),
            *_ways(result),
            *_settings(result),
        ],
        tables=[
            Table(
                "",
                (
                    "release",
                    "role",
                    "share",
                    "health",
                    "requests",
                    "errors",
                    "refused",
                    "gates",
                    "variable",
                    "created (UTC)",
                ),
                [
                    (
                        r.words,
                        _role(r),
                        f"{r.percent:g} %",
                        r.health_words,
                        str(r.counts.requests) if r.counts else "–",
                        str(r.counts.errors) if r.counts else "–",
                        str(r.counts.refused) if r.counts else "–",
                        r.validation.words if r.validation else "–",
                        r.source.variable or r.framework,
                        f"{r.created_at:%Y-%m-%d %H:%M}",
                    )
                    for r in result.releases
                ],
            ),
            *_refusals(result),
            *_redacted(result.releases),
            *_changes(result.releases),
            *_limits(result.releases),
            *_images(result.releases),
            *choice_tables(result.releases),
            *gates_tables(result.releases),
            *_findings(result),
        ],
    )


def endpoints_page(results: list[EndpointStatus]) -> Page:
    rows = [
        (
            e.name,
            e.public_url or e.url,
            str(e.revision),
            "; ".join((state_in_words(e), *(f"{name} {words}" for name, words in (*_ramp(e), *_ways(e))))),
            ", ".join(f"{r.words} ({_role(r)} {r.percent:g} %)" for r in e.releases if r.role != "idle"),
        )
        for e in results
    ]
    return Page("endpoints", tables=[Table("", ("name", "url", "revision", "state", "releases"), rows)])


def _settings(result: EndpointStatus) -> list[tuple[str, str]]:
    """List the settings of comparisons, if they are not the default, and the validations."""
    compared = [] if result.comparison == ComparisonSettings() else [("comparison", result.comparison.words)]
    return [*compared, *(("validated by", spec.words) for spec in result.validations)]


def _ramp(result: EndpointStatus) -> list[tuple[str, str]]:
    """Describe a ramp in progress."""
    return [("ramp", result.ramp.words)] if result.ramp and not result.ramp.ended else []


def _ways(result: EndpointStatus) -> list[tuple[str, str]]:
    """Describe the stream that the endpoint answers, and the files that it scores by a schedule."""
    found = {"stream": result.stream, "batch": result.batch}
    return [(name, status.words) for name, status in found.items() if status]


def _changes(releases: list[ReleaseStatus]) -> list[Table]:
    """List the changes of each release since its predecessor."""
    rows = [(r.tag, r.changes.predecessor, changed(r.changes), f"nbdeploy diff {r.tag}") for r in releases if r.changes]
    return [Table("", ("release", "since (stable when it came)", "what changed", "all of it"), rows)] if rows else []


def _refusals(result: EndpointStatus) -> list[Table]:
    """List the reasons of refused requests, the most frequent first."""
    rows = [
        (r.release, str(r.status), r.reason or "not recorded", str(r.requests), str(r.shadows) if r.shadows else "–")
        for r in result.refusals
    ]
    names = ("release", "status", "reason", "requests", "answered by a shadow")
    return [Table("requests refused in the last 24 hours", names, rows)] if rows else []


def _redacted(releases: list[ReleaseStatus]) -> list[Table]:
    rows = [(r.tag, ", ".join(r.redact)) for r in releases if r.redact]
    return [Table("", ("release", "redacted: never stored"), rows)] if rows else []


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
    """Describe an endpoint's recording: the data, and the share of requests."""
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
    if not status.healthy:
        return "NOT HEALTHY: 'nbdeploy reconcile' starts what is down"
    refused, requests = status.refused
    notes = [*([f"{refused} of {requests} requests refused"] if refused else []), *filter(None, [status.gateways])]
    return "; ".join(("healthy", *notes))


def _role(release: ReleaseStatus) -> str:
    return f"{release.role}, stochastic" if release.stochastic else release.role
