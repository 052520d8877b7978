"""Snapshots that need not exist, for tests of their descriptions."""

from datetime import UTC, datetime

from jupyter_deploy.domain.capture.artifacts import Environment, Git, Manifest, Provenance, Snapshot, Source
from jupyter_deploy.domain.capture.signature import Signature, infer_schema

ROWS = [{"age": 30, "weight": 60.5}, {"age": 40, "weight": 70.0}]


def signature(rows=ROWS, answers=("no", "yes"), **more):
    """The signature of a table's rows."""
    given = {"container": "frame", "answer_dtype": "str", **more}
    return Signature(instance_schema=infer_schema(rows), answer_schema=infer_schema(answers), **given)


def snapshot(tag="tumour:a", *, rows=ROWS, answers=("no", "yes"), cells=(), variable="clf", dirty=False, **more):
    """A snapshot of a classifier; each field of the manifest can be set."""
    distributions = more.pop("distributions", {"scikit-learn": "1.8.0"})
    python = more.pop("python", "3.11.7")
    fields = {
        "name": "tumour",
        "method": "predict",
        "kind": "sklearn.linear_model.LogisticRegression",
        "framework": "sklearn",
        "signature": signature(rows, answers),
        "instances": list(rows),
        "predictions": list(answers),
        "stochastic": False,
        "environment": Environment(
            interpreter="/python", python=python, platform="linux-x86_64", distributions=distributions
        ),
        "provenance": Provenance(
            source=Source(notebook="/home/ada/train.ipynb", variable=variable),
            cells=tuple(cells),
            git=Git(commit="0123456789abcdef", dirty=dirty),
            user="ada",
            captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        "data_fingerprint": "0",
        "files": {"model.pkl": "0"},
    }
    manifest = Manifest(**(fields | more))
    return Snapshot(tag=tag, digest="sha256:0", fingerprint="0", path="/snapshot", manifest=manifest)
