"""``nbdeploy secret set|list|rm``: the values behind references ``keyring:NAME``.

It is no operation, since a value must be in no request, job or history.
"""

from __future__ import annotations

import getpass
import json
import sys
from typing import Literal

from cyclopts import App, CycloptsError

from jupyter_deploy import __version__
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.faces.render.error_codes import INTERNAL, USAGE
from jupyter_deploy.faces.render.output import write
from jupyter_deploy.settings import load_settings
from jupyter_deploy.system.secret_store import SecretStore

HELP = """Store values of secrets: passwords, tokens, URLs with a password.

A release names them: nbdeploy deploy train.ipynb ... --secret DB_URL=keyring:prod-db. Its model then reads
os.environ["DB_URL"]. Other references name values that stay elsewhere: env:NAME of the environment that calls
nbdeploy, file:PATH, command:NAME (printed by the command in NBDEPLOY_SECRET_COMMAND, such as 'pass show'), and
k8s:SECRET/KEY of the namespace on target kubernetes. A value is read at each start of a process, so a changed one
needs no new release. It is in no snapshot, image, record or log."""


def secret(tokens: list[str]) -> int:
    """Run ``nbdeploy secret …``; return its exit code."""
    app = App(
        name="nbdeploy secret",
        help=HELP,
        help_format="plaintext",
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(set_, name="set")
    app.command(list_, name="list")
    app.command(rm)
    try:
        return app(tokens or ["--help"], exit_on_error=False, print_error=True) or 0
    except CycloptsError:
        return USAGE


def set_(name: str, /) -> int:
    """Store a value under NAME, in place of an earlier one: asked for without echo, or read from standard input."""
    where = _store().set(name, ask(name))
    return _printed(f"{name} is stored in {where}; name it as keyring:{name}")


def list_(*, output: Literal["text", "json"] = "text") -> int:
    """List the names of the stored values and where they are; no value is shown."""
    names = _store().names()
    if output == "json":
        return _printed(json.dumps([{"name": name, "in": where} for name, where in names.items()]))
    lines = [f"{name}  {where}" for name, where in names.items()]
    return _printed("\n".join(lines) or "no secret is stored; store one: nbdeploy secret set NAME")


def rm(name: str, /) -> int:
    """Remove the value of NAME. Running processes keep it; the next start of a release that needs it fails."""
    if not _store().remove(name):
        raise InvalidInput(f"no secret {name} is stored", "see: nbdeploy secret list")
    return _printed(f"{name} is removed")


def ask(name: str) -> str:
    """Return a value that a person types without echo, or the whole standard input, without its last line break."""
    if sys.stdin is not None and not sys.stdin.isatty():
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    return getpass.getpass(f"value of {name}: ")


def _store() -> SecretStore:
    return SecretStore(load_settings().home)


def _printed(text: str) -> int:
    return INTERNAL if write(text, sys.stdout) == "failed" else 0
