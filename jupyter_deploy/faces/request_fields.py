"""The fields of request models as options: their spelling, and a request of given values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.requests import Request

R = TypeVar("R", bound=Request)


def is_positional(field: FieldInfo) -> bool:
    """Whether a field is a positional argument."""
    extra = field.json_schema_extra
    return isinstance(extra, Mapping) and bool(extra.get("positional"))


def option_names(name: str, field: FieldInfo) -> list[str] | None:
    """Return the long and the short spelling of an option; None: it has no short one."""
    extra = field.json_schema_extra
    short = extra.get("short") if isinstance(extra, Mapping) else None
    return [f"--{name.replace('_', '-')}", str(short)] if short else None


def spelling(name: str, field: FieldInfo) -> str:
    """Return a field's spelling on the command line: ``--workers/-n``; of a positional one ``NOTEBOOKS``."""
    if is_positional(field):
        return name.upper()
    return "/".join(option_names(name, field) or [f"--{name.replace('_', '-')}"])


def request_from(request: type[R], given: Mapping[str, Any], *, typed: bool = False) -> R:
    """Build a request; pydantic's errors become one readable error.

    ``typed``: the options come from a command line: the error spells them accordingly, and ``@FILE`` is the file's
    content for an option that takes a JSON document, since an argument may have 128 KiB at most.

    Raises
    ------
    InvalidInput
        The error names each invalid option with the reason, or the file that cannot be read.
    """
    present = {name: value for name, value in given.items() if value is not None}
    if typed:
        present = {name: _content(request, name, value) for name, value in present.items()}
    try:
        return request.model_validate(present)
    except ValidationError as error:
        fields = request.model_fields
        spellings = {name: spelling(name, field) if typed else name for name, field in fields.items()}
        lines = []
        for problem in error.errors():
            first, *rest = map(str, problem["loc"])
            where = ".".join([spellings.get(first, first), *rest])
            lines.append(f"  {where}: {problem['msg'].removeprefix('Value error, ')}")
        raise InvalidInput(
            "an option is wrong", f"the options are: {', '.join(spellings.values())}", "\n".join(lines)
        ) from error


def _content(request: type[Request], name: str, value: Any) -> Any:
    """Return the text of ``@FILE`` if the field takes a JSON object, else the value."""
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    schema = request.model_json_schema()["properties"].get(name, {})
    if not any(branch.get("type") == "object" for branch in schema.get("anyOf", [schema])):
        return value
    try:
        return Path(value[1:]).expanduser().read_text("utf-8")
    except (OSError, ValueError) as error:  # ValueError: it is no text, or its name has a null character
        raise InvalidInput(f"cannot read {value[1:]}: {error}", "name a readable JSON file after the @") from error
