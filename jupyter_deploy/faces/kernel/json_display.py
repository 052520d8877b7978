"""A document as JupyterLab gets it from a kernel: as JSON, of an expression that it had evaluated."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Shown:
    """What an expression of the bridge comes to."""

    def __init__(self, document: BaseModel | dict[str, Any]) -> None:
        self.document = document.model_dump(mode="json") if isinstance(document, BaseModel) else document

    def _repr_json_(self) -> dict[str, Any]:
        return self.document

    def __repr__(self) -> str:
        """Short, since it travels beside the JSON."""
        return f"<nbdeploy: {', '.join(self.document)}>"
