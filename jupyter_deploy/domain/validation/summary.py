"""What is said of a validation in one line, on every face and in every report. Pure."""

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
"""How a notebook ran."""

SIGNS: dict[Verdict, str] = {"pass": "✓", "fail": "✗", "inconclusive": "?"}
"""Told apart without colours."""

URGENCY: dict[Verdict, int] = {"fail": 0, "inconclusive": 1, "pass": 2}
"""What failed comes first."""


def headline(validation: Validation) -> str:
    """The verdict, of what, and what led to it."""
    what = f"{validation.snapshot}: " if validation.snapshot else ""
    return f"{verdict_word(validation)}: {what}{reasons(validation)}"


def verdict_word(validation: Validation) -> str:
    """``FAIL``; ``INTERRUPTED`` where it was ended before its time."""
    return (validation.stopped or validation.verdict).upper()


def reasons(validation: Validation) -> str:
    """What led to the verdict: ``1 of 3 gates does not hold``; of one that was stopped, what of it had ended."""
    if validation.stopped:
        done = tuple(run for run in validation.runs if run.status == "done")
        so_far = f"{len(done)} of {_count(len(validation.runs), 'run')} had ended"
        told = reasons(validation.model_copy(update={"runs": done, "stopped": None}))
        return f"{so_far}; of what had, {told}" if done else so_far
    gates = [gate.verdict for run in validation.runs for gate in run.gates] + [gate.verdict for gate in validation.live]
    checks = [check.passed for run in validation.runs for check in run.checks]
    ended = sum(run.status == "done" for run in validation.runs)
    left = sum(run.status == "not run" for run in validation.runs)
    said = []
    if failed := gates.count("fail"):
        said.append(f"{failed} of {_count(len(gates), 'gate')} {'does' if failed == 1 else 'do'} not hold")
    if failed := checks.count(False):
        said.append(f"{failed} of {_count(len(checks), 'check')} failed")
    if short := len(validation.runs) - ended - left:
        said.append(
            f"{short} of {_count(len(validation.runs), 'run')} did not come to {'its' if short == 1 else 'their'} end"
        )
    if left:
        said.append(f"{left} of {_count(len(validation.runs), 'run')} {'was' if left == 1 else 'were'} not run")
    if undecided := gates.count("inconclusive"):
        is_ = "is" if undecided == 1 else "are"
        said.append(f"{undecided} of {_count(len(gates), 'gate')} {is_} undecided")
    if not said:
        holding = [_count(len(gates), "gate") if gates else "", _count(len(checks), "check") if checks else ""]
        holds = " and ".join(filter(None, holding))
        one = len(gates) + len(checks) == 1
        ran = f"{_count(ended, 'run')} came to {'its' if ended == 1 else 'their'} end; no gate was given"
        said = [f"{holds} hold{'s' if one else ''}" if holds else ran]
    return "; ".join(said)


def unjudged_words(run: Run) -> str:
    """``2 gates could not be judged``, after what kept a run from its end; nothing where there are none."""
    return f"{_count(len(run.unjudged), 'gate')} could not be judged" if run.unjudged else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
