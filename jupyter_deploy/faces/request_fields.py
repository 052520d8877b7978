"""The fields of request models as options: their spelling, and a request of given values."""

from __future__ import annotations

from collections.abc import Mapping
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

    ``typed``: the options come from a command line, and the error spells them accordingly.

    Raises
    ------
    InvalidInput
        The error names each invalid option with the reason.
    """
    try:
        return request.model_validate({name: value for name, value in given.items() if value is not None})
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
