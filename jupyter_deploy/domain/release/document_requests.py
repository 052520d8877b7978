"""The requests and results of ``plan`` and ``apply``."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.base import FilePath, Value
from jupyter_deploy.domain.manifests import ObjectChange
from jupyter_deploy.domain.requests import Force, IfRevision, Reason, Request

from .document import EndpointDocument


def _parsed(given: Any) -> Any:
    """Return a document, or that of its JSON text."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise ValueError(f"the document is no JSON: {error}") from None


GivenDocument = Annotated[EndpointDocument, BeforeValidator(_parsed)]
"""A document in a request: itself, or its JSON text on a command line."""


class DocumentsRequest(Request):
    """The documents of a file, or one document itself."""

    file: Annotated[str | None, FilePath()] = Field(
        default=None,
        description="A YAML file with one document for each endpoint, as 'nbdeploy describe NAME -o yaml' writes it.",
        json_schema_extra={"positional": True},
    )
    document: GivenDocument | None = Field(
        default=None,
        description="In place of a file: the document of one endpoint, as JSON. Its relative paths are those of this "
        "folder.",
    )
    trust: bool = Field(
        default=False, description="Accept snapshots from another store, after you have checked their origin."
    )

    @property
    def subject(self) -> str:
        """The file's name, or that of the document's endpoint."""
        return self.document.name if self.document else PurePath(self.file or "").name


class PlanRequest(DocumentsRequest):
    """Show the changes that 'apply FILE' makes: nothing is changed.

    The exit code is 1 if there are changes, 0 if the endpoints are as the file says.
    """


class ApplyRequest(DocumentsRequest):
    """Make endpoints as a YAML file says; 'nbdeploy plan FILE' shows the changes first.

    Each change is a revision of its own, in the order of 'plan'. An endpoint that the file does not name stays as it
    is. A second 'apply' continues an interrupted one, and changes nothing after a complete one.
    """

    force: Force = False
    if_revision: IfRevision = None
    reason: Reason = ""


class PlannedChange(Value):
    """One change in words, and the command that makes it alone; empty: there is no such command."""

    change: str
    command: str = ""


class EndpointPlan(Value):
    """The changes from an endpoint to its document, planned or made.

    ``revision`` is the endpoint's at the end of the changes that were made; 0: there is no endpoint yet.
    """

    endpoint: str
    revision: int
    changes: tuple[PlannedChange, ...]
    objects: tuple[ObjectChange, ...] = Field(
        default=(), description="Of a plan for a cluster: what its objects become, by the server's dry run."
    )
    applied: bool = False
    url: str | None = Field(default=None, description="None: nothing was applied, or the endpoint is stopped.")


class Documents(Protocol):
    """Files of endpoints' documents."""

    def read(self, file: str) -> list[EndpointDocument]:
        """Read the documents of a YAML file; paths of notebooks become absolute.

        Raises
        ------
        InvalidInput
            The file cannot be read, is no YAML, or a document is wrong: the error names the line or the field.
        """


def with_absolute_paths(document: EndpointDocument, folder: Path) -> EndpointDocument:
    """Return the document with its relative paths as those of a folder."""
    changed: dict[str, Any] = {}
    if document.validations is not None:
        changed["validations"] = tuple(spec.within(folder) for spec in document.validations)
    if document.serve is not None:
        changed["serve"] = document.serve.within(folder)
    return document.model_copy(update=changed)
