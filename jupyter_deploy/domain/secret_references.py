"""References to secrets: the variables that a model's processes get, and the places of their values. Pure.

A reference is ``env:NAME``, ``file:PATH``, ``keyring:NAME``, ``command:NAME`` or ``k8s:SECRET/KEY``. It is stored with
a release; the value is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BeforeValidator

from .errors import InvalidInput

Kind = Literal["env", "file", "keyring", "command", "k8s"]

OFF = "off"
"""The option's word for no secrets."""

COMMAND = "NBDEPLOY_SECRET_COMMAND"
"""The variable with the user's own command that prints the value of a ``command:`` reference."""

NAMES = "NBDEPLOY_SECRETS"
"""The variable of a model's process with the names of its secrets, whose values it masks."""

EXAMPLE = "DB_URL=env:DB_URL"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Variables of the interpreter, the loader, the libraries and nbdeploy itself.
_RESERVED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|TZ|TMPDIR|LC_.*|LD_.*|DYLD_.*|PYTHON.*|NBDEPLOY_.*|BENTOML_.*", re.IGNORECASE
)
SECRET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
"""The name of a stored secret, which is also the name of a file."""

_PLACES: dict[Kind, tuple[re.Pattern[str], str]] = {
    "env": (_VARIABLE, "a variable of your environment, such as env:PROD_DB"),
    "file": (re.compile(r"(/|~/).+", re.DOTALL), "an absolute path, such as file:/run/secrets/db"),
    "keyring": (SECRET_NAME, "a name of 'nbdeploy secret set', such as keyring:prod-db"),
    "command": (re.compile(r"[^\s-]\S*"), f"what the command in {COMMAND} gets, such as command:prod/db"),
    "k8s": (re.compile(r"[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._-]+"), "SECRET/KEY in the namespace, such as k8s:db/url"),
}


class SecretReference(NamedTuple):
    """Where a secret's value is, such as ``file`` and ``/run/secrets/db``."""

    kind: Kind
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"


def parse_reference(text: str) -> SecretReference:
    """Return a reference of its text.

    Raises
    ------
    InvalidInput
        The text is no reference. It is not shown: it may be a secret itself.
    """
    kind, colon, place = text.partition(":")
    for known in get_args(Kind):
        if colon and kind == known:
            pattern, meaning = _PLACES[known]
            if not pattern.fullmatch(place):
                raise InvalidInput(f"a reference '{known}:…' is not followed by {meaning}", "see 'nbdeploy secret -h'")
            return SecretReference(known, place)
    kinds = ", ".join(f"{kind}:" for kind in get_args(Kind))
    raise InvalidInput(
        "a secret is given as a reference and never as its value",
        f"write where the value is, beginning with {kinds} such as {EXAMPLE}",
    )


def parse_secrets(value: Any) -> Any:
    """``VARIABLE=REFERENCE`` texts (one or a list), or a mapping, as references by variable; ``off``: none.

    Raises
    ------
    ValueError
        A wrong variable or reference, or a variable that is given twice. No value is shown.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(_checked(name, reference) for name, reference in value.items())
    if not isinstance(value, str | list | tuple):
        return value  # pydantic reports the type
    texts = [value] if isinstance(value, str) else list(value)
    if texts == [OFF]:
        return {OFF: OFF}
    references: dict[str, str] = {}
    for text in texts:
        name, equals, reference = str(text).partition("=")
        if not equals:
            raise ValueError(f"a secret is not VARIABLE=REFERENCE: write, for example, {EXAMPLE}; or off alone")
        if name.strip() in references:
            raise ValueError(f"{name.strip()} is given twice: name each variable once")
        references.update([_checked(name.strip(), reference.strip())])
    return references


def _checked(name: Any, reference: Any) -> tuple[str, str]:
    if (name, reference) == (OFF, OFF):  # of a request that was written down
        return OFF, OFF
    if not _VARIABLE.fullmatch(str(name)):
        raise ValueError(f"'{name}' is no name of a variable: write, for example, {EXAMPLE}")
    if _RESERVED.fullmatch(str(name)):
        raise ValueError(f"{name} belongs to the process itself: let the model read a variable of another name")
    try:
        return str(name), str(parse_reference(str(reference)))
    except InvalidInput as error:
        raise ValueError(f"{name}: {error.message}: {error.remedy}") from error


SecretOptions = Annotated[dict[str, str], BeforeValidator(parse_secrets)]
"""References by variable, from ``VARIABLE=REFERENCE`` texts or a mapping."""


def secret_variables(values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a model's process that has these secrets."""
    return {NAMES: ",".join(values), **values} if values else {}


def in_words(secrets: Mapping[str, str]) -> str:
    """``DB_URL from env:PROD_DB, TOKEN from keyring:token``; none: ``none``."""
    return ", ".join(f"{name} from {reference}" for name, reference in secrets.items()) or "none"
