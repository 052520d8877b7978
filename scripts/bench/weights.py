"""What the capture of a 1 GB model takes, against saving the same object the usual way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .figures import Figure, median

ROUNDS = 3

_MODELS = {
    "torch": """
import torch
def made():
    return torch.nn.Sequential(*(torch.nn.Linear(4096, 4096) for _ in range(16)))  # 16 × 64 MB
example = torch.ones(2, 4096)
def usual(model, path):
    torch.save(model, path)
def load(path):
    return torch.load(path, weights_only=False)
""",
    "arrays": """
import numpy as np, joblib
from sklearn.base import BaseEstimator
from sklearn.neighbors import KNeighborsRegressor
def made():
    chance = np.random.default_rng(7)
    return KNeighborsRegressor(algorithm="brute").fit(chance.random((1_000_000, 128)), chance.random(1_000_000))
example = np.ones((2, 128))
def usual(model, path):
    joblib.dump(model, path)
""",
}
# Peaks are the kernel's own, in MB: what Linux calls VmHWM, set back before each step.
_RUN = """
import gc, json, os, re, sys, tempfile, time
from pathlib import Path
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
def status(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
def measured(step):
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    found = step()
    return time.perf_counter() - began, status("VmHWM"), found
before = status("VmRSS")
model = made()
model.predict(example) if hasattr(model, "predict") else model(example)
capturer = ModelCapturer(folder / "bentoml", Tolerance(), 600)
live = Live(model, example, Source(variable="model"), None, (), folder)
rows = []
for number in range(rounds + 1):
    held = status("VmRSS")
    usual_s, usual_mb, _ = measured(lambda: usual(model, folder / "usual"))
    os.remove(folder / "usual")
    stage_s, stage_mb, staged = measured(lambda: capturer.stage(live, f"m{number}"))
    size = sum(path.stat().st_size for path in staged.folder.iterdir()) / 2**20
    replay_s, _, proved = measured(lambda: capturer.replay(staged, live))
    keep_s, keep_mb, kept = measured(lambda: capturer.keep(proved, lambda _: None))
    rows.append({"held": held, "size": size, "usual_s": usual_s, "usual_mb": usual_mb, "stage_s": stage_s,
                 "stage_mb": max(stage_mb, keep_mb), "replay_s": replay_s, "keep_s": keep_s})
    import shutil; shutil.rmtree(kept.path)
print(json.dumps({"before": before, "rows": rows[1:]}))
"""


def weights() -> Iterator[Figure]:
    """In turns in one process: the usual way, and our capture. The first round only warms."""
    for name, usual in (("torch", "torch.save"), ("arrays", "joblib.dump")):
        with tempfile.TemporaryDirectory(prefix="nbdeploy-bench-") as folder:
            yield from _of(name, usual, Path(folder))


def _of(name: str, usual: str, folder: Path) -> Iterator[Figure]:
    (folder / "run.py").write_text(_MODELS[name] + _RUN)
    ended = subprocess.run(
        [sys.executable, str(folder / "run.py"), str(folder), str(ROUNDS)],
        env=os.environ | {"TMPDIR": str(folder), "BENTOML_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    found = json.loads(ended.stdout.splitlines()[-1])
    rows = found["rows"]
    size = median([row["size"] for row in rows])
    subject = f"capture of a model of {size / 1024:.2g} GB, {name}"

    def extra(key: str) -> float:
        return median([(row["size"] + max(0, row[key] - row["held"])) / row["size"] for row in rows])

    yield Figure(
        subject, "peak memory / the model's own", extra("stage_mb"), "×", most=1.2,
        note=f"of the kernel; {usual}: {extra('usual_mb'):.3g} ×",
    )  # fmt: skip
    ratios = [(row["stage_s"] + row["keep_s"]) / row["usual_s"] for row in rows]
    taken = median([row["stage_s"] + row["keep_s"] for row in rows])
    yield Figure(
        subject, f"time / `{usual}`", median(ratios), "×", most=1.5,
        note=f"median of {ROUNDS} pairs; asked, written, hashed and stored in {taken:.2g} s",
    )  # fmt: skip
    note = "hashed, loaded and asked three times in a process of its own, which imports the libraries"
    yield Figure(subject, "proof in a clean process", median([row["replay_s"] for row in rows]), "s", note=note)
