"""The class of an entry in the table of verbs.

Imports the standard library alone, since ``import jupyter_deploy`` reads the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, get_type_hints

_VERBS = __name__.rpartition(".")[0]
_PACKAGE = _VERBS.rpartition(".")[0]


class Operation(NamedTuple):
    """A verb with the data that the faces need. No other module lists verbs or the types of their results.

    A ``module.attribute`` is imported when it is first used, so that help and completion import none.

    Attributes
    ----------
    request_type
        ``module.class`` of the request model, in ``domain``.
    place
        ``module.function`` of the verb, in this package. Its return annotation is the type of the result.
    label
        The name of its command in JupyterLab; a command with a form ends in an ellipsis.
    page
        ``module.function`` that makes the page of a result, in ``faces.render``. If a verb
        returns an iterable, its items have pages too.
    title
        ``module.function`` that makes a job's title of a request, in this package; default: the verb and its subject.
    exit_code
        ``module.function`` that makes the exit code of a result, in ``faces.render``; default: 0.
    charts
        ``module.function`` that makes the charts of a result, in ``faces.render``; default: none.
    yaml
        ``module.function`` that makes the YAML document of a result, in ``faces.render``; default: there is none.
    slow
        It takes seconds: a face shows its progress, and JupyterLab's server runs it as a job.
    safe
        It changes nothing and its request fits into a query, so HTTP's GET calls it too.
    destructive
        It stops or removes something: a form warns of it.
    finishes
        After a Ctrl-C it finishes with what it has, however long that takes: a job is killed by its second cancel.
    heard_once
        The command line handles one Ctrl-C, and shows the result of the finished work.
    """

    name: str
    request_type: str
    place: str
    label: str
    page: str
    title: str = ""
    exit_code: str = ""
    charts: str = ""
    yaml: str = ""
    slow: bool = False
    safe: bool = False
    destructive: bool = False
    heard_once: bool = False
    finishes: bool = False

    @property
    def summary(self) -> str:
        """The first line of the request's documentation, from its source: an import would build its model."""
        module, _, name = self.request_type.rpartition(".")
        found = re.search(rf'^class {name}\(\w+\):\n    """(.+?)(?:"""|\n)', _source(module), re.MULTILINE)
        return found[1] if found else str(self.request.__doc__).partition("\n")[0]

    @property
    def request(self) -> type[Any]:
        """The request model."""
        request: type[Any] = attribute(f"{_PACKAGE}.domain.{self.request_type}")
        return request

    @property
    def function(self) -> Callable[..., Any]:
        """The verb."""
        function: Callable[..., Any] = attribute(f"{_VERBS}.{self.place}")
        return function

    @property
    def result(self) -> Any:
        """The type of the result."""
        function = self.function
        # Types of the parameters, such as those of the ports, need not be importable.
        returned = type("Returned", (), {"__annotations__": {"it": function.__annotations__["return"]}})
        return get_type_hints(returned, vars(import_module(function.__module__)))["it"]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The forms of its result on a command line."""
        return ("text", "json", "yaml") if self.yaml else ("text", "json")

    def job_title(self, request: Any) -> str:
        """The title of a job, such as ``deploy clf as churn`` or ``purge churn``."""
        if self.title:
            title: str = attribute(f"{_VERBS}.{self.title}")(request)
            return title
        subject = getattr(request, "name", None) or getattr(request, "tag", None)
        return f"{self.name} {subject}" if subject else self.name


@cache
def _source(module: str) -> str:
    """The source of a module of ``domain``; empty: it is installed without sources."""
    found = find_spec(f"{_PACKAGE}.domain.{module}")
    source = getattr(found.loader, "get_source", None) if found else None
    return (source(f"{_PACKAGE}.domain.{module}") or "") if source else ""


def attribute(place: str) -> Any:
    """The attribute that a dotted text names; its module is imported."""
    module, _, name = place.rpartition(".")
    return getattr(import_module(module), name)
