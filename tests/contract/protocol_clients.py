"""Releases with the real serving package behind a real gateway, for clients of all protocols."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from jupyter_deploy import serving
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from tests.contract.serving.test_serving_snapshot import write_snapshot
from tests.contract.targets.test_local_target_support import Stage, endpoint_of, staged

SERVICE = """
from serving import Front, keep_writing, load
from serving.asgi.bare_app import bare_app

load({path!r}, digest={digest!r})


def app():
    keep_writing()
    return Front(bare_app)
"""

FRAME = pd.DataFrame({"age": [30, 40, 50], "weight": [60.5, 70.0, 80.25], "sex": ["F", "M", "F"]})


def risk(frame: Any) -> Any:
    """Return one number a row."""
    return (frame["age"] * frame["weight"] + (frame["sex"] == "F")).to_numpy()


def stretched(array: Any) -> Any:
    """Return three numbers for each row of two."""
    return np.hstack([array * 2, array[:, :1]])


def words(text: str) -> Any:
    """Yield the words of a text."""
    yield from text.split()


def released(stage: Stage, tag: str, native: Any, example: Any, container: str, **more: Any) -> Release:
    """Write a release's folder."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    name, _, version = tag.partition(":")
    folder = stage.root / name / version
    answers = more.pop("answers", None)
    digest = write_snapshot(folder, native, example, native(example) if answers is None else answers, container, **more)
    shutil.copytree(Path(serving.__file__).parent, folder / "src" / "serving", ignore=shutil.ignore_patterns("__py*"))
    (folder / "src" / "service.py").write_text(SERVICE.format(path=str(folder), digest=digest))
    return Release(
        endpoint=name,
        tag=tag,
        digest=digest,
        path=str(folder),
        snapshot_path=str(folder),
        interpreter=sys.executable,
        source=Source(notebook="n.ipynb", variable="model"),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@contextmanager
def behind_a_gateway() -> Iterator[tuple[Stage, dict[str, str], dict[str, Endpoint]]]:
    """The stage and the URLs of three endpoints: a frame, an array, a function that yields."""
    with staged(start_timeout=90.0) as stage:
        rows = np.array([[1.0, 2.0], [3.0, 4.5]], np.float32)
        frame = {"prototype": FRAME[:0]}
        made = [
            [released(stage, f"churn:{version}", risk, FRAME, "frame", **frame) for version in ("aaa", "bbb")],
            [released(stage, "stretch:aaa", stretched, rows, "array", prototype=rows[:0])],
            [released(stage, "words:aaa", words, {"text": "a b"}, "call", answers=[["a", "b"]], parameters=("text",))],
        ]
        for releases in made:
            for release in releases:
                stage.target.start(release)
        endpoints = [
            endpoint_of(*releases, shadows={release.tag: 100 for release in releases[1:]}) for releases in made
        ]
        urls = {endpoint.name: stage.target.route(endpoint) for endpoint in endpoints}
        yield stage, urls, {endpoint.name: endpoint for endpoint in endpoints}
