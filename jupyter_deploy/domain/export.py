"""Export of a translated release as files that another runtime serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from .base import FilePath, Value
from .requests import EndpointName, Request

if TYPE_CHECKING:
    from .capture.artifacts import Snapshot

EXPORT_FOLDER = "{name}-onnx"
"""The default folder of an export, with ``{name}`` for the endpoint's name."""

MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"
"""cosign's signature of the manifest, which has the digests of all other files."""


class ExportRequest(Request):
    """Write a translated release as files for other languages: graph, manifest, conformance data set, clients.

    ONNX Runtime runs the graph without Python. The clients, one file for each of C++, Java, JavaScript, Python, R and
    Rust, answer a table's rows; check.py compares their answers with those of the notebook's model.

    The release must be a translation: deploy it with --engine onnx. For example: nbdeploy export churn.
    Details: docs/how-to/export-a-translation.md.
    """

    name: EndpointName
    release: str | None = Field(
        default=None,
        description="The release's tag, or the beginning of its version (default: the stable one).",
        json_schema_extra={"important": True, "completes": "release"},
    )
    format: Literal["onnx"] = Field(default="onnx", description="The format of the model.")
    to: Annotated[str, FilePath(written=True, default=EXPORT_FOLDER)] = Field(
        default=EXPORT_FOLDER,
        description="The folder, with {name} for the endpoint's name; made if need be.",
        json_schema_extra={"important": True},
    )
    sign: str | None = Field(
        default=None,
        description="File of a private key of cosign for the signature of the manifest (default: the setting "
        "sign_key; without a key the manifest has digests and no signature).",
    )
    overwrite: bool = Field(default=False, description="Overwrite an export in the folder; other files stay.")


class ExportedClient(Value):
    """A program that answers a table's rows by the graph.

    ``tested``: nbdeploy's tests run it against conformance data sets; else only its text is known.
    """

    language: str
    file: str
    tested: bool


class ModelExport(Value):
    """The written files.

    Attributes
    ----------
    rows
        The rows of the conformance data set, by origin.
    signed_by
        SHA-256 of the public key; None: the manifest is not signed.
    """

    endpoint: str
    release: str
    folder: str
    files: tuple[str, ...]
    clients: tuple[ExportedClient, ...]
    rows: dict[str, int]
    proof: str
    signed_by: str | None = None

    @property
    def command(self) -> str:
        """The command that compares the Python client's answers with the original's."""
        return f"cd '{self.folder}' && python check.py python clients/client.py"


class Exporter(Protocol):
    """Writes exports."""

    def require(self, folder: Path, *, overwrite: bool) -> None:
        """Raise InvalidInput if this is no folder, Refused if it has files and ``overwrite`` is False."""

    def write(self, snapshot: Snapshot, folder: Path, about: dict[str, Any]) -> ModelExport:
        """Write all files but the signature; ``about`` has the manifest's fields on the release.

        Raises Refused (the snapshot has no conformance data set), StoreError (the disk is full).
        """
