"""The pages of stopped, deleted and reconciled endpoints, and of labels."""

from __future__ import annotations

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.deletion import Deleted
from jupyter_deploy.domain.results import AtBoot, Labelled, Reconciled, Stopped

from .page import Page, Table


def stopped_page(result: Stopped) -> Page:
    if result.scope == "endpoint":
        return Page(f"{result.endpoints[0]} is stopped; 'nbdeploy rollback {result.endpoints[0]}' brings it back")
    count = len(result.endpoints)
    if result.scope == "target":
        return Page(f"the target is empty: {count} endpoint{'s' * (count != 1)} removed with all revisions")
    return Page(f"everything is stopped ({count} endpoint{'s' * (count != 1)}); 'nbdeploy reconcile' brings it back")


def labelled_page(result: Labelled) -> Page:
    """Make the page of a release's label."""
    name = f"is called '{result.label}'" if result.label else "has no label"
    return Page(f"{result.release} {name}{' as before' if result.label == result.before else ''}")


def deleted_page(result: Deleted) -> Page:
    """Make the page of a deleted endpoint, or with ``dry_run`` of its contents."""
    name = result.endpoint
    headline = f"{name} would be deleted; nothing is deleted yet" if result.dry_run else f"{name} is deleted"
    facts = [("deleted" if not result.dry_run else "contents", result.content)]
    facts += [("releases", ", ".join(result.releases))] if result.releases else []
    if result.kept_records:
        kept = f"records, feedback and ledger; 'nbdeploy delete {name}' without --keep-records deletes them"
        facts.append(("kept", kept))
    if result.snapshots:
        size = size_in_words(sum(one.size for one in result.snapshots))
        tags = ", ".join(one.tag for one in result.snapshots)
        facts.append(("unused then" if result.dry_run else "unused", f"{tags} ({size}); 'nbdeploy gc' removes them"))
    facts += [("stay in registries", ", ".join(result.published))] if result.published else []
    return Page(headline, facts=facts, code=f"nbdeploy delete {name} --yes" if result.dry_run else "")


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
