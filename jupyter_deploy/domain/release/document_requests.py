"""The requests and results of ``plan`` and ``apply``."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from jupyter_deploy.domain.base import FilePath, Value
from jupyter_deploy.domain.manifests import ObjectChange
from jupyter_deploy.domain.requests import Force, Reason, Request

from .document import EndpointDocument

DocumentFile = Annotated[
    str,
    FilePath(),
    Field(
        description="A YAML file with one document for each endpoint, as 'nbdeploy describe NAME -o yaml' writes it.",
        json_schema_extra={"positional": True},
    ),
]

Trust = Annotated[bool, Field(description="Accept snapshots from another store, after you have checked their origin.")]


class PlanRequest(Request):
    """Show the changes that 'apply FILE' makes: nothing is changed.

    The exit code is 1 if there are changes, 0 if the endpoints are as the file says.
    """

    file: DocumentFile
    trust: Trust = False


class ApplyRequest(Request):
    """Make endpoints as a YAML file says; 'nbdeploy plan FILE' shows the changes first.

    Each change is a revision of its own, in the order of 'plan'. An endpoint that the file does not name stays as it
    is. A second 'apply' continues an interrupted one, and changes nothing after a complete one.
    """

    file: DocumentFile
    trust: Trust = False
    force: Force = False
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
