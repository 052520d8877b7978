"""The results of verbs as text and HTML, by the pages and charts that the table of operations names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin

from jupyter_deploy.domain.base import Value, text_forms
from jupyter_deploy.verbs import OPERATIONS, Operation, attribute

from .page import Page, as_html, as_text

if TYPE_CHECKING:
    from jupyter_deploy.domain.charts import Chart

_PACKAGE = __name__.rpartition(".")[0]


class Listing(list[Any]):
    """A list of results that a notebook shows as a table."""

    def __str__(self) -> str:
        """The table as text."""
        return text(self)


def text(result: Any, operation: Operation | None = None) -> str:
    """Render a result for a terminal. ``operation``: the result's operation, if the caller knows it."""
    return as_text(page(result, operation))


def html(result: Any) -> str:
    """Render a result for a notebook's output."""
    return as_html(page(result))


def page(result: Any, operation: Operation | None = None) -> Page:
    """Make the page of a result."""
    if isinstance(result, list) and not result:
        return Page("nothing to show")
    operation = operation or operation_of(result)
    document: Page = Page(repr(result)) if operation is None else rendering(operation.page)(result)
    return document


def exit_code(result: Any, operation: Operation | None = None) -> int:
    """Return a result's exit code: 0, unless its operation defines another one."""
    operation = operation or operation_of(result)
    if operation is None or not operation.exit_code:
        return 0
    code: int = rendering(operation.exit_code)(result)
    return code


def rendering(place: str) -> Any:
    """Return the function of this package that an operation names."""
    return attribute(f"{_PACKAGE}.{place}")


def operation_of(result: Any) -> Operation | None:
    """Return the first operation with this type of result; None for an empty list, which has no type."""
    by_type = _operations()
    if isinstance(result, list):
        return by_type.lists.get(type(result[0])) if result else None
    return by_type.values.get(type(result))


class _ByType(NamedTuple):
    """Operations by the types of their results, and by the types of the items of lists."""

    values: dict[type, Operation]
    lists: dict[type, Operation]


@cache
def _operations() -> _ByType:
    by_type = _ByType({}, {})
    for operation in OPERATIONS:
        result = operation.result
        for kind in get_args(result) if get_origin(result) in (Union, UnionType) else (result,):
            item, *_ = get_args(kind) or (None,)
            if item is None:
                by_type.values.setdefault(kind, operation)
                continue
            by_type.lists.setdefault(item, operation)
            if get_origin(kind) is Iterable:  # shown one by one, too
                by_type.values.setdefault(item, operation)
    return by_type


def register_formatters(shell: Any) -> None:
    """Show results as HTML, with their charts, in this shell's notebook."""
    formatters = shell.display_formatter.formatters
    for kind in (Listing, *_operations().values):
        formatters["text/html"].for_type(kind, html)
        formatters["text/plain"].for_type(kind, lambda value, printer, _cycle: printer.text(text(value)))
    for kind, operation in _operations().values.items():
        if operation.charts:
            shell.display_formatter.ipython_display_formatter.for_type(kind, _display_charted)


def _display_charted(result: Any) -> None:
    """Display the table and the charts separately: of one output a front end would show only the richest form."""
    from IPython.display import display  # only where IPython runs already

    for bundle in charted_bundles(result):
        display(bundle, raw=True)


def charted_bundles(result: Any) -> list[dict[str, Any]]:
    """Return the table and the charts, each by MIME type."""
    table = {"text/html": html(result), "text/plain": text(result)}
    operation = operation_of(result)
    charts: Sequence[Chart] = rendering(operation.charts)(result) if operation and operation.charts else []
    return [table, *map(charted_bundle, charts)]


def charted_bundle(chart: Chart) -> dict[str, Any]:
    """Return a chart by MIME type."""
    from jupyter_deploy.domain.charts import MIME

    return {MIME: chart, "text/plain": "[chart: open in JupyterLab to see it]"}


def _text_form(value: Value) -> str | None:
    return text(value) if operation_of(value) else None


text_forms.append(_text_form)
