"""A waived secret in a model that is captured again by value."""

import importlib
import sys
from dataclasses import replace

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.findings import waived
from jupyter_deploy.domain.capture.ports import Live

KEY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def test_a_waived_secret_is_reported_once(tmp_path, monkeypatch):
    (tmp_path / "rules_waived.py").write_text("LIMIT = 1\n\n\ndef price(x):\n    return x * LIMIT\n")
    monkeypatch.syspath_prepend(tmp_path)
    rules = importlib.import_module("rules_waived")
    rules.LIMIT = 3

    def predict(x: float) -> float:
        return rules.price(x) + len(predict.key)

    predict.key = KEY
    capturer = ModelCapturer(tmp_path / "store", Tolerance(), replay_timeout=60)
    live = Live(predict, 2.0, Source(variable="predict"), project=tmp_path)
    staged = capturer.stage(live, "churn")
    try:
        manifest = staged.manifest
        findings = waived(manifest.findings, ["secrets"], "a test")
        assert [f.check for f in findings].count("secrets") == 1
        proved = capturer.replay(replace(staged, manifest=manifest.model_copy(update={"findings": findings})), live)
        assert [f.check for f in proved.manifest.findings].count("secrets") == 1
        assert "edited-module" in [f.check for f in proved.manifest.findings], "it was captured by value"
    finally:
        capturer.discard(staged)
        sys.modules.pop("rules_waived", None)
