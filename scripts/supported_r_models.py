"""Write docs/supported-r-models.md from what the contract tests find; R and its packages must be installed.

``python -m scripts.supported_r_models translations``: make the table of translations alone, for which R suffices.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from tests.contract import supported_r
from tests.contract.models_of_r import FITS, TRANSLATED


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if sys.argv[1:] == ["translations"]:
            kept = supported_r.PAGE.read_text("utf-8").partition(supported_r.TRANSLATIONS_TITLE)[0]
        else:
            capturer = ModelCapturer(folder / "bentoml", Tolerance(), replay_timeout=120)
            lines = [supported_r.line_of(fit, capturer, folder / str(number)) for number, fit in enumerate(FITS)]
            kept = supported_r.page(lines)
        lines = [supported_r.translated_line(fit, folder / f"t{number}") for number, fit in enumerate(TRANSLATED)]
    supported_r.PAGE.write_text(kept + supported_r.translations(lines), "utf-8")


if __name__ == "__main__":
    main()
