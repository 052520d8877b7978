"""What a look at a notebook finds that no test suite would: checks by name, their findings, and what is waived."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import GuardFailed, InvalidInput

Severity = Literal["note", "warning", "error"]

CHECKS: dict[str, str] = {
    "side-effects": "What the model does beside answering: files written, connections opened, programs started.",
    "outside-files": "Files that the model opens and nobody packs unasked: outside of the project, hidden, large.",
    "project-code": "The project's own modules whose source goes in, and what of their folders stays out.",
    "edited-module": "Modules of the project that are not what their files say: edited since their import, or changed.",
    "train-mode": "Modules of torch within a function or class that answer as in training: dropout, running averages.",
    "redefined-class": "A class of the notebook that was changed after the model was made of it.",
    "stale-kernel": "Whether the notebook, run from top to bottom, would give this model.",
    "features": "Columns of the example against those of the fit: missing, extra, re-ordered, re-typed.",
    "missing-values": "Columns with missing values in the training table, but none in the example.",
    "outdated-data": "The training table beside the file that it was read from and the one of the last release.",
    "leakage": "Rows of the example, or of what the model was judged by, that it was fitted on.",
    "dirty-tree": "Changes that the commit which the snapshot names does not have.",
    "local-distribution": "Distributions that nobody else can install: editable ones, and those from a local file.",
    "lock-mismatch": "Versions that differ from those of the project's lock file.",
    "undistributed": "Modules that the model needs and that belong to no distribution.",
    "secrets": "Tokens, keys and passwords in the model, its example, its files and the notebook's cells.",
}
"""Every check by its name, with what it looks for."""


class Finding(Value):
    """What one check found: told (``note``, ``warning``) or refused (``error``; with ``--strict`` a warning too)."""

    check: str
    severity: Severity
    message: str = Field(description="In plain words, with what and where.")
    remedy: str = ""
    cell: int | None = Field(default=None, description="Execution count of the cell that it comes from, as in In [7].")
    waived: str | None = Field(default=None, description="Why it was let pass.")


def waived(findings: Iterable[Finding], checks: Collection[str], reason: str) -> tuple[Finding, ...]:
    """The findings, those of the waived checks with the reason why."""
    return tuple(f.model_copy(update={"waived": reason}) if f.check in checks else f for f in findings)


def is_news(findings: Iterable[Finding], recorded: Iterable[Finding]) -> bool:
    """Whether there is an error, or something waived for a reason, that a release does not say yet.

    Notes and warnings are none: they come and go with what lies around a model, such as a word changed in its notebook,
    and are told all the same. So may the words of a message, although nothing new was found.
    """

    def told_of(found: Iterable[Finding]) -> set[tuple[str, str, str | None]]:
        return {(f.check, f.severity, f.waived) for f in found if f.severity == "error" or f.waived is not None}

    return not told_of(findings) <= told_of(recorded)


def require_waivable(checks: Sequence[str], reason: str) -> None:
    """Raise InvalidInput for a check that does not exist, or when no reason is given."""
    unknown = [check for check in checks if check not in CHECKS]
    if unknown:
        raise InvalidInput(f"there is no check '{unknown[0]}'", f"the checks are: {', '.join(CHECKS)}")
    if checks and not reason.strip():
        raise InvalidInput("a check is waived for a reason, which is kept", 'add one: --reason "…"')


def refuse(findings: Iterable[Finding], *, strict: bool) -> None:
    """Raise GuardFailed if a finding speaks against the deploy and is not waived."""
    against = ("error", "warning") if strict else ("error",)
    found = [f for f in findings if f.severity in against and f.waived is None]
    if not found:
        return
    names = list(dict.fromkeys(f.check for f in found))
    raise GuardFailed(
        f"{' and '.join(names)}: {len(found)} finding{'s' * (len(found) != 1)} against this deploy",
        f'mend it; or let it pass, for a reason that is kept: {" ".join(f"--waive {n}" for n in names)} --reason "…"',
        "\n".join(f"  {f.severity}: {told(f)}" for f in found),
        findings=found,
    )


def counted(findings: Iterable[Finding]) -> str:
    """How many there are of each kind but notes, in words; empty: none."""
    kinds = [("waived" if f.waived is not None else f.severity) for f in findings if f.severity != "note"]
    counts = {kind: kinds.count(kind) for kind in ("error", "warning", "waived")}
    plural = {"error": "errors", "warning": "warnings"}
    return ", ".join(f"{n} {plural.get(kind, kind) if n > 1 else kind}" for kind, n in counts.items() if n)


def told(finding: Finding) -> str:
    """A finding in one paragraph, for people."""
    where = f" (In [{finding.cell}])" if finding.cell is not None else ""
    passed = f" (waived: {finding.waived})" if finding.waived is not None else ""
    end = "" if finding.remedy.endswith("?") else "."
    remedy = f" {finding.remedy[:1].upper()}{finding.remedy[1:]}{end}" if finding.remedy else ""
    return f"{finding.check}{where}: {finding.message}.{remedy}{passed}"


def listed(names: Sequence[str], most: int) -> str:
    """The first names, and how many there are beside."""
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown
