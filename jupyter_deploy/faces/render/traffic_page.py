"""The pages of a change of traffic, and of an endpoint's history of changes."""

from __future__ import annotations

from jupyter_deploy.domain.release.endpoint import Revision
from jupyter_deploy.domain.results import TrafficChange

from .gates_page import validated_facts
from .page import Page, Table


def traffic_page(result: TrafficChange) -> Page:
    rows = [
        (tag, result.before.get(tag, "no traffic"), result.after.get(tag, "no traffic"))
        for tag in dict.fromkeys([*result.after, *result.before])
    ]
    said = "unchanged" if result.change == "unchanged" else "the change is in force"
    headline = f"{result.endpoint} is at revision {result.revision}; {said}"
    facts = [("url", result.url), ("change", result.change), *validated_facts(result.validation)]
    facts += [("compared", result.compared)] if result.compared else []
    return Page(headline, facts=facts, tables=[Table("", ("release", "before", "now"), rows)])


def history_page(results: list[Revision]) -> Page:
    rows = [(str(r.revision), f"{r.at:%Y-%m-%d %H:%M:%S}", r.by, r.change, r.reason) for r in results]
    head = ("revision", "when (UTC)", "who", "what", "why")
    return Page(f"history of {results[0].endpoint}", tables=[Table("", head, rows)])
