"""The page of a deploy: the checks' findings, the captured model, and a command that calls it."""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.capture.artifacts import Manifest
from jupyter_deploy.domain.capture.signature import Signature, types_of
from jupyter_deploy.domain.capture.training import TrainingData
from jupyter_deploy.domain.release.endpoint import Changes
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.domain.results import Deployment
from jupyter_deploy.domain.secret_references import in_words as secrets_in_words

from .difference_page import changed
from .gates_page import validated_facts, waiting_facts
from .page import Page, by_severity, short


def deployment_page(result: Deployment) -> Page:
    """Make the page: findings, facts, and a command that sends the example."""
    captured = result.captured
    source = captured.provenance.source
    share = "" if result.role == "stable" and result.percent == 100 else f" at {result.percent:g} %"
    did = f"{result.release} is {result.role}{share} behind {result.public_url or result.url}"
    if not result.changed:
        did = f"unchanged: {did}"
    if result.replaced:
        did += f" (in the place of {result.replaced})"
    git = captured.provenance.git
    facts = [
        ("endpoint", f"{result.url}/predict"),
        *public_address(result),
        ("role", f"{result.role}{share}, revision {result.revision}"),
        *([(f"since {result.changes.predecessor}", _since(result.release, result.changes))] if result.changes else []),
        (
            "model",
            f"{captured.kind} ({source.variable or 'unnamed'}{f'.{captured.method}' if captured.method else ''})",
        ),
        *_training(captured.training),
        *([("engine", captured.translation.words)] if captured.translation else []),
        ("stored as", ", ".join(f"{name} ({format_})" for name, format_ in captured.formats.items())),
        ("takes", _takes(captured.signature)),
        ("missing values", _missing_values(captured.signature.instance_schema)),
        ("answers", _answers(captured.signature.answer_schema, captured.signature.answer_dtype)),
        ("replayed", f"{len(captured.instances)} instances in a clean process: {_agreement(captured.stochastic)}"),
        *_metrics(captured.metrics),
        *([("runs from", result.image)] if result.image else []),
        *(("resources", line) for line in result.limits),
        *([("redacted", f"never stored: {', '.join(result.redact)}")] if result.redact else []),
        *([("secrets", secrets_in_words(result.secrets))] if result.secrets else []),
        *validated_facts(result.validation),
        *waiting_facts(result),
        (
            "environment",
            f"Python {captured.environment.python}, {len(captured.environment.distributions)} distributions locked",
        ),
        ("notebook", f"{source.notebook or 'unknown (NBDEPLOY_NOTEBOOK tells)'}, {_cells(captured)} executed"),
        (
            "git",
            f"{git.commit[:10]}{' with uncommitted changes' if git.dirty else ''}" if git else "not in a repository",
        ),
        ("snapshot", f"{result.snapshot} (bentoml models list)"),
    ]
    facts += [("note", note) for note in captured.notes]
    if result.role == "shadow":
        facts.append(("next", f"clients get stable's answers; compare {result.endpoint} shows what this one would say"))
    return Page(did, findings=by_severity(captured.findings), facts=facts, code=_call_command(result))


def _call_command(result: Deployment) -> str:
    """Return a command that sends the example; if it needs a file, ``nbdeploy predict`` comes first."""
    is_short = " -d @" not in result.curl
    return result.curl if is_short else f"nbdeploy predict {result.endpoint}\n{result.curl}"


def public_address(result: Deployment | EndpointStatus) -> list[tuple[str, str]]:
    """Return the fact of the public address, if there is one."""
    return [("from elsewhere", result.public_url)] if result.public_url else []


def _metrics(metrics: dict[str, float]) -> list[tuple[str, str]]:
    shown = [f"{name} {value:.6g}" for name, value in metrics.items()]
    return [("metrics", short(", ".join(shown), limit=120))] if shown else []


def _training(data: TrainingData | None) -> list[tuple[str, str]]:
    if data is None:
        return []
    files = f", read from {', '.join(data.files)}" if data.files else ""
    looked = "" if data.hashed_rows == data.rows else f" (looked at by {data.hashed_rows} of them)"
    named = data.expression or "the table named"
    return [("fitted on", f"{named}: {data.rows} rows{looked} of {data.width} columns{files}")]


def _cells(captured: Manifest) -> str:
    count = len(captured.provenance.cells)
    return f"{count} cell{'s' * (count != 1)}"


def _takes(signature: Signature) -> str:
    names = signature.instance_schema.get("properties", {})
    match signature.container:
        case "frame":
            return f"rows of a table with {len(names)} columns"
        case "call":
            required = signature.instance_schema.get("required", signature.parameters)
            shown = [name if name in required else f"{name} (optional)" for name in names or signature.parameters]
            return f"parameters {', '.join(shown)}"
        case "list":
            return "texts" if types_of(signature.instance_schema) == {"string"} else "rows"
        case _:
            return f"rows of {'a tensor' if signature.container == 'tensor' else 'an array'}"


def _missing_values(schema: dict[str, Any]) -> str:
    columns = schema.get("properties", {})
    nullable = [name for name, column in columns.items() if "null" in types_of(column)]
    if "null" in types_of(schema):
        return "accepted (null)"
    if not nullable:
        return "refused: the example has none, nor does a signature allow any"
    return f"accepted (null) where the example or a signature has some: {short(', '.join(nullable))}"


def _agreement(stochastic: bool) -> str:
    return "stochastic, alike in distribution" if stochastic else "answered as the notebook did"


def _answers(schema: dict[str, Any], dtype: str) -> str:
    kinds = types_of(schema)
    precise = kinds <= {"integer", "number", "null", "array"}
    return f"{' or '.join(sorted(kinds)) or 'anything'}{f' ({dtype})' if precise else ''}"


def _since(release: str, changes: Changes) -> str:
    return f"{changed(changes)} ('nbdeploy diff {release}' shows all)"
