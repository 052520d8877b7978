"""Repeated attempts at a gate: the level of each, the identity of a gate, and the digest of its evidence. Pure.

A gate that is run again until it passes would pass at last. So attempt k has the one-sided error ``ALPHA / (k (k+1))``,
which sums to ``ALPHA`` over all attempts; the first has today's 2.5 %, an interval of 95 %. An attempt counts if it did
not pass and its evidence is new: the same rows, judged again, are the same attempt. After a pass the count begins anew.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_deploy.domain.gates.gate import Gate

from .validation import Metric

ALPHA = 0.05
"""The probability that a candidate exactly at the bound passes at any of its attempts."""


def level_of(attempt: int) -> float:
    """Return the level of the interval that decides an attempt, counted from 1: 95 %, 98.3 %, 99.2 % and so on."""
    return 1 - 2 * ALPHA / (attempt * (attempt + 1))


def metric_of(gate: Gate, metrics: Sequence[Metric]) -> Metric | None:
    """Return the metric that a gate is on; None: it was not recorded."""
    return next((m for m in metrics if m.name == gate.metric and m.group == gate.group), None)


def gate_key(
    gate: Gate,
    *,
    snapshot: str,
    stable: str | None,
    notebook: str,
    parameters: Mapping[str, Any],
    traffic: str | None,
) -> str:
    """Return the identity of a gate of one snapshot on the same data, for its attempts.

    The data are the notebook with its parameters, or the recorded traffic of an endpoint. Edits of the notebook do not
    make it another one: another seed is another attempt.

    Parameters
    ----------
    snapshot, stable
        Digests; ``stable`` None: the gate does not compare with it.
    """
    parts = [str(gate), snapshot, stable, notebook, dict(parameters), traffic]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def evidence_digest(gate: Gate, metrics: Sequence[Metric], stable: Sequence[Metric] | None) -> str | None:
    """Return a digest of the rows that a gate is judged by; None: the metric was not recorded, so nothing is judged."""
    mine = metric_of(gate, metrics)
    if mine is None:
        return None
    digest = hashlib.sha256()
    for metric in (mine, metric_of(gate, stable or ()) if gate.needs_stable else None):
        if metric is None:
            digest.update(b"-")
            continue
        digest.update(json.dumps([metric.value, metric.n, metric.statistic]).encode())
        for numbers in (metric.rows, metric.replicates):
            digest.update(b"-" if numbers is None else array("d", numbers).tobytes())
    return digest.hexdigest()
