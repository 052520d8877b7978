"""The JSON display of a document, for an expression that JupyterLab evaluates in a kernel."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class JsonDisplay:
    """The value of an expression of the bridge."""

    def __init__(self, document: BaseModel | dict[str, Any]) -> None:
        self.document = document.model_dump(mode="json") if isinstance(document, BaseModel) else document

    def _repr_json_(self) -> dict[str, Any]:
        return self.document

    def __repr__(self) -> str:
        """Return a short text, since it is sent with the JSON."""
        return f"<nbdeploy: {', '.join(self.document)}>"
