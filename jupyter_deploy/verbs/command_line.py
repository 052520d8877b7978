"""The command line that asks for the same again, as it is told to who was refused."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jupyter_deploy.domain.requests import Request
from jupyter_deploy.domain.secret_names import HIDDEN, hide_secrets
from jupyter_deploy.domain.validation.parameters import parse_parameters

_AGAIN = "…"


def retyped(request: Request, *head: str, leave_out: Collection[str] = ()) -> tuple[str, str]:
    """What is typed for the same request, and what has to be typed anew in it, since it is secret.

    Parameters
    ----------
    head
        The verb and what stands right behind it.
    leave_out
        Fields that ``head`` says already, or that mean nothing the second time.
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
    """What stands behind an option each time that it is given; empty: nothing does."""
    if value is True:
        yield ""
    elif isinstance(value, Mapping):
        yield from (f"{key}={_AGAIN if item == HIDDEN else _text(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from (_text(item) for item in value)
    else:
        yield _text(value)


def _text(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
