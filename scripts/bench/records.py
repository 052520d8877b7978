"""How long a comparison of a million records takes, and how much memory, once they are compacted."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from jupyter_deploy.records.compaction import compact_all

from .figures import Figure, median

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
REQUESTS = 500_000
SEGMENT = 60_000  # requests: about as many as a worker writes to one segment
ROUNDS = 3
FEATURES = 12

_COMPARE = """
import json, resource, sys, time
from datetime import datetime, timezone
from pathlib import Path
from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.traffic import Traffic
created = datetime(2026, 1, 1, tzinfo=timezone.utc)
releases = tuple(
    Release(endpoint="tumour", tag=f"tumour:{v}", digest="sha256:0", path="/b", snapshot_path="/s", interpreter="/p",
            source=Source(), created_at=created)
    for v in ("aaa", "bbb"))
endpoint = Endpoint(name="tumour", releases=releases,
                    traffic=Traffic(stable="tumour:aaa", shadows={"tumour:bbb": 100.0}))
log = RecordLog(Path(sys.argv[1]))
began = time.perf_counter()
found = log.compare(endpoint, "tumour:bbb", since=None, overflowed=0, rule=Rule.of(sys.argv[2], None, None))
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(peak), "pairs": found.pairs, "rows": found.rows,
                  "mirrored": found.mirrored, "agreement": found.agreement and found.agreement.value}))
"""


Answers = Literal["labels", "numbers", "probabilities"]


def _answer(answers: Answers, value: float, *, shifted: bool) -> str:
    """Return an answer as JSON; ``shifted``: another one than stable's."""
    if answers == "labels":
        return '"unsure"' if shifted else '"malignant"' if value > 0.5 else '"benign"'
    moved = value + (0.02 if shifted else 0.0)
    if answers == "numbers":
        return repr(moved)
    first = round(min(moved, 1.0), 6)
    return f"[{first},{round(1 - first, 6)}]"


def write(home: Path, requests: int, answers: Answers = "labels") -> None:
    """``requests`` on a stable release ``tumour:aaa`` and a shadow ``tumour:bbb``; one in fifty answers differs."""
    chance = random.Random(7)
    inputs = [
        json.dumps([{f"feature_{number}": round(chance.gauss(50, 20), 3) for number in range(FEATURES)}])
        for _ in range(2000)
    ]
    folders = {version: home / "records" / "tumour" / version for version in ("aaa", "bbb")}
    for folder in (*folders.values(), home / "ledger"):
        folder.mkdir(mode=0o700, parents=True)
    for start in range(0, requests, SEGMENT):
        part = range(start, min(start + SEGMENT, requests))
        ids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in part]
        values = [chance.random() for _ in part]
        name = f"20261125T120000Z-{start + 1}-00000000.v1.jsonl"
        for version, role in (("aaa", "stable"), ("bbb", "shadow")):
            with (folders[version] / name).open("w") as file:
                for number, pair, value in zip(part, ids, values, strict=True):
                    moment = NOON + timedelta(milliseconds=number)
                    said = _answer(answers, value, shifted=version == "bbb" and number % 50 == 0)
                    file.write(
                        f'{{"request_id":"r-{pair}","pair_id":"{pair}","ts":"{moment:%Y-%m-%dT%H:%M:%S.%f}789Z",'
                        f'"endpoint":"tumour","release":"tumour:{version}","role":"{role}","status":200,'
                        f'"latency_ms":{2 + value:.4f},"rows":1,"inputs":{inputs[number % len(inputs)]},'
                        f'"inputs_digest":"{number:016x}","outputs":[{said}],"error":null}}\n'
                    )
        for log, version, role in (("edge", "aaa", "stable"), ("shadow", "bbb", "shadow")):
            with (home / "ledger" / f"{log}-20261125T120000Z-{start + 1}-00000000.v1.jsonl").open("w") as file:
                for number, pair in zip(part, ids, strict=True):
                    moment = NOON + timedelta(milliseconds=number)
                    file.write(
                        f'{{"ts":"{moment:%Y-%m-%dT%H:%M:%S.%f}Z","pair_id":"{pair}","request_id":"r-{pair}",'
                        f'"endpoint":"tumour","release":"tumour:{version}","role":"{role}","status":200,"flags":"-",'
                        '"duration_ms":3,"method":"POST","path":"/tumour/predict","record":"full"}\n'
                    )


def measure(home: Path, dtype: str) -> dict[str, float]:
    """One comparison in a process of its own."""
    command = [sys.executable, "-c", _COMPARE, str(home), dtype]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def comparisons() -> Iterator[Figure]:
    """A shadow's records against stable's, by kind of answer, each comparison in a process of its own."""
    kinds: list[tuple[Answers, str]] = [("labels", "str"), ("numbers", "float64"), ("probabilities", "float64")]
    for answers, dtype in kinds:
        with tempfile.TemporaryDirectory(prefix="nbdeploy-bench-") as folder:
            home = Path(folder)
            write(home, REQUESTS, answers)
            raw = measure(home, dtype)
            if failures := compact_all(home):
                raise RuntimeError("\n".join(failures))
            found = [measure(home, dtype) for _ in range(ROUNDS)]
            subject = f"compare, {found[0]['pairs'] * 2:,} records, {answers}"
            note = f"as JSON lines {raw['seconds']:.1f} s and {raw['peak_mb']:.0f} MB"
            yield Figure(subject, "time", median([one["seconds"] for one in found]), "s", most=2, note=note)
            yield Figure(subject, "peak memory", max(one["peak_mb"] for one in found), "MB", most=500)
