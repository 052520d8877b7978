"""Executed notebooks as HTML by nbconvert, in a sandboxed frame: no scripts, no requests, no navigation."""

from __future__ import annotations

import importlib
import json
import re
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

_FILE_BYTES = 64 * 1024**2
_OUTPUT = 200_000
_TEXTS = 2_000_000
_IMAGE = 2_000_000
_IMAGES = 6_000_000
_PAGE = 12_000_000
_KEPT = 20_000
_TAG = 40
"""The weight of a tag in addition to its characters: nbconvert parses HTML again, at 12,000 tags a second."""

# The outputs of cells are in their own document, in a frame without scripts, forms and navigation; a policy forbids all
# requests. The browser enforces both.
_FRAME = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
    "<meta http-equiv='Content-Security-Policy' "
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; media-src data:\">"
    "<meta http-equiv='x-dns-prefetch-control' content='off'>"
    "<meta name='viewport' content='width=device-width'><title>{title}</title><style>{style}</style></head>"
    "<body>{body}</body></html>"
)

# Elements that lead out of a document: none would load, but Chromium opens a connection to a frame's address before it
# checks the policy. Under another name each element does nothing.
_LEADS_OUT = re.compile(r"<(/?)(iframe|frame|frameset|object|embed|meta|base|link|form)(?=[\s/>])", re.IGNORECASE)


class Notebooks:
    """Executed notebooks as documents for frames, up to 12 MB per page; later ones are only linked."""

    def __init__(self) -> None:
        self._size_left = _PAGE

    def document(self, path: Path, title: str) -> tuple[str, int, str]:
        """Return the frame's document, its estimated height in pixels, and a note about omitted parts.

        The document is empty if the notebook cannot be shown; the note gives the reason.
        """
        import nbformat

        try:
            size = path.stat().st_size
            if size > _FILE_BYTES:
                return "", 0, f"It has {size / 1e6:.0f} MB: too much for this page."
            notebook = nbformat.read(path, as_version=4)
        except FileNotFoundError:
            return "", 0, "It is no longer there."
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one notebook, the report is written
            return "", 0, f"It cannot be read: {type(error).__name__}: {error}"
        cut = _bounded(notebook)
        try:
            body, _ = self._exporter.from_notebook_node(notebook)
        except Exception as error:  # noqa: BLE001
            return "", 0, f"nbconvert cannot show it: {type(error).__name__}: {error}"
        body = _LEADS_OUT.sub(r"<\1x-\2", body)
        # The size in an attribute, where tags are escaped.
        size_in_page = len(body) + 3 * body.count("<") + 3 * body.count(">") + 4 * body.count('"') + 4 * body.count("&")
        if size_in_page > self._size_left:
            return "", 0, "The notebooks before it have filled this page."
        self._size_left -= size_in_page
        note = f"{cut} long outputs are shortened or left out." if cut else ""
        return _FRAME.format(title=_escaped(title), style=self._style, body=body), _height(notebook), note

    @cached_property
    def _exporter(self) -> Any:
        from nbconvert.exporters import HTMLExporter
        from traitlets.config import Config

        shown = ["text/html", "text/markdown", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "text/plain"]
        # "basic": cells without a page, so without remote MathJax, RequireJS and widgets.
        config = Config({"NbConvertBase": {"display_data_priority": shown}})
        return HTMLExporter(config=config, template_name="basic")

    @cached_property
    def _style(self) -> str:
        from pygments.formatters import HtmlFormatter

        own = resources.files(__package__).joinpath("notebook.css").read_text("utf-8")
        light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
        dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
        return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{own}"


def warm() -> None:
    """Import the dependencies of a report: half a second, while the notebooks run."""
    import vl_convert

    importlib.import_module("nbconvert.exporters")
    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}}, vl_version="5.20")


def _bounded(notebook: Any) -> int:
    """Shorten long outputs in place; return their number."""
    cut, texts, images = 0, _TEXTS, _IMAGES
    for cell in notebook.cells:
        if len(cell.source) > _OUTPUT:
            cell.source, cut = _shortened(cell.source), cut + 1
        for output in cell.get("outputs", []):
            before = len(json.dumps(output))
            _shorten(output)
            text, image = _weights(output)
            if text > texts or image > images:
                _replace(output, f"[{before:,} characters left out]")
                text, image = _weights(output)
            texts, images = texts - text, images - image
            cut += len(json.dumps(output)) < before
            for about in output.get("metadata", {}).values():
                if isinstance(about, dict):
                    about.pop("isolated", None)  # would become a frame, which is forbidden
    return cut


def _weights(output: Any) -> tuple[int, int]:
    """Return the weights of an output's texts and of its images."""
    if "data" not in output:
        return len(json.dumps(output)), 0
    sizes = {mime: _weight(mime, content) for mime, content in output.data.items()}
    images = sum(size for mime, size in sizes.items() if mime.startswith("image/"))
    return sum(sizes.values()) - images + 100, images


def _weight(mime: str, content: Any) -> int:
    tags = content.count("<") if isinstance(content, str) and mime in ("text/html", "text/markdown") else 0
    return len(content if isinstance(content, str) else json.dumps(content)) + _TAG * tags


def _shorten(output: Any) -> None:
    if output.output_type == "stream":
        output.text = _shortened(output.text)
    elif output.output_type == "error":
        output.traceback = _shortened("\n".join(output.traceback)).split("\n")
        output.evalue = _shortened(output.evalue)
    else:
        data = output.data
        for mime in list(data):
            if _weight(mime, data[mime]) <= (_IMAGE if mime.startswith("image/") else _OUTPUT):
                continue
            if mime == "text/plain":
                data[mime] = _shortened(data[mime])
            else:
                size = len(str(data.pop(mime)))
                data.setdefault("text/plain", f"[{mime} of {size:,} characters left out]")


def _replace(output: Any, words: str) -> None:
    if output.output_type == "stream":
        output.text = words
    elif output.output_type == "error":
        output.traceback, output.evalue = [words], words
    else:
        output.data = type(output.data)({"text/plain": words})


def _shortened(text: str) -> str:
    if len(text) <= _OUTPUT:
        return text
    return f"{text[:_KEPT]}\n\n[… {len(text) - 2 * _KEPT:,} characters left out …]\n\n{text[-_KEPT:]}"


def _height(notebook: Any) -> int:
    """Estimate the height of a notebook in pixels, since a sandboxed frame cannot be measured from outside."""
    pixels = 40
    for cell in notebook.cells:
        pixels += 20 + 20 * (cell.source.count("\n") + 1)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(mime.startswith("image/") for mime in data):
                pixels += 400
            elif "text/html" in data:
                pixels += 30 + 28 * data["text/html"].count("<tr")
            else:
                text = output.get("text", data.get("text/plain", "\n".join(output.get("traceback", []))))
                pixels += 16 + 20 * (str(text).count("\n") + 1)
    return max(120, min(pixels, 760))


def _escaped(text: str) -> str:
    import html

    return html.escape(text)
