"""Write docs/supported-models.md from what the contract tests find; ``--check`` fails when it is stale."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.contract import supported


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        found = supported.staged(Path(scratch) / "bentoml")
        try:
            supported.replayed(found, Path(scratch))
        finally:
            for one in found.values():
                if one.folder is not None:
                    shutil.rmtree(one.folder)
    if "--check" not in sys.argv[1:]:
        supported.PAGE.write_text(supported.page(found), "utf-8")
    elif lines := supported.stale(found, supported.PAGE.read_text("utf-8")):
        sys.exit("\n".join(["docs/supported-models.md is stale: python -m scripts.supported_models", *lines]))


if __name__ == "__main__":
    main()
