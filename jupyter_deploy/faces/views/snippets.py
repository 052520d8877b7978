"""How programs ask an endpoint: texts that work when they are pasted. Pure.

The token, where requests need one, is read from its file when the program runs, and so is in no text. Python's uses the
standard library alone, R's the package httr2, JavaScript's is for Node.js 18 and newer and, without a token, browsers.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .form_documents import Snippet

_WIDTH = 88  # of a line, where values can be broken: consoles take no line of 4096 bytes and more
_json = partial(json.dumps, ensure_ascii=False)
_EXACT = 2**53  # JavaScript has no whole numbers beyond


def snippets(url: str, body: Any, header_file: Path | None) -> tuple[Snippet, ...]:
    """Programs that post ``body`` to ``url`` and show the answer.

    Parameters
    ----------
    header_file
        Its one line is the header that requests must carry; None: they need none.
    """
    file = str(header_file) if header_file else None
    return (
        Snippet(language="curl", title="curl", text=_curl(url, body, file)),
        Snippet(language="python", title="Python", text=_python(url, body, file)),
        Snippet(language="r", title="R (httr2)", text=_r(url, body, file)),
        Snippet(language="javascript", title="JavaScript", text=_javascript(url, body, file)),
    )


def _curl(url: str, body: Any, file: str | None) -> str:
    token = f" -H {shlex.quote(f'@{file}')}" if file else ""
    # A here-document, in which nothing is special: what people change in it needs no quoting either.
    return (
        f"curl -sS {shlex.quote(url)} -H 'content-type: application/json'{token} --data-binary @- <<'JSON'\n"
        f"{laid_out(body, _json)}\nJSON\n"
    )


def _python(url: str, body: Any, file: str | None) -> str:
    imports = "import json\nimport urllib.request\n" + ("from pathlib import Path\n" if file else "")
    token = f"name, token = Path({file!r}).read_text().strip().split(': ')\nheaders[name] = token\n" if file else ""
    return (
        f"{imports}\n"
        f"body = {laid_out(body, repr)}\n"
        'headers = {"content-type": "application/json"}\n'
        f"{token}"
        f"request = urllib.request.Request({url!r}, json.dumps(body).encode(), headers)\n"
        "with urllib.request.urlopen(request) as response:\n"
        "    print(json.load(response))\n"
    )


def _r(url: str, body: Any, file: str | None) -> str:
    """With the body as JSON: R itself does not tell one value from a list of one, and has no long integers."""
    token, headers = "", ""
    if file:
        token = f'header <- strsplit(readLines({_r_text(file)}), ": ")[[1]]\n'
        headers = "  req_headers(!!!setNames(list(header[2]), header[1])) |>\n"
    return (
        "library(httr2)\n\n"
        f"body <- {_r_text(laid_out(body, json.dumps))}\n"
        f"{token}"
        f"response <- request({_r_text(url)}) |>\n"
        f"{headers}"
        '  req_body_raw(body, type = "application/json") |>\n'
        "  req_perform()\n"
        "cat(resp_body_string(response))\n"
    )


def _r_text(text: str) -> str:
    """A raw string, closed by what is not in it."""
    dashes = ""
    while f'){dashes}"' in text:
        dashes += "-"
    return f'r"{dashes}({text}){dashes}"'


def _javascript(url: str, body: Any, file: str | None) -> str:
    sent = f"JSON.stringify({laid_out(body, _json, '  ')})" if _is_exact(body) else json.dumps(_json(body))
    token, header = "", ""
    if file:
        token = (
            'const { readFileSync } = await import("node:fs");\n'
            f'const [name, token] = readFileSync({json.dumps(file)}, "utf8").trim().split(": ");\n'
        )
        header = ", [name]: token"
    return (
        f"{token}"
        f"const response = await fetch({json.dumps(url)}, {{\n"
        '  method: "POST",\n'
        f'  headers: {{ "content-type": "application/json"{header} }},\n'
        f"  body: {sent},\n"
        "});\n"
        "console.log(JSON.stringify(await response.json()));\n"
    )


def _is_exact(value: Any) -> bool:
    """Whether JavaScript has this value as it is written."""
    match value:
        case dict():
            return "__proto__" not in value and all(map(_is_exact, value.values()))
        case list():
            return all(map(_is_exact, value))
        case int():
            return abs(value) <= _EXACT
        case _:
            return True


def laid_out(value: Any, written: Callable[[Any], str], indent: str = "") -> str:
    """A value over as many lines as it needs; ``written`` writes it in one."""
    line = written(value)
    if not value or not isinstance(value, dict | list) or len(indent) + len(line) <= _WIDTH:
        return line
    inner = f"{indent}  "
    if isinstance(value, dict):
        parts = [f"{written(name)}: {laid_out(one, written, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(f"{inner}{part}" for part in parts) + f"\n{indent}}}"
    lines = [""]
    for one in value:
        part = laid_out(one, written, inner)
        if lines[-1] and ("\n" in part or len(inner) + len(lines[-1]) + len(part) + 3 > _WIDTH):
            lines.append(part)
        else:
            lines[-1] += f"{', ' if lines[-1] else ''}{part}"
    return "[\n" + ",\n".join(f"{inner}{line}" for line in lines) + f"\n{indent}]"
