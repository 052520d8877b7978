"""The pages of stopped and of reconciled endpoints."""

from __future__ import annotations

from jupyter_deploy.domain.results import AtBoot, Reconciled, Stopped

from .page import Page, Table


def stopped_page(result: Stopped) -> Page:
    if result.scope == "endpoint":
        return Page(f"{result.endpoints[0]} is stopped; 'nbdeploy rollback {result.endpoints[0]}' brings it back")
    count = len(result.endpoints)
    return Page(f"everything is stopped ({count} endpoint{'s' * (count != 1)}); 'nbdeploy reconcile' brings it back")


def reconciled_page(results: list[Reconciled] | AtBoot) -> Page:
    if isinstance(results, AtBoot):
        return _at_boot(results)
    rows = [
        (r.endpoint, ", ".join(r.started), ", ".join(r.stopped), "; ".join(f"{k}: {v}" for k, v in r.failed.items()))
        for r in results
    ]
    headline = "NOT all could be started" if any(r.failed for r in results) else "what runs is what is wanted"
    facts = [
        ("gateway", f"{r.url}, and so all endpoints: another process has taken the port of {r.moved_from}")
        for r in results
        if r.moved_from
    ]
    return Page(headline, facts=facts, tables=[Table("", ("endpoint", "started", "stopped", "failed"), rows)])


def _at_boot(result: AtBoot) -> Page:
    if not result.on:
        return Page("endpoints no longer come back after a reboot", facts=[("removed", result.unit)])
    facts = [("unit", result.unit)]
    if result.todo:
        facts.append(
            ("missing", f"'{result.todo}': without it the unit runs when you log in, and ends when you log out")
        )
    return Page("endpoints come back after a reboot", facts=facts)
