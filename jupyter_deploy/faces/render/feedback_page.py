"""The page of feedback: counts of ground truth, and of the rows that are joined to answers."""

from __future__ import annotations

from jupyter_deploy.domain.base import percent_in_words
from jupyter_deploy.domain.evidence.ground_truth import Feedback

from .page import Page, Table


def feedback_page(result: Feedback) -> Page:
    rows = "row" if result.rows_with_truth == 1 else "rows"
    sent = f"{result.accepted} accepted; " if result.accepted else ""
    facts = [("joined", f"{result.joined} of {result.posted} that are kept{_late(result)}")]
    facts += [(name, f"{count}: {words}") for name, count, words in _others(result) if count]
    releases = [(tag, str(count)) for tag, count in result.releases.items()]
    return Page(
        f"{sent}{result.rows_with_truth} {rows} of {result.endpoint} with truth",
        facts=facts,
        tables=[Table("", ("release", "answered rows with truth"), releases)] if releases else [],
    )


def _late(result: Feedback) -> str:
    return f", {result.late} of them more than a day after the answer" if result.late else ""


_UNKNOWN = "no answer with this id and row is on record; they join if it turns up"
_UNSAMPLED = "no answer with this id and row is on record: {} of the requests are recorded"


def _share(result: Feedback) -> str:
    return percent_in_words(result.record_sample)


def _others(result: Feedback) -> list[tuple[str, int, str]]:
    return [
        ("taken back", result.joined - result.rows_with_truth, "joined, and the last word on them is null"),
        ("repeated", result.repeated, "told again later, which counts"),
        ("ambiguous", result.ambiguous, "several requests have this id, so it is not known which one is meant"),
        ("unknown", result.unknown, _UNKNOWN if result.record_sample == 1 else _UNSAMPLED.format(_share(result))),
        ("unreadable", result.unreadable, "lines that a kill had torn"),
        ("removed", result.removed, "purged or cleared away, ever"),
    ]
