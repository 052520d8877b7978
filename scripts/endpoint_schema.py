"""Write docs/endpoint.schema.json, the JSON Schema of endpoints' documents; ``--check`` fails when it is stale."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jupyter_deploy.domain.release.document import EndpointDocument

TARGET = Path(__file__).resolve().parents[1] / "docs" / "endpoint.schema.json"


def document() -> str:
    """The schema."""
    schema = EndpointDocument.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write or check."""
    if "--check" in sys.argv:
        if not TARGET.exists() or TARGET.read_text("utf-8") != document():
            sys.exit(f"{TARGET} is stale: run 'make docs'")
    else:
        TARGET.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
