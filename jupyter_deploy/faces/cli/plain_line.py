"""Plain command lines, such as ``list`` and ``describe NAME -o json``: a third of their time would be the parser's.

A line has a form that the parser reads in the same way, or is left to the parser, and so are all errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_deploy.verbs import BY_NAME, Operation

if TYPE_CHECKING:
    from jupyter_deploy.domain.requests import Request


def parse_plain(tokens: list[str]) -> tuple[Operation, Request, str] | None:
    """Return the verb, its request and the output's form of a line without other options than ``-o``; else None."""
    operation = BY_NAME.get(tokens[0])
    if operation is None:
        return None
    words, output = _split(tokens[1:])
    if output not in operation.outputs or any(word.startswith("-") or not word for word in words):
        return None
    from pydantic import ValidationError

    names = _positional(operation.request)
    if len(words) > len(names):
        return None
    try:
        return operation, operation.request.model_validate(dict(zip(names, words, strict=False))), output
    except ValidationError:
        return None


def _split(tokens: list[str]) -> tuple[list[str], str]:
    """Return the words of a line without the output option at its end, and that option's value."""
    match tokens:
        case [*words, "-o" | "--output", output]:
            return words, output
        case [*words, last] if last.startswith("--output="):
            return words, last.removeprefix("--output=")
        case _:
            return tokens, "text"


def _positional(request: type[Request]) -> list[str]:
    """Return the positional fields that are texts, up to the first other one."""
    names = []
    for name, field in request.model_fields.items():
        extra: Any = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("positional"):
            if field.annotation not in (str, str | None) or field.metadata:
                break
            names.append(name)
    return names
