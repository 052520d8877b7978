"""The facts and tables of gates: of a release's validation, and of an endpoint's next releases."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_deploy.domain.release.status import ReleaseStatus
from jupyter_deploy.domain.results import Deployment
from jupyter_deploy.domain.validation.validated import Validated
from jupyter_deploy.domain.validation.validation import words_of

from .page import Table


def validated_facts(validated: Validated | None) -> list[tuple[str, str]]:
    """List the outcome of each gate, and the report's address."""
    if validated is None:
        return []
    facts = [("gates", validated.words), *(("", line.sentence) for line in validated.lines)]
    return [*facts, *([("report", link(validated.report))] if validated.report else [])]


def waiting_facts(result: Deployment) -> list[tuple[str, str]]:
    """List the endpoint's validations from now on, and the postponed ones of this release."""
    facts, new = [], bool(result.asked_before)
    if new and result.revision > 1:
        facts.append(("validations", f"{result.asked_before} → {words_of(result.validations)}"))
    if result.passed_over:
        facts.append(("validations", f"those that the endpoint has, and not those of {result.passed_over}"))
        facts.append(
            ("", "name them by --validate, or take the endpoint's away by --validate off; then the file counts")
        )
    if new:
        facts += [("waits", line) for line in result.waiting]
    if result.role != "stable" and result.validation is None and any(spec.notebook for spec in result.validations):
        facts.append(("gates", "wait for recorded requests: before it answers more clients"))
    live = ", ".join(gate for spec in result.validations if spec.notebook is None for gate in spec.gates)
    if live and (new or result.role != "stable"):
        whose = (
            "of the releases that follow, before they answer" if result.role == "stable" else "before it answers more"
        )
        facts.append(("on live traffic", f"{live}: {whose} clients"))
    return facts


def gates_tables(releases: Iterable[ReleaseStatus]) -> list[Table]:
    """List the latest outcome of each release's gates."""
    rows = [
        (r.tag, f"{r.validation.at:%Y-%m-%d %H:%M}", line.verdict, line.sentence)
        for r in releases
        if r.validation
        for line in r.validation.lines
    ]
    return [Table("gates", ("release", "when (UTC)", "", ""), rows)] if rows else []


def link(report: str) -> str:
    """Return a path as a link for terminals and browsers."""
    return Path(report).as_uri()
