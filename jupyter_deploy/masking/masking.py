"""Secrets in Python code and magics, and the masking of texts before they are shown or stored."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.capture.findings import Finding

from .detection import Hit, secret_under, secrets_in

MASK = "***"

_LONGEST = 200_000  # characters of code that are parsed

_MAGIC_LINE = re.compile(r"(?m)^([ \t]*)([%!].*)$")
_GIVEN = re.compile(r"""(?<![\w.-])-{0,2}([A-Za-z_][\w.-]{0,63})["']?(?:=|:[ \t]{0,9})["']?([^\s"']{4,4096})""")
_OPTION = re.compile(r"""(?<![\w.-])--([A-Za-z_][\w.-]{0,63})[ \t]{1,9}["']?([^\s"'-][^\s"']{3,4095})""")
_ENV = re.compile(r"%(?:set_)?env[ \t]+([A-Za-z_]\w{0,63})(?:=|[ \t]+)[\"']?([^\s\"']{4,4096})")


def masked(text: str) -> tuple[str, list[str]]:
    """Return the text with every secret replaced by ``***``, and the kinds of the secrets. Code is parsed as code."""
    literals = secret_literals(text)
    for literal in reversed(literals):
        text = f"{text[: literal.start]}'{MASK}'{text[literal.end :]}"
    hits = [*(literal.hit for literal in literals), *secrets_in_magics(text), *secrets_in(text)]
    for hit in sorted(hits, key=lambda hit: -len(hit.value)):
        text = text.replace(hit.value, MASK)
    return text, list(dict.fromkeys(hit.kind for hit in hits))


def masked_values(value: Any, name: str = "") -> Any:
    """Return a JSON value with its secrets replaced by ``***``."""
    if isinstance(value, dict):
        return {key: masked_values(child, str(key)) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [masked_values(child, name) for child in value]
    if isinstance(value, str):
        return MASK if secret_under(name, value) else masked(value)[0]
    return value


def masked_cells(cells: Iterable[str]) -> tuple[str, ...]:
    """Return the cells' sources with their secrets masked."""
    return tuple(masked(source)[0] for source in cells)


def without_secrets(findings: Iterable[Finding], cells: Iterable[str]) -> tuple[Finding, ...]:
    """Mask secrets in findings, which are shown and stored: known formats and the values in the cells."""
    values = {hit.value for cell in cells for hit in (*secrets_in_code(cell), *secrets_in_magics(cell))}

    def clean(text: str) -> str:
        for value in sorted(values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return masked(text)[0]

    return tuple(f.model_copy(update={"message": clean(f.message), "remedy": clean(f.remedy)}) for f in findings)


def secrets_in_code(code: str) -> list[Hit]:
    """Return the secrets in Python code, also in brackets, tuples and concatenated literals."""
    return list(dict.fromkeys((*(literal.hit for literal in secret_literals(code)), *secrets_in(code))))


@dataclass(frozen=True)
class Literal:
    """The position of a secret literal in code."""

    start: int
    end: int
    hit: Hit


def secrets_in_magics(code: str) -> list[Hit]:
    """Return the secrets in magics and shell lines, whose values need no quotes (``%env API_KEY=…``)."""
    hits = []
    for _, line in _MAGIC_LINE.findall(code):
        for pattern in (_ENV, _GIVEN, _OPTION):
            for name, value in pattern.findall(line):
                hits += secret_under(name.replace("-", "_"), value)
    return list(dict.fromkeys(hits))


def secret_literals(code: str) -> list[Literal]:
    """Return the secret literals in order; none if the code is not valid Python."""
    if len(code) > _LONGEST or not any(sign in code for sign in "'\""):
        return []
    lines = code.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    literals: dict[int, Literal] = {}
    tree = _parsed(code)
    for name, node, of_mapping in _named(tree) if tree is not None else ():
        text = _text(node)
        if text and node.end_lineno and node.end_col_offset is not None:
            for hit in secret_under(name, text.strip(), of_mapping=of_mapping):
                start, end = offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)
                literals.setdefault(start, Literal(start, end, hit))
    return [literals[start] for start in sorted(literals)]


def _parsed(code: str) -> ast.Module | None:
    with warnings.catch_warnings(action="ignore"):
        for source in (code, _MAGIC_LINE.sub(r"\1pass", code)):
            try:
                return ast.parse(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def _named(tree: ast.AST) -> Iterator[tuple[str, ast.expr, bool]]:
    """Yield each value with the name that it is assigned to, and whether the name is a mapping's key."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign():
                for target in node.targets:
                    yield from _assigned(target, node.value)
            case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
                yield from _assigned(node.target, value)
            case ast.keyword(arg=str() as name):
                yield name, node.value, False
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value, True
            case ast.arguments():
                named = [*node.posonlyargs, *node.args]
                pairs = [*zip(reversed(named), reversed(node.defaults), strict=False)]
                pairs += [(a, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d]
                yield from ((argument.arg, default, False) for argument, default in pairs)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr, bool]]:
    match target, value:
        case (ast.Tuple() | ast.List(), ast.Tuple() | ast.List()) if len(target.elts) == len(value.elts):
            for part, part_value in zip(target.elts, value.elts, strict=True):
                yield from _assigned(part, part_value)
        case [ast.Name(id=name), _]:
            yield name, value, False
        case [ast.Attribute(attr=name), _]:
            yield name, value, False
        case [ast.Subscript(slice=ast.Constant(value=str() as name)), _]:
            yield name, value, False


def _text(node: ast.expr) -> str | None:
    """Return the text of a literal or of a concatenation of literals."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=bytes() as text):
            return text.decode("latin-1")
        case ast.BinOp(op=ast.Add()):
            parts = _text(node.left), _text(node.right)
            return None if parts[0] is None or parts[1] is None else parts[0] + parts[1]
    return None
