"""The page of the changes that lead to endpoints' documents, planned or made."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_deploy.domain.release.document_requests import EndpointPlan

from .page import Page, Table


def document_page(results: Sequence[EndpointPlan]) -> Page:
    """Make the page of a plan, or of the changes that ``apply`` made."""
    changed = [plan for plan in results if plan.changes]
    total = sum(len(plan.changes) for plan in changed)
    count = f"{total} change{'s' * (total != 1)} of {len(changed)} endpoint{'s' * (len(changed) != 1)}"
    applied = any(plan.applied for plan in results)
    if not changed:
        headline = "no change: all endpoints are as the file says"
    elif applied:
        headline = f"{count} made"
    else:
        headline = f"{count} planned; 'nbdeploy apply FILE' makes them"
    tables = [table for plan in changed for table in (_table(plan), *_objects(plan))]
    facts = [(plan.endpoint, plan.url) for plan in results if plan.url]
    return Page(headline, facts=facts, tables=tables)


def _objects(plan: EndpointPlan) -> list[Table]:
    """The table of a cluster's objects; none: the plan names none."""
    rows: list[tuple[str, str]] = []
    for change in plan.objects:
        rows.append((change.action, change.object))
        rows += [("", line) for line in change.difference]
    return [Table(f"{plan.endpoint}, objects in the cluster", ("", "object"), rows)] if rows else []


def _table(plan: EndpointPlan) -> Table:
    begins = "a new endpoint" if not plan.revision else f"at revision {plan.revision}"
    rows = [(str(number), change.change, change.command) for number, change in enumerate(plan.changes, 1)]
    return Table(f"{plan.endpoint}, {begins}", ("", "change", "the command that makes it alone"), rows)
