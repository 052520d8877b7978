"""Completion of the command line in bash, zsh and fish: commands, options, endpoints' names and releases' tags.

A shell's script calls ``nbdeploy __complete WORD…`` with the words up to the cursor. The answer needs the request
models and the store's file alone.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.faces.render.output import write
from jupyter_deploy.system.home import default_home
from jupyter_deploy.verbs import BY_NAME, Operation

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

SCRIPTS = {
    "bash": r"""# in ~/.bashrc: eval "$(nbdeploy completion bash)"
_nbdeploy() {
    local line="${COMP_LINE:0:COMP_POINT}" breaks="${COMP_WORDBREAKS//[^:=]/}" word prefix="" words
    read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    word="${words[-1]}"
    # bash replaces the text after the last ':' or '=' alone.
    [[ -n "$breaks" ]] && prefix="${word%"${word##*[$breaks]}"}"
    mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    [[ "${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o default -F _nbdeploy nbdeploy""",
    "zsh": r"""# in ~/.zshrc, after compinit: eval "$(nbdeploy completion zsh)"
_nbdeploy() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    found=("${(@)found:#}")
    if (( ${#found} == 0 )); then
        _files
    elif [[ "${found[1]}" == *= ]]; then
        compadd -Q -S "" -a found
    else
        compadd -Q -a found
    fi
}
compdef _nbdeploy nbdeploy""",
    "fish": r"""# in ~/.config/fish/config.fish: nbdeploy completion fish | source
complete -c nbdeploy -a '(nbdeploy __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'""",
}

_OTHERS = ("completion", "secret", "--help", "--version")
_OUTPUT = ("--output", "-o")


def complete(tokens: Sequence[str]) -> int:
    """Print a shell's script, or the completions of the last word, one a line."""
    if tokens[0] == "completion":
        shell = next(iter(tokens[1:]), "")
        if shell not in SCRIPTS:
            raise InvalidInput("the completion names no shell", "write 'nbdeploy completion bash', or zsh or fish")
        write(SCRIPTS[shell], sys.stdout)
        return 0
    with suppress(Exception):  # a completion must never disturb the line that is typed
        for candidate in completions(list(tokens[1:]) or [""]):
            write(candidate, sys.stdout)
    return 0


def completions(words: Sequence[str]) -> list[str]:
    """Return the completions of the last word; none means that the shell completes files."""
    *before, word = words
    if not before:
        candidates: Iterable[str] = [*BY_NAME, *_OTHERS]
    elif before[0] == "completion":
        candidates = SCRIPTS
    elif before[0] in BY_NAME:
        candidates = _of_verb(BY_NAME[before[0]], before[1:], word)
    else:
        candidates = ()
    return [one for one in dict.fromkeys(candidates) if one.startswith(word)]


def _of_verb(operation: Operation, before: Sequence[str], word: str) -> Iterable[str]:
    fields = operation.request.model_fields
    named = {f"--{name.replace('_', '-')}": field for name, field in fields.items()}
    options = {name: field for name, field in named.items() if not _extra(field).get("positional")}
    option, equals, _ = word.partition("=")
    if equals and option in options:
        return [f"{option}={value}" for value in _values(options[option])]
    if word.startswith("-"):
        return [*options, *_OUTPUT, "--help"]
    last = before[-1] if before else ""
    if last in options and options[last].annotation is not bool:
        return _values(options[last])
    return operation.outputs if last in _OUTPUT else _positional(fields, options, before)


def _positional(
    fields: Mapping[str, FieldInfo], options: Mapping[str, FieldInfo], before: Sequence[str]
) -> Iterable[str]:
    """Return the values of the positional argument at the cursor."""
    given, awaited = 0, False
    for word in before:
        if awaited:
            awaited = False
        elif word.startswith("-"):
            awaited = word in options and options[word].annotation is not bool
        else:
            given += 1
    positional = [field for field in fields.values() if _extra(field).get("positional")]
    return _values(positional[given]) if given < len(positional) else ()


def _values(field: FieldInfo) -> Iterable[str]:
    kind = _extra(field).get("completes")
    if kind is None:
        return _choices(field.annotation)
    endpoints = list(_endpoints())
    names, tags = [name for name, _ in endpoints], [tag for _, releases in endpoints for tag in releases]
    values = {"endpoint": names, "release": tags, "model": [*names, *tags], "share": [f"{tag}=" for tag in tags]}
    return values[str(kind)]


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) in (Union, UnionType):
        return [choice for part in get_args(annotation) for choice in _choices(part)]
    return list(map(str, get_args(annotation))) if get_origin(annotation) is Literal else []


def _endpoints() -> Iterator[tuple[str, list[str]]]:
    """Yield each endpoint's name with its releases' tags, from the store's file."""
    home = Path(os.environ.get("NBDEPLOY_HOME") or _home_of_file() or default_home()).expanduser()
    path = home / "state.sqlite"
    if path.is_file():
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.2)) as db:
            for name, state in db.execute("SELECT name, state FROM endpoints ORDER BY name"):
                yield name, [release["tag"] for release in json.loads(state)["releases"]]


def _home_of_file() -> str | None:
    from jupyter_deploy.system.setting_sources import file_values

    return file_values(Path("nbdeploy.yaml")).get("home")


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}
