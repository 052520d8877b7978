"""The command line of a request, for the remedy of a refusal."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jupyter_deploy.domain.release.resources import ANY
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.domain.secret_names import HIDDEN, hide_secrets
from jupyter_deploy.domain.validation.parameters import parse_parameters

_AGAIN = "…"


def retyped(request: Request, *head: str, leave_out: Collection[str] = ()) -> tuple[str, str]:
    """Return the command line of a request, and the secret parameters that the user has to type again.

    Parameters
    ----------
    head
        The verb and the words right after it.
    leave_out
        Fields that ``head`` has already, or that have no meaning the second time.
    """
    words, secrets = list(head), []
    for name, field in type(request).model_fields.items():
        value = getattr(request, name)
        if name in leave_out or value == field.get_default(call_default_factory=True):
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}
        if extra.get("pairs"):
            value = {key: hide_secrets(key, item) for key, item in parse_parameters(value).items()}
            secrets += [key for key, item in value.items() if item == HIDDEN]
        option = str(extra.get("short", f"--{name.replace('_', '-')}"))
        words += [word for text in _texts(value) for word in ((option, text) if text else (option,))]
    return shlex.join(words), ", ".join(secrets)


def _texts(value: Any) -> Iterator[str]:
    """Yield the word after each use of an option; empty: the option has no value."""
    if value is True:
        yield ""
    elif isinstance(value, Mapping):
        yield from (f"{key}={_AGAIN if item == HIDDEN else _text(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from (_text(item) for item in value)
    else:
        yield _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ANY  # a resource without a limit
    return f"{value:.15g}" if isinstance(value, float) else str(value)
