"""Checks of a deploy by name, their findings, and waivers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import CheckFailed, InvalidInput

Severity = Literal["note", "warning", "error"]

CHECKS: dict[str, str] = {
    "side-effects": "Side effects of a prediction: files written, connections opened, programs started.",
    "row-dependence": "Rows that fail alone, or whose answers depend on the other rows of the request.",
    "outside-files": "Files that the model opens and nobody packs by default: outside the project, hidden, large.",
    "project-code": "The project's modules whose source is packed, and files of their folders that are not.",
    "edited-module": "Modules of the project that differ from their files: edited since the import, or changed.",
    "train-mode": "torch modules in train mode within a function or class: dropout, running averages.",
    "redefined-class": "A class of the notebook that was changed after the model was built from it.",
    "stale-kernel": "Whether the notebook, run from top to bottom, would produce this model.",
    "features": "Columns of the example against those of the fit: missing, extra, re-ordered, re-typed.",
    "missing-values": "Columns with missing values in the training table, but none in the example.",
    "outdated-data": "The training table against its source file and against the training table of the last release.",
    "leakage": "Training rows in the example or in the evaluation data.",
    "dirty-tree": "Uncommitted changes relative to the commit that the snapshot names.",
    "local-distribution": "Distributions that no index offers: editable ones, and those from a local file.",
    "lock-mismatch": "Versions that differ from those of the project's lock file.",
    "undistributed": "Modules that the model needs and that belong to no distribution.",
    "secrets": "Tokens, keys and passwords in the model, its example, its files and the notebook's cells.",
}
"""Every check by its name, with its subject."""


class Finding(Value):
    """A finding of one check: shown (``note``, ``warning``) or refused (``error``; with ``--strict`` a warning too)."""

    check: str
    severity: Severity
    message: str = Field(description="The problem and its location, in plain words.")
    remedy: str = ""
    cell: int | None = Field(default=None, description="Execution count of the cell behind the finding, as in In [7].")
    columns: tuple[str, ...] = Field(default=(), description="The columns concerned.")
    waived: str | None = Field(default=None, description="The reason for waiving the finding.")


def waived(findings: Iterable[Finding], checks: Collection[str], reason: str) -> tuple[Finding, ...]:
    """Return the findings, with the reason set on those of the waived checks."""
    return tuple(f.model_copy(update={"waived": reason}) if f.check in checks else f for f in findings)


def has_new_findings(findings: Iterable[Finding], recorded: Iterable[Finding]) -> bool:
    """Whether there is an error or a waived finding that the release does not record yet.

    Notes and warnings do not count: they change with the model's surroundings, such as an edited word in its notebook,
    and are shown in any case. The words of a message do not count either, since they may differ for the same finding.
    """

    def identities(items: Iterable[Finding]) -> set[tuple[str, str, str | None]]:
        return {(f.check, f.severity, f.waived) for f in items if f.severity == "error" or f.waived is not None}

    return not identities(findings) <= identities(recorded)


def require_waivable(checks: Sequence[str], reason: str) -> None:
    """Raise InvalidInput for an unknown check or a missing reason."""
    unknown = [check for check in checks if check not in CHECKS]
    if unknown:
        raise InvalidInput(f"there is no check '{unknown[0]}'", f"the checks are: {', '.join(CHECKS)}")
    if checks and not reason.strip():
        raise InvalidInput("a waived check needs a reason, which is stored", 'add one: --reason "…"')


def refuse(findings: Iterable[Finding], *, strict: bool) -> None:
    """Raise CheckFailed if a finding forbids the deploy and is not waived."""
    against = ("error", "warning") if strict else ("error",)
    refused = [f for f in findings if f.severity in against and f.waived is None]
    if not refused:
        return
    names = list(dict.fromkeys(f.check for f in refused))
    raise CheckFailed(
        f"{' and '.join(names)}: {len(refused)} finding{'s' * (len(refused) != 1)} against this deploy",
        f"fix the cause; or waive it, with a reason, which is stored: {' '.join(f'--waive {n}' for n in names)} "
        '--reason "…"',
        "\n".join(f"  {f.severity}: {finding_text(f)}" for f in refused),
        findings=refused,
    )


def counted(findings: Iterable[Finding]) -> str:
    """Return the number of findings by severity without notes, in words; empty: none."""
    kinds = [("waived" if f.waived is not None else f.severity) for f in findings if f.severity != "note"]
    counts = {kind: kinds.count(kind) for kind in ("error", "warning", "waived")}
    plural = {"error": "errors", "warning": "warnings"}
    return ", ".join(f"{n} {plural.get(kind, kind) if n > 1 else kind}" for kind, n in counts.items() if n)


def finding_text(finding: Finding) -> str:
    """Return a finding as one paragraph for people."""
    where = f" (In [{finding.cell}])" if finding.cell is not None else ""
    passed = f" (waived: {finding.waived})" if finding.waived is not None else ""
    end = "" if finding.remedy.endswith("?") else "."
    remedy = f" {finding.remedy[:1].upper()}{finding.remedy[1:]}{end}" if finding.remedy else ""
    return f"{finding.check}{where}: {finding.message}.{remedy}{passed}"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names and the number of the others."""
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown
