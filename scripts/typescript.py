"""Write labextension/src/generated.ts: the types of all that the server takes and gives; ``--check``: it is fresh.

The types are those of the requests and results of ``OPERATIONS``, of the documents of ``VIEWS`` and of the jobs.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from jupyter_deploy import __version__
from jupyter_deploy.domain import jobs
from jupyter_deploy.domain.capture import candidates
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.progress import Leaderboard
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.views import (
    candidate_documents,
    documents,
    form_documents,
    monitor_documents,
    record_documents,
)
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.verbs import OPERATIONS

EXTENSION = Path(__file__).resolve().parents[1] / "labextension"
TARGET = EXTENSION / "src" / "generated.ts"

SHAPES = {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}


class _Whole(GenerateJsonSchema):
    """What is written has all its fields, those with a default too."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return self.mode == "serialization" or super().field_is_required(field, total)


HEAD = """\
// Made by scripts/typescript.py from the JSON Schemas of jupyter_deploy; CI fails when it is stale.
/* eslint-disable */
"""


def document() -> str:
    """The whole file."""
    results = {operation.name: operation.result for operation in OPERATIONS}
    requests = {operation.name: operation.request for operation in OPERATIONS}
    shown = [
        *_values(documents),
        *_values(record_documents),
        *_values(form_documents),
        *_values(monitor_documents),
        *_values(candidate_documents),
        *_values(jobs),
        *_values(candidates),
        Finding,
        Underway,
        Leaderboard,
        *(model for result in results.values() for model in _models(result)),
    ]
    asked = [*requests.values(), *(view.request for view in VIEWS.values())]
    inputs = [(model, "validation") for model in dict.fromkeys(asked)]
    outputs = [(model, "serialization") for model in dict.fromkeys(shown)]
    names, schema = models_json_schema([*inputs, *outputs], schema_generator=_Whole)  # type: ignore[arg-type]
    by_model = {key: str(reference["$ref"]).rpartition("/")[2] for key, reference in names.items()}
    types = _printed(schema["$defs"])
    lines = [HEAD + types]
    lines += ["/** Each verb's request. */", "export interface Requests {"]
    lines += [f"  {verb}: {by_model[model, 'validation']};" for verb, model in requests.items()]
    lines += ["}", "", "/** What each verb gives. */", "export interface Results {"]
    lines += [f"  {verb}: {_written(result, by_model)};" for verb, result in results.items()]
    lines += [
        "}",
        "",
        "/** What each view is asked with, and the document that it gives. */",
        "export interface Views {",
    ]
    for view in VIEWS.values():
        request, shown_by = by_model[view.request, "validation"], by_model[view.document, "serialization"]
        lines.append(f"  {view.name}: {{ request: {request}; document: {shown_by} }};")
    lines += ["}", "", "export type Verb = keyof Requests;", ""]
    lines += _table()
    lines += ["", "/** nbdeploy's own. */", f"export const VERSION = {json.dumps(__version__)};"]
    return "\n".join(lines) + "\n"


def _table() -> Iterator[str]:
    """The table of operations, and the labels in a form in which translators find them."""
    yield "/** The verbs in their order. A slow one is a job; a destructive one stops or removes something. */"
    yield "export const VERBS: {"
    yield "  readonly [verb in Verb]: { summary: string; slow: boolean; destructive: boolean };"
    yield "} = {"
    for operation in OPERATIONS:
        summary = (inspect.getdoc(operation.request) or "").partition("\n")[0]
        flags = f"slow: {json.dumps(operation.slow)}, destructive: {json.dumps(operation.destructive)}"
        yield f"  {operation.name}: {{ summary: {json.dumps(summary)}, {flags} }},"
    yield from ("};", "", "/** The verbs' labels. */")
    yield "export function labelsOf(trans: { __(text: string): string }): { readonly [verb in Verb]: string } {"
    yield "  return {"
    for operation in OPERATIONS:
        yield f"    {operation.name}: trans.__({json.dumps(operation.label, ensure_ascii=False)}),"
    yield from ("  };", "}")


def _values(module: Any) -> Iterator[type[BaseModel]]:
    for value in vars(module).values():
        if inspect.isclass(value) and issubclass(value, BaseModel) and value.__module__ == module.__name__:
            yield value


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _written(annotation: Any, names: dict[Any, str]) -> str:
    """A result's annotation in TypeScript: models, and lists and unions of them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return names[annotation, "serialization"]
    if annotation is type(None):
        return "null"
    if origin in (Union, UnionType):
        return " | ".join(_written(one, names) for one in arguments)
    if origin in (list, tuple, Iterable):  # an iterable is sent whole
        return f"({_written(arguments[0], names)})[]"
    return "unknown"


def _printed(definitions: dict[str, Any]) -> str:
    for definition in definitions.values():
        _untitled(definition)
    ended = subprocess.run(
        ["node", "scripts/types.mjs"],
        cwd=EXTENSION,
        input=json.dumps(definitions),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"json-schema-to-typescript failed ('npm ci' in {EXTENSION}?):\n{ended.stderr}")
    return ended.stdout


def _untitled(node: Any) -> None:
    """Leave out the titles that pydantic makes of fields' names: each would become a type of its own."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "properties":
                for field in inner.values():
                    _untitled(field)
                    if not SHAPES & field.keys():
                        field["tsType"] = "unknown"
            elif name not in ("default", "examples", "const", "enum"):
                _untitled(inner)
        if isinstance(node.get("title"), str):
            del node["title"]
    elif isinstance(node, list):
        for inner in node:
            _untitled(inner)


def main() -> int:
    made = document()
    if "--check" not in sys.argv:
        TARGET.write_text(made)
        return 0
    if TARGET.exists() and TARGET.read_text() == made:
        return 0
    print(f"{TARGET} is stale: run python -m scripts.typescript", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
