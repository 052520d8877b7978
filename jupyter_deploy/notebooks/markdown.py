"""R Markdown and Quarto documents as notebooks: each chunk that the document runs is a code cell. Pure.

The syntax is that of knitr (https://yihui.org/knitr/options/) and of Quarto's code cells
(https://quarto.org/docs/computations/execution-options.html). What decides at run time whether a chunk runs, or takes
its code from elsewhere, is refused: a guess could leave out the cell that makes the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, UnknownSource
from jupyter_deploy.domain.requests import MARKDOWN

_KERNELS = {"r": ("ir", "R"), "python": ("python3", "python")}
# Chunks of other languages that only show something.
_SHOWN = frozenset({"asis", "cat", "comment", "css", "dot", "embed", "html", "js", "mermaid", "ojs", "verbatim"})

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"(?P<indent>[ \t>]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_CHUNK = re.compile(r"\{\s*(?P<language>[A-Za-z][\w-]*)\s*(?P<options>.*)\}\s*")
_OPTION = re.compile(r"""(?:^|[,\s])(?P<name>[\w.-]+)\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^,]*)""")
_CELL_OPTION = re.compile(r"[#][|]\s?(?P<name>[\w.-]+)\s*[:=]\s*(?P<value>.*)")
_DEFAULT = re.compile(r"opts_chunk\$set\s*\([^)]*\beval\s*=\s*([^,)\s]+)")
_ELSEWHERE = ("child", "code", "file", "ref.label")
_TRUTH = {"true": True, "t": True, "yes": True, "false": False, "f": False, "no": False}


@dataclass
class _Chunk:
    line: int
    language: str
    options: dict[str, str]
    lines: list[str] = field(default_factory=list)


def is_markdown(path: str) -> bool:
    """Whether a path ends as those of R Markdown and Quarto documents do."""
    return PurePath(path).suffix.lower() in MARKDOWN


def notebook_of(text: str, path: str) -> dict[str, Any]:
    """Return the notebook, in nbformat 4's JSON, of an R Markdown or Quarto document.

    Its cells are the chunks that run; a chunk with ``error: true`` may raise. ``params`` of an R document become the
    first cell. The kernel is the front matter's ``jupyter``, else the one of the chunks' language.

    Raises
    ------
    UnknownSource
        The document has no chunk that runs, or a chunk without an end, or its front matter is no YAML.
    InvalidInput
        Chunks of several languages, an ``eval`` that is decided at run time, or code from elsewhere.
    """
    text = text.replace("\r\n", "\n")
    front, body, offset = _front_matter(text, path)
    execute = front.get("execute")
    runs = _truth(execute.get("eval", True), f"'execute: eval' of {path}") if isinstance(execute, Mapping) else True
    run, cells = [], []
    for chunk in _chunks(body, offset, path):
        where = f"the chunk in line {chunk.line} of {path}"
        if chunk.language in _SHOWN or not _truth(chunk.options.get("eval", runs), f"'eval' of {where}"):
            continue
        elsewhere = next((name for name in _ELSEWHERE if name in chunk.options), None)
        if elsewhere:
            raise InvalidInput(f"{where} takes its code from elsewhere ({elsewhere})", "write the code into the chunk")
        tags = ["raises-exception"] if _truth(chunk.options.get("error", False), f"'error' of {where}") else []
        source = "\n".join(chunk.lines)
        run.append(chunk)
        cells.append(_cell(source, tags))
        if default := _DEFAULT.search(source):
            runs = _truth(default[1], f"'opts_chunk' in {where}")
    language = _language(run, path)
    if language == "r" and (parameters := front.get("params")):
        cells.insert(0, _cell(_parameters(parameters, path), ["parameters"]))
    kernel, name = _KERNELS[language]
    chosen = front.get("jupyter")
    if isinstance(chosen, Mapping):
        chosen = (chosen.get("kernelspec") or {}).get("name")
    kernelspec = {"name": chosen or kernel, "language": name, "display_name": chosen or kernel}
    return {"cells": cells, "metadata": {"kernelspec": kernelspec}, "nbformat": 4, "nbformat_minor": 4}


def _front_matter(text: str, path: str) -> tuple[Mapping[str, Any], str, int]:
    """Return the front matter, the text below it, and the number of lines above that."""
    import yaml

    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, text, 0

    class Loader(yaml.SafeLoader):
        """The safe loader that takes the tags of knitr and Quarto (``!r``, ``!expr``) as texts."""

    Loader.add_multi_constructor("!", lambda _, tag, node: f"!{tag} {node.value}")
    try:
        front = yaml.load(found[1], Loader=Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise UnknownSource(f"the front matter of {path} is not YAML: {error}", "mend the lines between ---") from error
    return front if isinstance(front, Mapping) else {}, text[found.end() :], found[0].count("\n")


def _chunks(body: str, offset: int, path: str) -> Iterator[_Chunk]:
    """Yield the chunks; fenced blocks without a language in braces, and what is in them, are text."""
    fence, indent, chunk = "", "", None
    for number, line in enumerate(body.splitlines(), offset + 1):
        if fence:
            if re.fullmatch(rf"[ \t>]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*", line):
                if chunk:
                    yield chunk
                fence, chunk = "", None
            elif chunk:
                chunk.lines.append(line.removeprefix(indent))
                option = _CELL_OPTION.fullmatch(chunk.lines[-1].strip())
                if option and len(chunk.lines) == sum(one.strip().startswith("#|") for one in chunk.lines):
                    chunk.options[option["name"]] = option["value"].strip()
        elif begins := _FENCE.fullmatch(line):
            found = _CHUNK.fullmatch(begins["info"].strip())
            fence, indent = begins["fence"], begins["indent"]
            if found:
                options = {one["name"]: one["value"].strip() for one in _OPTION.finditer(found["options"])}
                chunk = _Chunk(number, found["language"].lower(), options)
    if chunk:
        raise UnknownSource(f"the chunk in line {chunk.line} of {path} has no end", f"end it with a line {fence}")


def _language(chunks: list[_Chunk], path: str) -> str:
    """Return the language of the chunks that run."""
    if not chunks:
        raise UnknownSource(f"{path} has no chunk that runs", "name a document with chunks such as ```{r} … ```")
    for chunk in chunks:
        if chunk.language not in _KERNELS:
            raise InvalidInput(
                f"the chunk in line {chunk.line} of {path} is of {chunk.language}, and models are of Python or R",
                "do without it, or let it not run: eval=FALSE",
            )
    languages = sorted({chunk.language for chunk in chunks})
    if len(languages) > 1:
        raise InvalidInput(
            f"{path} has chunks of {' and '.join(languages)}, and a notebook has one kernel",
            "deploy from a document of one language",
        )
    return languages[0]


def _truth(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    known = _TRUTH.get(str(value).strip().lower())
    if known is None:
        raise InvalidInput(f"{where} is decided at run time: {value}", "write TRUE or FALSE")
    return known


def _cell(source: str, tags: list[str]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": tags} if tags else {},
        "outputs": [],
        "source": source,
    }


def _parameters(parameters: Any, path: str) -> str:
    """Return the assignment of ``params`` in R."""
    if not isinstance(parameters, Mapping):
        raise InvalidInput(f"'params' of {path} are no names with values", "write, for example, params: {rows: 100}")
    given = []
    for name, declared in parameters.items():
        # That of an interface for parameters is a mapping.
        value = declared["value"] if isinstance(declared, Mapping) and "value" in declared else declared
        given.append(f"`{name}` = {_value(value, f'the parameter {name} of {path}')}")
    return f"params <- list({', '.join(given)})"


def _value(value: Any, where: str) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    if isinstance(value, int | float):
        return repr(value) if isinstance(value, float) else f"{value}L" if abs(value) < 2**31 else f"{value}"
    if isinstance(value, list) and value:
        return f"c({', '.join(_value(one, where) for one in value)})"
    if isinstance(value, str) and not value.startswith("!"):
        return json.dumps(value, ensure_ascii=False)
    raise InvalidInput(f"{where} is no text, number or truth value: {value}", "write its value")
