"""Records and ledger as releases and the proxy write them, for the tests of comparisons."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.serving.telemetry.routing import digest_inputs
from tests.releases import release

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def endpoint(stochastic=False, **traffic):
    traffic = traffic or {"shadows": {"tumour:bbb": 100.0}}
    releases = (release("aaa"), release("bbb", stochastic=stochastic), release("ccc"))
    return Endpoint(name="tumour", releases=releases, traffic=Traffic(stable="tumour:aaa", **traffic))


CANARY = {"canary": "tumour:bbb", "canary_percent": 20.0}
SHARED = {"canary": "tumour:bbb", "share": 0.2}
"""The fields of a request that stable and the canary share."""


class World:
    """Writes records and ledger lines as the releases and the proxy do."""

    def __init__(self, home):
        self.home = home

    def _append(self, path, fields):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(fields if isinstance(fields, str) else json.dumps(fields) + "\n")

    def record(self, number, version, role, outputs=("x",), *, segment="1-1.v1.jsonl", late=0.0, **fields):
        ts = NOON + timedelta(seconds=number + late)
        rows = len(outputs) if isinstance(outputs, list | tuple) else 0
        inputs = fields.get("inputs", [{"n": number, "row": row} for row in range(rows)])
        digest = digest_inputs(json.dumps(inputs or [number]).encode())  # a release knows the inputs of a failure too
        self._append(
            self.home / "records" / "tumour" / version / segment,
            {
                "request_id": f"r{number}",
                "pair_id": f"p{number}",
                "ts": ts.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
                "endpoint": "tumour",
                "release": f"tumour:{version}",
                "role": role,
                "status": 200,
                "latency_ms": 2.0,
                "rows": rows or None,
                "inputs": inputs,
                "outputs": outputs,
                "error": None,
                "inputs_digest": digest,
                **(SHARED if role in ("stable", "canary") else {}),
                **fields,
            },
        )

    def pair(self, number, stable=("x",), candidate=None, stable_fields=None, **candidate_fields):
        self.record(number, "aaa", "stable", **{"outputs": stable} | (stable_fields or {}))
        outputs = stable if candidate is None else candidate
        self.record(number, "bbb", "shadow", **{"outputs": outputs} | candidate_fields)

    def ledger(self, log, number, version="bbb", *, flags="-", status=200, file=None, **fields):
        ts = (NOON + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        line = {"ts": ts, "pair_id": f"p{number}", "request_id": f"r{number}", "endpoint": "tumour"}
        line |= {"release": f"tumour:{version}", "role": "shadow", "status": status, "flags": flags, "duration_ms": 3}
        self._append(self.home / "ledger" / (file or f"{log}.jsonl"), line | fields)

    def raw(self, version, text, segment="1-1.v1.jsonl"):
        self._append(self.home / "records" / "tumour" / version / segment, text)

    def compare(
        self,
        of=None,
        candidate="tumour:bbb",
        since=None,
        overflowed=0,
        *,
        dtype="str",
        relative=None,
        absolute=None,
        segments=(),
    ):
        rule = Rule.of(dtype, relative, absolute)
        log = RecordLog(self.home)
        return log.compare(
            of or endpoint(), candidate, since=since, overflowed=overflowed, rule=rule, segments=segments
        )
