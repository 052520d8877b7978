"""Write docs/supported-r-models.md from what the contract tests find; R and its packages must be installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from tests.contract import supported_r
from tests.contract.models_of_r import FITS


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        capturer = ModelCapturer(folder / "bentoml", Tolerance(), replay_timeout=120)
        lines = [supported_r.line_of(fit, capturer, folder / str(number)) for number, fit in enumerate(FITS)]
    supported_r.PAGE.write_text(supported_r.page(lines), "utf-8")


if __name__ == "__main__":
    main()
