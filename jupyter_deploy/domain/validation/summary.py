"""The summary of a validation in one line, for every face and every report. Pure."""

from __future__ import annotations

from .validation import Run, RunStatus, Validation, Verdict

ENDED: dict[RunStatus, str] = {
    "done": "to its end",
    "raised": "failed",
    "timeout": "took too long",
    "died": "its kernel died",
    "interrupted": "interrupted",
    "not run": "not run",
}
"""The end of a run, in words."""

SIGNS: dict[Verdict, str] = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
"""Signs of verdicts, for readers without colours."""

URGENCY: dict[Verdict, int] = {"fail": 0, "inconclusive": 1, "pass": 2}
"""The order of verdicts: failures come first."""


def headline(validation: Validation) -> str:
    """Return the verdict with its snapshot and its reasons."""
    snapshot = f"{validation.snapshot}: " if validation.snapshot else ""
    return f"{verdict_word(validation)}: {snapshot}{reasons(validation)}"


def verdict_word(validation: Validation) -> str:
    """Return ``FAIL``, or ``INTERRUPTED`` if the validation was stopped."""
    return (validation.stopped or validation.verdict).upper()


def reasons(validation: Validation) -> str:
    """Return the reasons of the verdict: ``1 of 3 gates does not hold``; after a stop, those of the finished runs."""
    if validation.stopped:
        done = tuple(run for run in validation.runs if run.status == "done")
        so_far = f"{len(done)} of {_count(len(validation.runs), 'run')} had ended"
        ended_reasons = reasons(validation.model_copy(update={"runs": done, "stopped": None}))
        return f"{so_far}; of these, {ended_reasons}" if done else so_far
    gates = [gate.verdict for run in validation.runs for gate in run.gates] + [gate.verdict for gate in validation.live]
    checks = [check.passed for run in validation.runs for check in run.checks]
    ended = sum(run.status == "done" for run in validation.runs)
    left = sum(run.status == "not run" for run in validation.runs)
    parts = []
    if failed := gates.count("fail"):
        parts.append(f"{failed} of {_count(len(gates), 'gate')} {'does' if failed == 1 else 'do'} not hold")
    if failed := checks.count(False):
        parts.append(f"{failed} of {_count(len(checks), 'check')} failed")
    if short := len(validation.runs) - ended - left:
        parts.append(
            f"{short} of {_count(len(validation.runs), 'run')} did not come to {'its' if short == 1 else 'their'} end"
        )
    if left:
        parts.append(f"{left} of {_count(len(validation.runs), 'run')} {'was' if left == 1 else 'were'} not run")
    if undecided := gates.count("inconclusive"):
        is_ = "is" if undecided == 1 else "are"
        parts.append(f"{undecided} of {_count(len(gates), 'gate')} {is_} undecided")
    if not parts:
        holding = [_count(len(gates), "gate") if gates else "", _count(len(checks), "check") if checks else ""]
        holds = " and ".join(filter(None, holding))
        one = len(gates) + len(checks) == 1
        ran = f"{_count(ended, 'run')} came to {'its' if ended == 1 else 'their'} end; no gate was given"
        parts = [f"{holds} hold{'s' if one else ''}" if holds else ran]
    return "; ".join(parts)


def unjudged_words(run: Run) -> str:
    """Return ``2 gates could not be judged``; empty: all gates could."""
    return f"{_count(len(run.unjudged), 'gate')} could not be judged" if run.unjudged else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
