"""The page of a batch: what is scored, the refused rows with their reasons, and how it goes on."""

from __future__ import annotations

from jupyter_deploy.domain.batch.results import Batch, BatchStatus
from jupyter_deploy.domain.batch.spec import allows

from .error_codes import NOT_MET
from .outcomes import of_validation
from .page import Page, Table
from .validation_page import validation_page

_INTERRUPTED = 130


def batch_page(result: Batch | BatchStatus) -> Page:
    """Make the page of a batch, or of a schedule."""
    if isinstance(result, BatchStatus):
        return _schedule_page(result)
    facts = [
        ("source", f"{result.source}: {_count(result.partitions, 'partition')}"),
        ("sink", result.sink),
        ("scored before", _count(result.already, "partition")),
    ]
    if result.replaced:
        facts.append(("replaces", f"the answers of {_count(result.replaced, 'changed partition')}"))
    tables = []
    if result.state == "planned":
        headline = f"{result.release} would score {_count(_left(result), 'partition')}"
    elif result.state == "complete" and not result.scored:
        headline = f"{result.release} has scored all of it already"
    else:
        headline = f"{result.release} scored {_count(result.rows, 'row')} in {_count(result.scored, 'partition')}"
        if result.state == "interrupted":
            headline += f"; {_count(_left(result), 'partition')} left"
            facts.append(("interrupted", "the same command goes on with the partitions that are left"))
    if result.scored:
        rate = f", {result.rows / result.seconds:,.0f} rows a second" if result.rows and result.seconds else ""
        facts.append(("time", f"{result.seconds:,.1f} s{rate}"))
    if result.refused:
        facts.append(("refused", f"{_count(result.refused, 'row')}, in {result.sink.rstrip('/')}/_errors"))
        tables.append(Table("refused", ("reason", "rows"), [(why, f"{n:,}") for why, n in result.reasons.items()]))
    if result.shadows:
        rows = [(one.release, one.sink, f"{one.rows:,}", f"{one.refused:,}", one.problem) for one in result.shadows]
        tables.append(Table("shadows", ("release", "answers", "rows", "refused", "problem"), rows))
    if result.validation is None:
        return Page(headline, facts=facts, tables=tables)
    judged = validation_page(result.validation)
    facts += [("answers", judged.headline), *(one for one in judged.facts if one[0] not in ("validated", "endpoint"))]
    return Page(headline, lines=judged.lines, facts=facts, tables=[*tables, *judged.tables], blocks=judged.blocks)


def exit_code_of_batch(result: Batch | BatchStatus) -> int:
    """Return 0; 1 if more rows are refused than allowed; 130 if it was interrupted. Of a schedule 0.

    Of a validation of the answers its own code.
    """
    if isinstance(result, BatchStatus):
        return 0
    if result.state == "interrupted":
        return _INTERRUPTED
    if not allows(result.max_errors, result.refused, result.rows):
        return NOT_MET
    return of_validation(result.validation) if result.validation else 0


def _schedule_page(result: BatchStatus) -> Page:
    if result.spec is None:
        return Page(f"{result.endpoint} scores no files by a schedule")
    spec, state = result.spec, result.state
    facts = [("source", spec.source), ("sink", spec.sink), ("schedule", spec.schedule)]
    rows = [
        (f"{run.due:%Y-%m-%d %H:%M}", f"{run.began:%H:%M:%S}", f"{run.ended:%H:%M:%S}" if run.ended else "–", run.words)
        for run in (state.runs if state else ())
    ]
    tables = [Table("runs", ("due", "began", "ended", "outcome"), rows)] if rows else []
    headline = result.words.removeprefix(f"{spec.words}: ").partition("; last: ")[0]
    return Page(f"{result.endpoint} at revision {result.revision}: {headline}", facts=facts, tables=tables)


def _left(result: Batch) -> int:
    return result.partitions - result.already - result.scored


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
